"""Fitting a predictor: ridge on n-grams, boosted trees on dense features, blended by what each predicts out of fold.

The order of the work is the order of the functions: contrasts, n-gram part, tree part, blend, expenses.
Nothing here knows tables, files or MLflow; it takes arrays and returns a `Predictor`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from joblib import Parallel, cpu_count, delayed
from numpy.typing import NDArray
from scipy import sparse
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from threadpoolctl import threadpool_limits

from turnout.errors import TooFewRowsError
from turnout.features.ngrams import BUCKETS
from turnout.predictor.calibration import fit_calibration, to_probabilities
from turnout.predictor.expense import LogLinear
from turnout.predictor.linear import NgramModel
from turnout.predictor.model import STANDARD_CLIP, Blend, Predictor, blend_outputs
from turnout.predictor.trees import DEPTH, LEAVES, TESTS, Forest

Matrix = NDArray[np.float32]
Progress = Callable[[str], None]

# All settings below were chosen on pools of other language models than the eight that judge (docs/decisions.md).
RIDGE_PENALTY: Final = 3.0
RIDGE_FOLDS: Final = 5
BAGS: Final = 4
TREES_PER_BAG: Final = 60
LEARNING_RATE: Final = 0.08
MIN_SAMPLES_LEAF: Final = 20
LEAF_PENALTY: Final = 5.0
FEATURE_SHARE: Final = 0.2
EXPENSE_PENALTY: Final = 30.0
NOVELTY_QUANTILE: Final = 0.99
_TOLERANCE: Final = 1e-3


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Aligned rows, one for each prompt.

    dense : float32 (n, n_features). ngrams : CSR (n, BUCKETS) of counts. scores : float32 (n, n_candidates) in [0, 1],
    complete; columns run from cheapest to most expensive. groups : int (n,), rows of one group stay in one fold.
    seconds, cost_usd : float32 (n, n_candidates) with NaN where not measured, or None.
    """

    candidates: tuple[str, ...]
    dense: Matrix
    ngrams: sparse.csr_matrix
    scores: Matrix
    groups: NDArray[np.int64]
    seconds: Matrix | None = None
    cost_usd: Matrix | None = None


@dataclass(frozen=True, slots=True)
class Fitted:
    """A predictor and its predictions for the training rows, each made by parts that never saw the row's group."""

    predictor: Predictor
    out_of_fold: NDArray[np.float64]
    feature_gain: NDArray[np.float64]


def fit(
    data: TrainingData, info: Mapping[str, Any] | None = None, *, seed: int = 0, progress: Progress = lambda _: None
) -> Fitted:
    """Fit a predictor on complete scores.

    Returns:
        The predictor, out-of-fold probabilities (n, n_candidates) and the gain of each dense feature in the trees.

    Raises:
        TooFewRowsError: all prompts are of one group.
    """
    if len(np.unique(data.groups)) < 2:
        raise TooFewRowsError("fitting needs prompts of at least two groups, so that some can be held out")
    to_outputs, to_scores = contrasts(len(data.candidates))
    targets = data.scores @ to_outputs
    progress("n-grams")
    ngrams, ngram_out, novelty_limit = _fit_ngrams(data, seed)
    progress("trees")
    forest, tree_out, gain = _fit_trees(data, targets, seed)
    blend = _fit_blend(ngram_out @ to_outputs, tree_out, targets)
    out = blend_outputs(blend, ngram_out @ to_outputs, tree_out) @ to_scores
    calibration = fit_calibration(out, data.scores, assign_folds(data.groups, 2, seed + 3) == 0)
    progress("expenses")
    mean, std = data.dense.mean(0), np.maximum(data.dense.std(0), 1e-3)
    standard = np.clip((data.dense - mean) / std, -STANDARD_CLIP, STANDARD_CLIP)
    predictor = Predictor(
        candidates=data.candidates,
        ngrams=ngrams,
        forest=forest,
        blend=blend,
        calibration=calibration,
        to_outputs=to_outputs,
        to_scores=to_scores,
        feature_mean=mean,
        feature_std=std,
        seconds=_fit_expense(standard, data.seconds),
        cost_usd=_fit_expense(standard, data.cost_usd),
        novelty_limit=novelty_limit,
        info=dict(info or {}),
    )
    return Fitted(predictor, to_probabilities(out, calibration), gain)


