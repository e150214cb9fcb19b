"""Fitting the linear part: ridge on TF-IDF of hashed n-grams."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.linear_model import Ridge

from turnout.features.ngrams import BUCKETS
from turnout.predictor.folds import assign_folds
from turnout.predictor.linear import NgramModel

RIDGE_PENALTY: Final = 3.0
RIDGE_FOLDS: Final = 5
NOVELTY_QUANTILE: Final = 0.99
_TOLERANCE: Final = 1e-3

Matrix = NDArray[np.float32]


def fit_ngrams(
    ngrams: sparse.csr_matrix, scores: Matrix, groups: NDArray[np.int64], seed: int
) -> tuple[NgramModel, Matrix, float]:
    """The n-gram model on all rows, its out-of-fold scores, and the novelty few held-out prompts exceed."""
    folds = assign_folds(groups, RIDGE_FOLDS, seed + 1)
    out = np.empty(scores.shape, np.float32)
    unseen = np.empty(len(out))
    for fold in range(RIDGE_FOLDS):
        inside, outside = folds != fold, folds == fold
        if not outside.any():
            continue
        model = _ridge(ngrams[inside], scores[inside])
        held = ngrams[outside]
        out[outside] = _tf_idf(held, model.idf) @ model.weights + model.intercept
        known = sparse.csr_matrix(
            ((model.idf[held.indices] > 0).astype(np.float32), held.indices, held.indptr), held.shape
        )
        unseen[outside] = 1.0 - np.asarray(known.sum(1)).ravel() / np.maximum(np.diff(held.indptr), 1)
    return _ridge(ngrams, scores), out, float(np.quantile(unseen, NOVELTY_QUANTILE))


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
