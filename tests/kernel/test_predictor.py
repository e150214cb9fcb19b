"""Scores, trees, calibration and expense: compiled, they differ from NumPy's by rounding at most."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from tests.kernel.both import both, compiled_only

from turnout.features import extract
from turnout.predictor import Predictor
from turnout.predictor.blend import Blend
from turnout.predictor.calibration import Calibration, to_probabilities
from turnout.predictor.expense import LogLinear
from turnout.predictor.linear import NgramModel
from turnout.predictor.trees import Forest

pytestmark = compiled_only

SEEDS = st.integers(0, 10_000)


def test_predictions_of_real_prompts_are_the_same(small_fitted: Any, prompts: tuple[str, ...]) -> None:
    predictor: Predictor = small_fitted.predictor
    predictor = replace(predictor, cost_usd=predictor.seconds)
    for prompt in prompts[:300]:
        compiled, defined = both(predictor.predict, extract(prompt))
        assert compiled.novelty == defined.novelty
        for name in ("p_success", "seconds", "cost_usd"):
            one, other = getattr(compiled, name), getattr(defined, name)
            assert one.dtype == other.dtype and one.shape == other.shape
            np.testing.assert_allclose(one, other, rtol=1e-5, err_msg=name)


def floats(rng: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    return rng.standard_normal(shape).astype(np.float32)


@given(SEEDS, st.integers(0, 60), st.integers(1, 7))
def test_ngram_scores_are_the_same(seed: int, n_buckets: int, n_candidates: int) -> None:
    rng = np.random.default_rng(seed)
    idf = np.maximum(floats(rng, 100), 0)
    model = NgramModel(idf, floats(rng, 100, n_candidates), floats(rng, n_candidates))
    buckets = np.sort(rng.choice(100, n_buckets, replace=False))
    counts = np.maximum(rng.poisson(1.0, n_buckets), 1)
    (scores, unseen), (defined, known) = both(model.predict_one, buckets, counts)
    assert unseen == pytest.approx(known, abs=1e-12) and scores.dtype == defined.dtype
    np.testing.assert_allclose(scores, defined, rtol=1e-5, atol=1e-6)


@given(SEEDS, st.integers(1, 4), st.integers(0, 30))
def test_trees_give_the_same(seed: int, n_outputs: int, n_trees: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.array([-1, 0, 0.5, 1, np.inf], np.float32)
    forest = Forest(
        rng.integers(0, 9, (n_trees * n_outputs, 7)).astype(np.int32),
        rng.choice(values, (n_trees * n_outputs, 7)),
        floats(rng, n_trees * n_outputs, 8),
        floats(rng, n_outputs),
    )
    for row in (rng.choice(values[:-1], 9), floats(rng, 9)):
        compiled, defined = both(forest.predict_one, row)
        assert compiled.dtype == defined.dtype and compiled.shape == defined.shape
        np.testing.assert_allclose(compiled, defined, rtol=1e-5, atol=1e-6)


@given(arrays.arrays(np.float32, st.integers(1, 7), elements=st.floats(-3, 4, width=32)), SEEDS)
def test_probabilities_are_the_same(scores: NDArray[np.float32], seed: int) -> None:
    rng = np.random.default_rng(seed)
    compiled, defined = both(to_probabilities, scores)
    np.testing.assert_array_equal(compiled, defined)
    for n_knots in (1, 2, 9):
        knots = np.sort(rng.choice(20, (len(scores), n_knots)).astype(np.float32) / 20, axis=1)
        curves = Calibration(knots, np.sort(rng.random((len(scores), n_knots)).astype(np.float32), axis=1))
        compiled, defined = both(to_probabilities, scores, curves)
        assert compiled.dtype == defined.dtype == np.float64
        np.testing.assert_allclose(compiled, defined, rtol=1e-5, atol=1e-7)


@given(SEEDS, st.integers(1, 6), st.integers(0, 40))
def test_expenses_are_the_same(seed: int, n_candidates: int, n_features: int) -> None:
    rng = np.random.default_rng(seed)
    low = np.exp(floats(rng, n_candidates) - 2)
    model = LogLinear(floats(rng, n_features, n_candidates), floats(rng, n_candidates), low, low * 50)
    compiled, defined = both(model.predict_one, floats(rng, n_features))
    assert compiled.dtype == defined.dtype
    np.testing.assert_allclose(compiled, defined, rtol=1e-4)


def test_arrays_of_any_layout_can_be_served() -> None:
    rng = np.random.default_rng(0)
    weights = np.asfortranarray(rng.standard_normal((50, 3)))
    model = NgramModel(np.ones(100)[::2], weights, np.zeros(3))
    assert model.weights.flags.c_contiguous and model.weights.dtype == model.idf.dtype == np.float32
    (scores, _), (expected, _) = both(model.predict_one, np.array([1, 2]), np.array([1, 3]))
    np.testing.assert_allclose(scores, expected, rtol=1e-5)
    forest = Forest(np.zeros((4, 7), np.int64), np.zeros((4, 7)), np.asfortranarray(rng.random((4, 8))), np.zeros(2))
    compiled, defined = both(forest.predict_one, np.ones(3, np.float32))
    np.testing.assert_allclose(compiled, defined, rtol=1e-5)
    assert Blend(np.zeros(2), np.ones(4)[::2], np.ones(2)).ngram_gain.flags.c_contiguous
