"""The flat walk against scikit-learn's own prediction."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor

from turnout.predictor import trees
from turnout.predictor.fit_trees import flatten
from turnout.predictor.trees import DEPTH, LEAVES, Forest

Matrix = NDArray[np.float32]


def grow(X: Matrix, y: NDArray[np.float64], seed: int = 0, **settings: object) -> HistGradientBoostingRegressor:
    """Trees as the fit grows them, fewer of them."""
    defaults = {"max_iter": 12, "max_depth": DEPTH, "max_leaf_nodes": LEAVES, "min_samples_leaf": 2}
    return HistGradientBoostingRegressor(**(defaults | settings), early_stopping=False, random_state=seed).fit(X, y)


def thresholds(model: HistGradientBoostingRegressor) -> NDArray[np.float64]:
    nodes = np.concatenate([tree.nodes for (tree,) in model._predictors])
    return np.unique(nodes["num_threshold"][nodes["is_leaf"] == 0])


def agree(forest: Forest, X: Matrix, *models: HistGradientBoostingRegressor) -> None:
    """Many rows and one row give what the models give, each model being one output."""
    expected = np.stack([model.predict(X) for model in models], axis=1)
    np.testing.assert_allclose(forest.predict(X), expected, atol=1e-5, rtol=0)
    np.testing.assert_allclose([forest.predict_one(row) for row in X], expected, atol=1e-5, rtol=0)


def test_random_rows_give_what_scikit_learn_gives() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 20)).astype(np.float32)
    y = np.sin(X[:, 0]) + X[:, 1] * (X[:, 2] > 0)
    model = grow(X, y, max_iter=60, min_samples_leaf=20)
    agree(flatten([[model]]), rng.standard_normal((300, 20)).astype(np.float32), model)


def test_rows_that_equal_a_threshold_go_the_same_way() -> None:
    rng = np.random.default_rng(1)
    X = rng.integers(0, 5, (200, 4)).astype(np.float32) / np.float32(3)
    model = grow(X, rng.random(200))
    exact = np.repeat(thresholds(model).astype(np.float32)[:, None], 4, axis=1)
    around = [np.nextafter(exact, np.float32(side)) for side in (-np.inf, np.inf)]
    agree(flatten([[model]]), np.concatenate([X, exact, *around]), model)


VALUES = st.one_of(
    st.sampled_from([0.0, -0.0, 0.1, 1 / 3, 1.0, 16777216.0, 16777218.0, 1e-30, -1e6]).map(np.float32),
    st.floats(-1e6, 1e6, width=32),
)


@settings(max_examples=40, deadline=None)
@given(
    X=arrays.arrays(np.float32, st.tuples(st.integers(6, 40), st.just(3)), elements=VALUES),
    seed=st.integers(0, 1000),
)
def test_any_float32_goes_the_way_scikit_learn_sends_it(X: Matrix, seed: int) -> None:
    model = grow(X, np.random.default_rng(seed).random(len(X)), seed)
    limits = thresholds(model).astype(np.float32)
    near = np.concatenate([limits, np.nextafter(limits, np.float32(-np.inf)), np.nextafter(limits, np.float32(np.inf))])
    agree(flatten([[model]]), np.concatenate([X, np.repeat(near[:, None], 3, axis=1)]), model)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_shallower_trees_are_padded(depth: int) -> None:
    rng = np.random.default_rng(depth)
    X = rng.standard_normal((150, 5)).astype(np.float32)
    model = grow(X, X[:, 0] + rng.random(150), max_depth=depth)
    agree(flatten([[model]]), X, model)


def test_a_constant_target_gives_the_constant() -> None:
    X = np.random.default_rng(0).standard_normal((60, 3)).astype(np.float32)
    model = grow(X, np.full(60, 0.25))
    forest = flatten([[model]])
    agree(forest, X, model)
    np.testing.assert_allclose(forest.predict(X), 0.25, atol=1e-6)


def test_columns_that_never_vary_give_leaves_without_tests() -> None:
    X = np.ones((50, 2), np.float32)
    model = grow(X, np.random.default_rng(0).random(50))
    agree(flatten([[model]]), np.array([[1, 1], [5, -5]], np.float32), model)


def test_bags_of_an_output_are_averaged_and_outputs_kept_apart() -> None:
    rng = np.random.default_rng(2)
    X = rng.standard_normal((120, 6)).astype(np.float32)
    bags = [[grow(X, X[:, output] + rng.random(120), seed) for seed in range(3)] for output in range(2)]
    forest = flatten(bags)
    expected = np.stack([np.mean([model.predict(X) for model in models], axis=0) for models in bags], axis=1)
    np.testing.assert_allclose(forest.predict(X), expected, atol=1e-5)
    np.testing.assert_allclose([forest.predict_one(row) for row in X], expected, atol=1e-5)


def test_blocks_of_rows_give_the_same_as_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    X = rng.standard_normal((101, 4)).astype(np.float32)
    forest = flatten([[grow(X, rng.random(101))]])
    whole = forest.predict(X)
    monkeypatch.setattr(trees, "_BLOCK_TESTS", 7 * len(forest.feature) * 10)
    np.testing.assert_array_equal(forest.predict(X), whole)


def test_no_rows_give_no_outputs() -> None:
    X = np.random.default_rng(4).standard_normal((40, 2)).astype(np.float32)
    forest = flatten([[grow(X, X[:, 0])]])
    assert forest.predict(X[:0]).shape == (0, 1)
