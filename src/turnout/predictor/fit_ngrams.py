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

RIDGE_FOLDS: Final = 5
NOVELTY_QUANTILE: Final = 0.99
_TOLERANCE: Final = 1e-3

Matrix = NDArray[np.float32]


def fit_ngrams(
    ngrams: sparse.csr_matrix,
    scores: Matrix,
    groups: NDArray[np.int64],
    seed: int,
    weights: NDArray[np.float32] | None = None,
    *,
    penalty: float,
) -> tuple[NgramModel, Matrix, float]:
    """The n-gram model on all rows, its out-of-fold scores, and the novelty few held-out prompts exceed.

    Args:
        weights: what each row counts; None where all count the same.
        penalty: of the squared weights, see `FitSettings.ridge_penalty`.
    """
    folds = assign_folds(groups, RIDGE_FOLDS, seed + 1)
    out = np.empty(scores.shape, np.float32)
    unseen = np.empty(len(out))
    for fold in range(RIDGE_FOLDS):
        inside, outside = folds != fold, folds == fold
        if not outside.any():
            continue
        model = fit_ridge(ngrams[inside], scores[inside], None if weights is None else weights[inside], penalty)
        held = ngrams[outside]
        out[outside] = tf_idf(held, model.idf) @ model.weights + model.intercept
        known = sparse.csr_matrix(
            ((model.idf[held.indices] > 0).astype(np.float32), held.indices, held.indptr), held.shape
        )
        unseen[outside] = 1.0 - np.asarray(known.sum(1)).ravel() / np.maximum(np.diff(held.indptr), 1)
    return fit_ridge(ngrams, scores, weights, penalty), out, float(np.quantile(unseen, NOVELTY_QUANTILE))


def fit_ridge(
    counts: sparse.csr_matrix, scores: Matrix, weights: NDArray[np.float32] | None, penalty: float
) -> NgramModel:
    """Ridge of scores (n, n_outputs) on the TF-IDF of n-gram counts."""
    idf = inverse_document_frequency(counts)
    seen = np.flatnonzero(idf)
    intercept = np.average(scores, axis=0, weights=weights)
    model = Ridge(alpha=penalty, solver="lsqr", tol=_TOLERANCE, fit_intercept=False)
    model.fit(tf_idf(counts, idf)[:, seen], scores - intercept, sample_weight=weights)
    slopes = np.zeros((BUCKETS, scores.shape[1]), np.float32)
    slopes[seen] = model.coef_.reshape(scores.shape[1], -1).T  # scikit-learn squeezes a single output away
    return NgramModel(idf, slopes, intercept.astype(np.float32))


def inverse_document_frequency(counts: sparse.csr_matrix) -> NDArray[np.float32]:
    """Smoothed as in scikit-learn's TfidfTransformer, ln((1 + n) / (1 + df)) + 1, and 0 where unseen: (BUCKETS,)."""
    documents = np.bincount(counts.indices, minlength=BUCKETS)
    return np.where(documents > 0, np.log((1 + counts.shape[0]) / (1 + documents)) + 1, 0).astype(np.float32)


def tf_idf(counts: sparse.csr_matrix, idf: NDArray[np.float32]) -> sparse.csr_matrix:
    """The batch form of `linear.term_weights`: rows of unit length."""
    values = ((1.0 + np.log(counts.data)) * idf[counts.indices]).astype(np.float32)
    rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    length = np.sqrt(np.bincount(rows, values.astype(np.float64) ** 2, minlength=counts.shape[0]))
    length[length == 0] = 1.0
    return sparse.csr_matrix(((values / length[rows]).astype(np.float32), counts.indices, counts.indptr), counts.shape)
