"""Chances that no longer mean what they say, though no candidate as a whole got worse."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from turnout.learning.drift.calibration import calibration_baseline, calibration_change
from turnout.learning.drift.streams import Scored
from turnout.learning.drift.success import Change, success_baseline


def mixed(rng: np.random.Generator, n: int, *, first: float = 0.5, flat_from: int | None = None) -> Scored:
    """Two candidates that lie off their predictions by other constants; from `flat_from` on predictions say nothing."""
    columns = (rng.random(n) >= first).astype(np.int64)
    predicted = rng.uniform(0.3, 0.9, n)
    chance = predicted.copy()
    if flat_from is not None:
        chance[flat_from:] = 0.6
    chance += np.where(columns == 0, -0.06, 0.06)
    return Scored(np.arange(n), columns, (rng.random(n) < chance).astype(float), predicted)


def found(reference: Scored, watched: Scored, alpha: float = 0.05) -> tuple[Change, float, float] | None:
    baseline = calibration_baseline(reference, [success_baseline(reference.of(column)) for column in (0, 1)])
    assert baseline
    return calibration_change(watched, baseline, alpha=alpha, horizon=5_000)


def test_at_most_five_in_a_hundred_stationary_streams_raise_an_alarm() -> None:
    rng = np.random.default_rng(0)
    assert np.mean([found(mixed(rng, 2_000), mixed(rng, 5_000)) is not None for _ in range(60)]) <= 0.05


def test_predictions_that_say_nothing_any_more_are_found() -> None:
    rng = np.random.default_rng(1)
    hits = [found(mixed(rng, 2_000), mixed(rng, 2_500, flat_from=1_000)) for _ in range(20)]
    assert sum(hit is not None and hit[0].raised_at >= 1_000 for hit in hits) >= 19
    change, low, high = next(hit for hit in hits if hit)
    assert 0 <= low < high <= 1 and abs(change.mean - change.expected) > 0.1


def test_another_mix_of_candidates_moves_no_bin() -> None:
    rng = np.random.default_rng(2)
    assert not any(found(mixed(rng, 2_000, first=0.8), mixed(rng, 5_000, first=0.2)) for _ in range(20))


def test_candidates_without_a_reference_are_left_out() -> None:
    rng = np.random.default_rng(3)
    reference = mixed(rng, 2_000, first=1.0)
    watched = mixed(rng, 3_000, first=0.5)
    worthless: NDArray[np.float64] = np.where(watched.columns == 1, 0.0, watched.scores)
    assert found(reference, Scored(watched.rows, watched.columns, worthless, watched.predicted)) is None


def test_no_candidate_with_a_reference_is_no_baseline() -> None:
    assert calibration_baseline(mixed(np.random.default_rng(4), 50), [None, None]) is None
