"""Every detector over one log, with one bound on false alarms for all of them together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from turnout.features import FEATURE_NAMES
from turnout.learning.drift import texts
from turnout.learning.drift.baseline import Baseline
from turnout.learning.drift.calibration import calibration_baseline, calibration_change
from turnout.learning.drift.features import BLOCK, REFERENCE, Known, moved_features
from turnout.learning.drift.report import Alarm, Direction, DriftReport
from turnout.learning.drift.speed import speed_baseline, speed_change
from turnout.learning.drift.streams import Scored, paces, scored
from turnout.learning.drift.success import success_baseline, success_change
from turnout.learning.logged import LoggedDecisions

SEED = 0
"""Of the draws of the permutation test: one log gives one report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """Chances of a false alarm among `horizon` decisions of a log in which nothing changes; together 5 %.

    Each is shared by all candidates in proportion to their traffic, so that many candidates cost no more than one. Most
    goes to what costs most to miss. A longer log is held to the same chances as a whole.
    """

    worse: float = 0.03
    better: float = 0.005
    calibration: float = 0.005
    features: float = 0.005
    speed: float = 0.005
    horizon: int = 25_000


def watch(
    logged: LoggedDecisions,
    *,
    reference: LoggedDecisions,
    checked_at: float,
    trained_on: NDArray[np.float32] | None = None,
    allowance: Allowance | None = None,
    others: Sequence[Alarm] = (),
) -> DriftReport:
    """Look for drift in a log, oldest row first.

    Both logs should have been decided by one predictor: another one's predictions need a reference of their own.
    Candidates, bins and speeds with too few rows in `reference` are not watched.

    Args:
        reference: rows from when all was well, before those of `logged`; a thousand scored ones of each candidate let
            drops of 20 points be found within 300, two hundred are the least that is used.
        checked_at: Unix seconds, goes into the report.
        trained_on: float32 (n, len(FEATURE_NAMES)), features of the distinct requests that the predictor was trained
            on; those of `reference` if left out.
        others: alarms found elsewhere, to be told in the same report.

    Raises:
        ValueError: the two logs have different candidates.
    """
    if logged.candidates != reference.candidates:
        raise ValueError(f"the log has candidates {logged.candidates}, its reference {reference.candidates}")
    allowance = allowance or Allowance()
    horizon = max(allowance.horizon, len(logged))
    known = _distinct(reference) if trained_on is None else trained_on.astype(np.float64)
    stream, before = scored(logged), scored(reference)
    baselines = _baselines(before, logged)
    alarms = [
        *_success_alarms(logged, stream, baselines, allowance, horizon),
        *_calibration_alarms(logged, stream, before, baselines, allowance.calibration, horizon),
        *_speed_alarms(logged, reference, allowance.speed, horizon),
        *_feature_alarms(logged, known, allowance.features, horizon),
        *others,
    ]
    return DriftReport(
        checked_at=checked_at, alarms=tuple(sorted(alarms, key=lambda alarm: alarm.since)), decisions=len(logged)
    )


def changed_success(logged: LoggedDecisions, reference: LoggedDecisions) -> list[Alarm]:
    """Only whose success has changed, at the same chances of a false alarm; arguments as of `watch`."""
    allowance = Allowance()
    stream, before = scored(logged), scored(reference)
    found = _success_alarms(logged, stream, _baselines(before, logged), allowance, max(allowance.horizon, len(logged)))
    return sorted(found, key=lambda alarm: alarm.since)


def _baselines(before: Scored, logged: LoggedDecisions) -> list[Baseline | None]:
    return [success_baseline(before.of(column)) for column in range(len(logged.candidates))]


def _success_alarms(
    logged: LoggedDecisions,
    stream: Scored,
    baselines: Sequence[Baseline | None],
    allowance: Allowance,
    horizon: int,
) -> Iterator[Alarm]:
    """Of each candidate's success."""
    alphas: tuple[tuple[Direction, float], ...] = (("worse", allowance.worse), ("better", allowance.better))
    for column, baseline in enumerate(baselines):
        own = stream.of(column)
        for direction, alpha in alphas if baseline else ():
            assert baseline is not None
            change = success_change(own, baseline, direction, alpha=alpha, horizon=horizon)
            if change:
                candidate, since = logged.candidates[column], _time(logged, own, change.start)
                text = texts.success(candidate, change, direction, since)
                yield Alarm(kind="success", candidate=candidate, since=since, text=text, direction=direction)


def _calibration_alarms(
    logged: LoggedDecisions,
    stream: Scored,
    before: Scored,
    baselines: list[Baseline | None],
    alpha: float,
    horizon: int,
) -> Iterator[Alarm]:
    baseline = calibration_baseline(before, baselines)
    found = calibration_change(stream, baseline, alpha=alpha, horizon=horizon) if baseline else None
    if found:
        change, low, high = found
        since = _time(logged, stream, change.start)
        yield Alarm(kind="calibration", candidate=None, since=since, text=texts.calibration(change, low, high, since))


def _speed_alarms(logged: LoggedDecisions, reference: LoggedDecisions, alpha: float, horizon: int) -> Iterator[Alarm]:
    for column, candidate in enumerate(logged.candidates):
        stream = paces(logged, column)
        baseline = speed_baseline(paces(reference, column).ratios)
        change = speed_change(stream.ratios, baseline, alpha=alpha, horizon=horizon) if baseline else None
        if baseline and change:
            since = float(logged.created_at[stream.rows[change.start]])
            median = float(np.median(stream.ratios[change.start : change.raised_at + 1]))
            text = texts.speed(candidate, change, baseline.slow_ratio, median, since)
            yield Alarm(kind="speed", candidate=candidate, since=since, text=text)


def _feature_alarms(logged: LoggedDecisions, known: NDArray[np.float64], alpha: float, horizon: int) -> Iterator[Alarm]:
    """The first block of distinct requests that differs; alpha is spent evenly over the blocks of a horizon."""
    rng = np.random.default_rng(SEED)
    if len(known) < 2 * BLOCK:
        return
    if len(known) > REFERENCE:
        known = known[np.sort(rng.choice(len(known), REFERENCE, replace=False))]
    reference = Known.of(known)
    for rows in _blocks(logged.groups):
        block = logged.features.dense[rows].astype(np.float64)
        moved = moved_features(reference, block, alpha=alpha * BLOCK / horizon, rng=rng)
        if moved:
            since = float(logged.created_at[rows[0]])
            yield Alarm(kind="features", candidate=None, since=since, text=texts.features(moved, FEATURE_NAMES, since))
            return


def _blocks(groups: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Rows of one block after the other: the first of each group in it, so that one long conversation is one request."""
    seen: dict[int, int] = {}
    for row, group in enumerate(groups.tolist()):
        seen.setdefault(group, row)
        if len(seen) == BLOCK:
            yield np.fromiter(seen.values(), np.int64)
            seen = {}


def _distinct(reference: LoggedDecisions) -> NDArray[np.float64]:
    """Features of the first row of each group: float64 (n_groups, n_features)."""
    _, first = np.unique(reference.groups, return_index=True)
    return reference.features.dense[np.sort(first)].astype(np.float64)


def _time(logged: LoggedDecisions, stream: Scored, position: int) -> float:
    return float(logged.created_at[stream.rows[position]])
