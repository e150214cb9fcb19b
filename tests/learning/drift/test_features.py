"""Blocks of requests unlike those that the predictor was trained on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from turnout.learning.drift.features import Known, moved_features

Array = NDArray[np.float64]


def requests(rng: np.random.Generator, n: int) -> Array:
    """Thirty features: ordinary, skewed, rare, correlated, and one that never varies."""
    dense = rng.standard_normal((n, 30))
    dense[:, 5:10] = rng.exponential(size=(n, 5))
    dense[:, 10:20] = rng.random((n, 10)) < 0.01
    dense[:, 20] = dense[:, 0] + 0.1 * dense[:, 21]
    dense[:, 29] = 3.0
    return dense


def test_at_most_five_in_a_hundred_looks_at_like_requests_raise_an_alarm() -> None:
    rng = np.random.default_rng(0)
    alarms = [
        moved_features(Known.of(requests(rng, 1_000)), requests(rng, 250), alpha=0.05, rng=rng) is not None
        for _ in range(100)
    ]
    assert np.mean(alarms) <= 0.05


def test_the_feature_that_moved_is_named_first() -> None:
    rng = np.random.default_rng(1)
    block = requests(rng, 250)
    block[:, 3] += 1.0
    block[:, 7] += 0.6
    moved = moved_features(Known.of(requests(rng, 1_000)), block, alpha=1e-3, rng=rng)
    assert moved and moved.columns[0] == 3 and set(moved.columns) == {3, 7}
    assert moved.after[0] - moved.before[0] > 0.7


def test_something_never_seen_before_counts() -> None:
    rng = np.random.default_rng(2)
    block = requests(rng, 250)
    block[:50, 29] = 4.0
    moved = moved_features(Known.of(requests(rng, 1_000)), block, alpha=1e-3, rng=rng)
    assert moved and moved.columns.tolist() == [29]


def test_constant_features_are_no_alarm() -> None:
    rng = np.random.default_rng(3)
    known = Known.of(np.full((1_000, 5), 0.1))
    assert moved_features(known, np.full((250, 5), 0.1), alpha=0.05, rng=rng) is None


def test_cells_that_are_not_finite_are_no_alarm() -> None:
    rng = np.random.default_rng(4)
    reference, block = requests(rng, 1_000), requests(rng, 250)
    reference[::7, 2] = np.nan
    block[:, 2], block[::3, 4], block[5, 6] = np.nan, np.inf, -np.inf
    assert moved_features(Known.of(reference), block, alpha=1e-3, rng=rng) is None


def test_one_seed_gives_one_answer() -> None:
    rng = np.random.default_rng(5)
    known, block = Known.of(requests(rng, 1_000)), requests(rng, 250) + 0.4
    first, second = (moved_features(known, block, alpha=1e-2, rng=np.random.default_rng(0)) for _ in range(2))
    assert first and second
    np.testing.assert_array_equal(first.columns, second.columns)
