"""Scores become probabilities: finite, inside (0, 1), in the order of the scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from turnout.predictor.calibration import Calibration, fit_calibration, to_probabilities

Matrix = NDArray[np.float32]

matrices = arrays.arrays(
    np.float32, st.tuples(st.integers(1, 6), st.integers(2, 5)), elements=st.floats(-3, 4, width=32)
)


def two_camps(n: int, seed: int = 0) -> tuple[Matrix, Matrix]:
    """Scores of 0.1 to 0.9 for prompts that nearly always fail or nearly always pass."""
    rng = np.random.default_rng(seed)
    scores = rng.uniform(0.1, 0.9, (n, 2)).astype(np.float32)
    chance = np.where(scores > 0.5, 0.97, 0.03)
    return scores, (rng.random((n, 2)) < chance).astype(np.float32)


@given(matrices)
def test_any_scores_become_probabilities(scores: Matrix) -> None:
    p = to_probabilities(scores)
    assert p.dtype == np.float64 and p.shape == scores.shape
    assert np.isfinite(p).all()
    assert (p > 0).all() and (p < 1).all()


@given(matrices)
def test_small_spreads_keep_the_order_of_the_candidates(scores: Matrix) -> None:
    scores = scores[scores.max(1) - scores.min(1) < 0.9]
    p = to_probabilities(scores)
    for before, after in zip(scores.astype(np.float64), p, strict=True):
        apart = before[:, None] - before > 1e-6
        assert (after[:, None] > after)[apart].all()


@given(matrices)
def test_one_row_gives_what_it_gives_among_others(scores: Matrix) -> None:
    together = to_probabilities(scores)
    np.testing.assert_array_equal(together, [to_probabilities(row) for row in scores])


def test_curves_are_fitted_where_prompts_fall_into_two_camps() -> None:
    scores, targets = two_camps(1200)
    calibration = fit_calibration(scores, targets, np.arange(1200) % 2 == 0)
    assert calibration is not None
    fresh, outcome = two_camps(1200, seed=1)
    before, after = to_probabilities(fresh), to_probabilities(fresh, calibration)
    assert ((after - outcome) ** 2).mean() < 0.8 * ((before - outcome) ** 2).mean()


def test_scores_that_are_calibrated_already_are_left_alone() -> None:
    rng = np.random.default_rng(0)
    scores = rng.uniform(0.05, 0.95, (1200, 2)).astype(np.float32)
    targets = (rng.random((1200, 2)) < scores).astype(np.float32)
    assert fit_calibration(scores, targets, np.arange(1200) % 2 == 0) is None


@pytest.mark.parametrize("n", [2, 40, 300])
def test_few_prompts_get_no_curves(n: int) -> None:
    assert fit_calibration(*two_camps(n), np.arange(n) % 2 == 0) is None


def test_all_prompts_in_one_half_get_no_curves() -> None:
    assert fit_calibration(*two_camps(1200), np.ones(1200, bool)) is None


@given(arrays.arrays(np.float32, (9, 2), elements=st.floats(-5, 5, width=32)))
def test_curves_stay_inside_and_rise(scores: Matrix) -> None:
    knots = np.array([[0.1, 0.4, 0.8], [0.0, 0.5, 1.0]], np.float32)
    values = np.array([[0.0, 0.5, 0.5], [0.2, 0.2, 0.9]], np.float32)
    p = to_probabilities(scores, Calibration(knots, values))
    assert np.isfinite(p).all() and (p > 0).all() and (p < 1).all()
    for candidate in range(2):
        order = np.argsort(scores[:, candidate], kind="stable")
        assert (np.diff(p[order, candidate]) >= 0).all()


def test_equal_steps_of_a_curve_do_not_tie() -> None:
    flat = Calibration(np.array([[0.0, 0.5, 1.0]], np.float32), np.full((1, 3), 0.5, np.float32))
    p = to_probabilities(np.array([[0.3], [0.4], [0.5]], np.float32), flat)
    assert (np.diff(p[:, 0]) > 0).all()
