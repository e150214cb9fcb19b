"""The n-gram part against scikit-learn's TF-IDF and ridge on dense matrices."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import Ridge

from turnout.features.ngrams import BUCKETS
from turnout.predictor.fit import TrainingData, fit
from turnout.predictor.linear import NgramModel, term_weights
from turnout.predictor.settings import FitSettings

Plant = Callable[..., tuple[TrainingData, NDArray[np.bool_]]]

WIDTH = 40


def reference(train: NDArray[np.int64], row: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """The idf learned from `train`, 0 for what it never holds, and the TF-IDF of `row`, both from scikit-learn."""
    seen = train.any(0)
    tfidf = TfidfTransformer(sublinear_tf=True).fit(train)
    return np.where(seen, tfidf.idf_, 0).astype(np.float32), tfidf.transform((row * seen)[None]).toarray()[0]


@given(st.integers(0, 10_000))
def test_term_weights_are_those_of_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    train = rng.poisson(0.3, (12, WIDTH))
    row = rng.poisson(0.4, WIDTH)
    idf, expected = reference(train, row)
    buckets = np.flatnonzero(row)
    values, unseen = term_weights(idf, buckets, row[buckets])
    np.testing.assert_allclose(values, expected[buckets], atol=1e-6)
    known = train.any(0)[buckets]
    assert unseen == pytest.approx(1 - known.mean() if len(buckets) else 1.0)


def test_weights_have_unit_length() -> None:
    idf = np.linspace(1, 3, WIDTH).astype(np.float32)
    values, _ = term_weights(idf, np.array([1, 5, 9]), np.array([1, 4, 2]))
    assert values.dtype == np.float32
    assert float(values @ values) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("buckets", "counts", "share"),
    [([0, 1], [1, 1], 0.0), ([0, 1, 2, 3], [1, 2, 1, 9], 0.5), ([2, 3], [1, 5], 1.0), ([], [], 1.0)],
    ids=["all known", "half known", "none known", "no n-grams at all"],
)
def test_the_unseen_share_counts_distinct_ngrams(buckets: list[int], counts: list[int], share: float) -> None:
    model = NgramModel(
        idf=np.array([1.5, 2.0, 0.0, 0.0], np.float32),
        weights=np.ones((4, 3), np.float32),
        intercept=np.array([0.1, 0.2, 0.3], np.float32),
    )
    scores, unseen = model.predict_one(np.array(buckets, np.int64), np.array(counts, np.int64))
    assert unseen == share
    assert scores.shape == (3,)
    if share == 1.0:
        np.testing.assert_array_equal(scores, model.intercept)


def test_the_fitted_part_is_a_ridge_on_tfidf(plant: Plant) -> None:
    data, _ = plant(80, measured=False)
    counts = data.ngrams
    seen = np.unique(counts.indices)
    assert seen.max() < BUCKETS
    dense = TfidfTransformer(sublinear_tf=True).fit_transform(counts[:, seen]).toarray()
    mean = data.scores.mean(0)
    ridge = Ridge(alpha=FitSettings().ridge_penalty, fit_intercept=False, solver="cholesky").fit(
        dense, data.scores - mean
    )
    ngrams = fit(data).predictor.ngrams
    for row in range(0, 80, 7):
        at = slice(counts.indptr[row], counts.indptr[row + 1])
        scores, unseen = ngrams.predict_one(counts.indices[at].astype(np.int64), counts.data[at].astype(np.int64))
        assert unseen == 0
        np.testing.assert_allclose(scores, dense[row] @ ridge.coef_.T + mean, atol=5e-3)
