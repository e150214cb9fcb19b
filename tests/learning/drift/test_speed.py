"""Slower than expected is told from heavy tails and bursts."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import lfilter

from turnout.learning.drift.speed import autocorrelation_time, speed_baseline, speed_change

Array = NDArray[np.float64]


def ratios(rng: np.random.Generator, n: int, tail: float = 1.0, memory: float = 0.0) -> Array:
    """Log-normal, half of the spread bursts that fade by `memory` with each request."""
    shocks = np.sqrt(1 - memory**2) * rng.standard_normal(n)
    return np.exp(tail * (lfilter([1.0], [1.0, -memory], shocks) + rng.standard_normal(n)) / np.sqrt(2))


@pytest.mark.parametrize(("tail", "memory"), [(0.5, 0.0), (1.5, 0.0), (1.0, 0.8), (1.5, 0.95)])
def test_heavy_tails_and_bursts_raise_few_alarms(tail: float, memory: float) -> None:
    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(100):
        drawn = ratios(rng, 6_000, tail, memory)
        baseline = speed_baseline(drawn[:1_000])
        change = speed_change(drawn[1_000:], baseline, alpha=0.05, horizon=5_000) if baseline else None
        alarms += change is not None
    assert alarms <= 5


def test_twice_the_seconds_are_found() -> None:
    drawn = ratios(np.random.default_rng(1), 3_000)
    drawn[2_000:] *= 2
    baseline = speed_baseline(drawn[:1_000])
    assert baseline
    change = speed_change(drawn[1_000:], baseline, alpha=0.05, horizon=5_000)
    assert change and 1_000 <= change.raised_at < 1_300 and abs(change.start - 1_000) < 60
    assert change.mean > change.expected


def test_one_huge_outlier_is_no_alarm() -> None:
    drawn = ratios(np.random.default_rng(2), 3_000)
    drawn[2_000] = 1e12
    baseline = speed_baseline(drawn[:1_000])
    assert baseline and speed_change(drawn[1_000:], baseline, alpha=0.05, horizon=5_000) is None


def test_seconds_that_never_vary_are_no_alarm() -> None:
    baseline = speed_baseline(np.ones(1_000))
    assert baseline and speed_change(np.ones(1_000), baseline, alpha=0.05, horizon=5_000) is None


def test_bursts_longer_than_the_reference_can_tell_are_not_watched() -> None:
    assert speed_baseline(ratios(np.random.default_rng(3), 1_000, memory=0.999)) is None
    assert speed_baseline(np.ones(10)) is None


def test_the_autocorrelation_time_of_a_fading_memory_is_what_theory_says() -> None:
    shocks = np.random.default_rng(4).standard_normal(200_000)
    assert autocorrelation_time(shocks) == pytest.approx(1.0, abs=0.1)
    assert autocorrelation_time(lfilter([1.0], [1.0, -0.8], shocks)) == pytest.approx(9.0, rel=0.1)
