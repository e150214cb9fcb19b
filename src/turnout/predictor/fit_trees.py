"""Fitting the tree part: bags of scikit-learn's boosted trees, laid out flat for serving."""

from __future__ import annotations

import warnings
from typing import Any, Final

import numpy as np
from joblib import Parallel, cpu_count, delayed
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from turnout.predictor.folds import assign_folds
from turnout.predictor.settings import FitSettings
from turnout.predictor.trees import DEPTH, LEAVES, TESTS, Forest

BAGS: Final = 4

Matrix = NDArray[np.float32]


def fit_trees(
    dense: Matrix,
    targets: Matrix,
    groups: NDArray[np.int64],
    seed: int,
    weights: NDArray[np.float32] | None,
    settings: FitSettings,
) -> tuple[Forest, Matrix, NDArray[np.float64]]:
    """One bag for each fold, trained on the other folds; served together, so out-of-fold predictions cost nothing.

    Args:
        weights: what each row counts; None where all count the same.
    """
    folds = assign_folds(groups, BAGS, seed + 2)
    n_outputs = targets.shape[1]
    pairs = [(output, bag) for output in range(n_outputs) for bag in range(BAGS)]
    # Threads share the matrix, and each fit keeps to one core: with OpenMP's own threads one busy neighbour made the
    # same fits three to five times slower. scikit-learn swaps the process's warning filters in each: keep ours.
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("ignore")
        fitted = Parallel(n_jobs=cpu_count(), prefer="threads")(
            delayed(_fit_bag)(dense, targets[:, output], folds != bag, seed * BAGS + bag, weights, settings)
            for output, bag in pairs
        )
    bags: list[list[HistGradientBoostingRegressor]] = [[] for _ in range(n_outputs)]
    out = np.empty(targets.shape, np.float32)
    for (output, bag), (model, held_out) in zip(pairs, fitted, strict=True):
        bags[output].append(model)
        out[folds == bag, output] = held_out
    gain = np.zeros(dense.shape[1])
    for models in bags:
        for model in models:
            for (tree,) in model._predictors:
                tests = tree.nodes[~tree.nodes["is_leaf"].astype(bool)]
                np.add.at(gain, tests["feature_idx"], np.maximum(tests["gain"], 0))
    return flatten(bags), out, gain / max(gain.sum(), 1e-12)


def _fit_bag(
    dense: Matrix,
    target: Matrix,
    inside: NDArray[np.bool_],
    seed: int,
    weights: NDArray[np.float32] | None,
    settings: FitSettings,
) -> tuple[HistGradientBoostingRegressor, Matrix]:
    """One bag, and its predictions for the rows outside it.

    A row is kept with the probability of its weight, another draw for each bag: told the weights themselves, scikit-learn
    bins features by weighted quantiles, which took a hundred times longer than the fit.
    """
    rows = inside
    if weights is not None:
        rows = inside & (np.random.default_rng(seed).random(len(weights)) * weights.max() <= weights)
    model = HistGradientBoostingRegressor(
        max_iter=settings.trees_per_bag,
        learning_rate=settings.learning_rate,
        max_depth=DEPTH,
        max_leaf_nodes=LEAVES,
        min_samples_leaf=settings.min_samples_leaf,
        l2_regularization=settings.leaf_penalty,
        max_features=settings.feature_share,
        early_stopping=False,
        random_state=seed,
    )
    with threadpool_limits(1, user_api="openmp"):
        model.fit(dense[rows], target[rows])
        return model, model.predict(dense[~inside]) if not inside.all() else np.empty(0, np.float32)


def flatten(bags: list[list[HistGradientBoostingRegressor]]) -> Forest:
    """scikit-learn's trees as complete trees of fixed depth; leaves are averaged over the bags of an output."""
    trees = [(tree.nodes, 1.0 / len(models)) for models in bags for model in models for (tree,) in model._predictors]
    feature = np.zeros((len(trees), TESTS), np.int32)
    threshold = np.full((len(trees), TESTS), np.inf, np.float32)
    leaves = np.zeros((len(trees), LEAVES), np.float32)
    for row, (nodes, share) in enumerate(trees):
        _place(nodes, 0, 0, 0, share, feature[row], threshold[row], leaves[row])
    baseline = [np.mean([float(model._baseline_prediction.item()) for model in models]) for models in bags]
    return Forest(feature, threshold, leaves, np.array(baseline, np.float32))


def _place(
    nodes: NDArray[Any], node: int, level: int, position: int, share: float, feature: Any, threshold: Any, leaves: Any
) -> None:
    """Copy the subtree at `node` into the complete tree; `position` counts from the left within the level."""
    entry = nodes[node]
    if entry["is_leaf"]:
        # Padding tests send every row left, so the leaf stands at the left-most place below.
        leaves[position << (DEPTH - level)] = entry["value"] * share
        return
    test = (1 << level) - 1 + position
    feature[test] = entry["feature_idx"]
    limit = np.float32(entry["num_threshold"])
    # float32 features compare with the float64 threshold exactly as with the nearest float32 below it.
    threshold[test] = limit if limit <= entry["num_threshold"] else np.nextafter(limit, np.float32(-np.inf))
    _place(nodes, int(entry["left"]), level + 1, 2 * position, share, feature, threshold, leaves)
    _place(nodes, int(entry["right"]), level + 1, 2 * position + 1, share, feature, threshold, leaves)