def contrasts(n_candidates: int) -> tuple[Matrix, Matrix]:
    """The matrices from scores to outputs and back; scores -> outputs -> scores is the identity.

    Output 0 is the mean over candidates. With two candidates output 1 is half the gain of the second over the first;
    with more, output 1 + c is how far candidate c lies above the mean.
    """
    mean = np.full((n_candidates, 1), 1.0 / n_candidates)
    if n_candidates == 2:
        return (
            np.hstack([mean, [[-0.5], [0.5]]]).astype(np.float32),
            np.array([[1.0, 1.0], [-1.0, 1.0]], np.float32),
        )
    centre = np.eye(n_candidates) - 1.0 / n_candidates
    return np.hstack([mean, centre]).astype(np.float32), np.vstack([np.ones(n_candidates), centre]).astype(np.float32)


def assign_folds(groups: NDArray[np.int64], n_folds: int, seed: int) -> NDArray[np.int64]:
    """A fold for each row, shuffled, whole groups together: int64 (n,), values in [0, n_folds)."""
    values, position = np.unique(groups, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(values))
    return np.asarray((order % n_folds)[position], np.int64)


def _fit_ngrams(data: TrainingData, seed: int) -> tuple[NgramModel, Matrix, float]:
    """The n-gram model on all rows, its out-of-fold scores, and the novelty few held-out prompts exceed."""
    folds = assign_folds(data.groups, RIDGE_FOLDS, seed + 1)
    out = np.empty(data.scores.shape, np.float32)
    unseen = np.empty(len(out))
    for fold in range(RIDGE_FOLDS):
        inside, outside = folds != fold, folds == fold
        if not outside.any():
            continue
        model = _ridge(data.ngrams[inside], data.scores[inside])
        held = data.ngrams[outside]
        out[outside] = _tf_idf(held, model.idf) @ model.weights + model.intercept
        known = sparse.csr_matrix(
            ((model.idf[held.indices] > 0).astype(np.float32), held.indices, held.indptr), held.shape
        )
        unseen[outside] = 1.0 - np.asarray(known.sum(1)).ravel() / np.maximum(np.diff(held.indptr), 1)
    return _ridge(data.ngrams, data.scores), out, float(np.quantile(unseen, NOVELTY_QUANTILE))


def _ridge(counts: sparse.csr_matrix, scores: Matrix) -> NgramModel:
    document_share = np.bincount(counts.indices, minlength=BUCKETS)
    # Smoothed idf as in scikit-learn's TfidfTransformer: ln((1 + n) / (1 + df)) + 1.
    idf = np.where(document_share > 0, np.log((1 + counts.shape[0]) / (1 + document_share)) + 1, 0).astype(np.float32)
    seen = np.flatnonzero(idf)
    intercept = scores.mean(0)
    model = Ridge(alpha=RIDGE_PENALTY, solver="lsqr", tol=_TOLERANCE, fit_intercept=False)
    model.fit(_tf_idf(counts, idf)[:, seen], scores - intercept)
    weights = np.zeros((BUCKETS, scores.shape[1]), np.float32)
    weights[seen] = model.coef_.T
    return NgramModel(idf, weights, intercept.astype(np.float32))


def _tf_idf(counts: sparse.csr_matrix, idf: NDArray[np.float32]) -> sparse.csr_matrix:
    """The batch form of `linear.term_weights`: rows of unit length."""
    values = ((1.0 + np.log(counts.data)) * idf[counts.indices]).astype(np.float32)
    rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    length = np.sqrt(np.bincount(rows, values.astype(np.float64) ** 2, minlength=counts.shape[0]))
    length[length == 0] = 1.0
    return sparse.csr_matrix(((values / length[rows]).astype(np.float32), counts.indices, counts.indptr), counts.shape)


