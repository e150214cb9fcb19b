"""Do chances still mean what they say, whoever is asked? Bets on each bin of predictions, upward and downward.

Predictions are first moved by what each candidate's scores lay off them in the reference window, so that a change of
who is asked moves no bin. What is left of a bin's mean residual in that window is its baseline. Either is known so well
only, and both margins are left to each request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from turnout.learning.drift.baseline import Baseline, learn
from turnout.learning.drift.betting import change_point, first_alarm, log_factors, log_mean, log_wealth
from turnout.learning.drift.streams import Scored
from turnout.learning.drift.success import Change

Array = NDArray[np.float64]

BINS: Final = 5
FALLS: Final = np.array([0.05, 0.1, 0.2])
"""Over all candidates there is more to see, so smaller shifts can be found than in `success`."""


@dataclass(frozen=True, slots=True)
class CalibrationBaseline:
    """offsets : float64 (k,), what to add to each candidate's predictions, NaN where unknown. margins : float64 (k,),
    theirs. edges : float64 (BINS - 1,), between bins of corrected predictions. bins : for each bin its residuals'
    baseline, None if unknown.
    """

    offsets: Array
    margins: Array
    edges: Array
    bins: tuple[Baseline | None, ...]


def calibration_baseline(reference: Scored, success: list[Baseline | None]) -> CalibrationBaseline | None:
    """Learn it; None where no candidate has a baseline of its own."""
    offsets = np.array([np.nan if own is None else own.mean for own in success])
    margins = np.array([np.nan if own is None else own.margin for own in success])
    corrected, known = _corrected(reference, offsets)
    if not known.any():
        return None
    edges = np.quantile(corrected[known], np.arange(1, BINS) / BINS)
    residuals, which = reference.scores[known] - corrected[known], np.searchsorted(edges, corrected[known], "right")
    return CalibrationBaseline(offsets, margins, edges, tuple(learn(residuals[which == bin_]) for bin_ in range(BINS)))


def calibration_change(
    stream: Scored, baseline: CalibrationBaseline, *, alpha: float, horizon: int
) -> tuple[Change, float, float] | None:
    """The first change of any bin, with the lower and upper end of that bin; positions are those of `stream`."""
    corrected, known = _corrected(stream, baseline.offsets)
    which = np.where(known, np.searchsorted(baseline.edges, corrected, "right"), -1)
    bets, wealth = [], []
    for bin_, own in enumerate(baseline.bins):
        at = np.flatnonzero(which == bin_)
        if own is None or not len(at):
            continue
        expected = corrected[at] + own.mean
        margin = np.hypot(own.margin, baseline.margins[stream.columns[at]])
        down = log_factors(stream.scores[at], expected - margin, FALLS)
        up = log_factors(1 - stream.scores[at], 1 - (expected + margin), FALLS)
        for factors in (down, up):
            bets.append((bin_, own, at, factors))
            wealth.append(_held(log_mean(log_wealth(factors, -np.log(horizon))), at, len(which)))
    # Bins that are not bet on count all the same, so that alpha holds for each number of them.
    total = np.logaddexp.reduce(wealth, axis=0) - np.log(2 * BINS) if bets else np.empty(0)
    raised_at = first_alarm(total, alpha)
    if raised_at is None:
        return None
    bin_, own, at, factors = bets[int(np.argmax([bet[raised_at] for bet in wealth]))]
    last = int(np.searchsorted(at, raised_at, "right")) - 1
    seen = at[change_point(factors, last) : last + 1]
    mean_expected = float((corrected[seen] + own.mean).mean())
    ends = np.concatenate(([0.0], baseline.edges, [1.0]))
    change = Change(int(seen[0]), raised_at, float(stream.scores[seen].mean()), mean_expected)
    return change, float(ends[bin_]), float(ends[bin_ + 1])


def _held(wealth: Array, at: NDArray[np.int64], n: int) -> Array:
    """Wealth after each of `n` requests, where a bin's changes only at its own; -inf before the first of them."""
    last = np.searchsorted(at, np.arange(n), "right")
    return np.concatenate(([-np.inf], wealth))[last]


def _corrected(stream: Scored, offsets: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Predictions with each candidate's offset, in [0, 1], and where that is known."""
    moved = stream.predicted + offsets[stream.columns]
    known = np.isfinite(moved)
    return np.clip(np.where(known, moved, 0), 0, 1), known