def _fit_trees(data: TrainingData, targets: Matrix, seed: int) -> tuple[Forest, Matrix, NDArray[np.float64]]:
    """One bag for each fold, trained on the other folds; served together, so out-of-fold predictions cost nothing."""
    folds = assign_folds(data.groups, BAGS, seed + 2)
    n_outputs = targets.shape[1]
    pairs = [(output, bag) for output in range(n_outputs) for bag in range(BAGS)]
    # Threads share the matrix, and each fit keeps to one core: with OpenMP's own threads one busy neighbour made the
    # same fits three to five times slower. scikit-learn swaps the process's warning filters in each: keep ours.
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("ignore")
        fitted = Parallel(n_jobs=cpu_count(), prefer="threads")(
            delayed(_fit_bag)(data.dense, targets[:, output], folds != bag, seed * BAGS + bag) for output, bag in pairs
        )
    bags: list[list[HistGradientBoostingRegressor]] = [[] for _ in range(n_outputs)]
    out = np.empty(targets.shape, np.float32)
    for (output, bag), (model, held_out) in zip(pairs, fitted, strict=True):
        bags[output].append(model)
        out[folds == bag, output] = held_out
    gain = np.zeros(data.dense.shape[1])
    for models in bags:
        for model in models:
            for (tree,) in model._predictors:
                tests = tree.nodes[~tree.nodes["is_leaf"].astype(bool)]
                np.add.at(gain, tests["feature_idx"], np.maximum(tests["gain"], 0))
    return _flatten(bags), out, gain / max(gain.sum(), 1e-12)


def _fit_bag(
    dense: Matrix, target: Matrix, inside: NDArray[np.bool_], seed: int
) -> tuple[HistGradientBoostingRegressor, Matrix]:
    """One bag, and its predictions for the rows outside it."""
    model = HistGradientBoostingRegressor(
        max_iter=TREES_PER_BAG,
        learning_rate=LEARNING_RATE,
        max_depth=DEPTH,
        max_leaf_nodes=LEAVES,
        min_samples_leaf=MIN_SAMPLES_LEAF,
        l2_regularization=LEAF_PENALTY,
        max_features=FEATURE_SHARE,
        early_stopping=False,
        random_state=seed,
    )
    with threadpool_limits(1, user_api="openmp"):
        model.fit(dense[inside], target[inside])
        return model, model.predict(dense[~inside]) if not inside.all() else np.empty(0, np.float32)


def _flatten(bags: list[list[HistGradientBoostingRegressor]]) -> Forest:
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


def _fit_blend(ngram_out: Matrix, tree_out: Matrix, targets: Matrix) -> Blend:
    """Equal weight to both parts after bringing each to unit spread; one slope and offset calibrate the sum.

    Fitting the two weights freely was no better on large tables and worse on small ones.
    """
    n_outputs = targets.shape[1]
    offset, ngram_gain, tree_gain = (np.zeros(n_outputs, np.float32) for _ in range(3))
    for output in range(n_outputs):
        ngram, tree, target = (matrix[:, output].astype(np.float64) for matrix in (ngram_out, tree_out, targets))
        inverse = [1.0 / part.std() if part.std() > 1e-9 else 0.0 for part in (ngram, tree)]
        total = ngram * inverse[0] + tree * inverse[1]
        centred = total - total.mean()
        spread = float(centred @ centred)
        slope = max(0.0, float(centred @ (target - target.mean())) / spread) if spread > 0 else 0.0
        ngram_gain[output], tree_gain[output] = slope * inverse[0], slope * inverse[1]
        offset[output] = target.mean() - slope * total.mean()
    return Blend(offset, ngram_gain, tree_gain)


def _fit_expense(standard: Matrix, values: Matrix | None) -> LogLinear | None:
    """Log-linear expectation for each candidate from the rows where it was measured; None where nothing was.

    A candidate measured on no row gets the mean of the others; a value of 0 (a local model's cost) counts as 1e-9.
    """
    if values is None or not np.isfinite(values).any() or float(np.nanmax(values)) <= 0:
        return None
    logs = np.log(np.maximum(values, 1e-9))
    n_candidates = values.shape[1]
    weights = np.zeros((standard.shape[1], n_candidates), np.float32)
    intercept, low, high = (np.full(n_candidates, np.nan, np.float32) for _ in range(3))
    for candidate in range(n_candidates):
        known = np.isfinite(logs[:, candidate])
        if not known.any():
            continue
        target = logs[known, candidate]
        model = Ridge(alpha=EXPENSE_PENALTY).fit(standard[known], target)
        residual = target - model.predict(standard[known])
        weights[:, candidate] = model.coef_
        intercept[candidate] = model.intercept_ + np.log(np.mean(np.exp(np.clip(residual, -5, 5))))
        low[candidate], high[candidate] = values[known, candidate].min(), values[known, candidate].max()
    for column in (intercept, low, high):
        column[np.isnan(column)] = np.nanmean(column)
    return LogLinear(weights, intercept, low, high)
