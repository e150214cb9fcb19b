"""The direct model of a partial log over n-grams and dense features: slower than `direct`, and better to learn from.

One of the two that `direct_blend` mixes. The same parts: means of the candidates, a ridge for the level of a request that all
share, and for each candidate a more strongly penalised ridge for what the level leaves.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.linear_model import Ridge

from turnout.learning.direct import MIN_CONTRAST_ROWS, Array, candidate_means, known_cells
from turnout.learning.logged import LoggedDecisions
from turnout.predictor.fit_ngrams import inverse_document_frequency, tf_idf
from turnout.predictor.model import STANDARD_CLIP

LEVEL_PENALTY: Final = 3.0
CONTRAST_PENALTY: Final = 20.0
NGRAM_SCALE: Final = 1.5
DENSE_SCALE: Final = 0.1
"""Penalties, and the scales that let n-grams and dense features share them; chosen on development pools."""

_TOLERANCE: Final = 1e-3


def expected(
    logged: LoggedDecisions, inside: NDArray[np.int64], outside: NDArray[np.int64], row_weights: Array | None
) -> Array:
    """Fitted on the rows inside, for those outside: (len(outside), k), not bounded."""
    cells = [known_cells(logged, inside, candidate, row_weights) for candidate in range(len(logged.candidates))]
    means = candidate_means(cells)
    found = np.tile(means, (len(outside), 1))
    if not len(inside) or not len(outside):
        return found
    design = _Design(logged, inside)
    held = design.of(logged, outside)
    parts = [(design.of(logged, at), score - means[c], weight) for c, (at, score, weight) in enumerate(cells)]
    known = [part for part in parts if len(part[1])]
    if not known:
        return found
    level = _ridge(
        sparse.vstack([rows for rows, _, _ in known]).tocsr(),
        np.concatenate([target for _, target, _ in known]),
        np.concatenate([weight for _, _, weight in known]),
        LEVEL_PENALTY,
    )
    found += level.predict(held)[:, None]
    for candidate, (rows, target, weight) in enumerate(parts):
        if len(target) >= MIN_CONTRAST_ROWS:
            own = _ridge(rows, target - level.predict(rows), weight, CONTRAST_PENALTY)
            found[:, candidate] += own.predict(held)
    return found


class _Design:
    """Rows of TF-IDF and standardised dense features, by the frequencies and spreads of the rows it is made of."""

    def __init__(self, logged: LoggedDecisions, rows: NDArray[np.int64]) -> None:
        features = logged.features
        self._idf = inverse_document_frequency(features.ngrams[rows])
        self._seen = np.flatnonzero(self._idf)
        self._mean = features.dense[rows].mean(0)
        self._spread = np.maximum(features.dense[rows].std(0), 1e-3)

    def of(self, logged: LoggedDecisions, rows: NDArray[np.int64]) -> sparse.csr_matrix:
        """The design of the given rows: CSR (len(rows), n-grams seen + n_features)."""
        features = logged.features
        dense = np.clip((features.dense[rows] - self._mean) / self._spread, -STANDARD_CLIP, STANDARD_CLIP)
        ngrams = tf_idf(features.ngrams[rows], self._idf)[:, self._seen]
        return sparse.hstack([NGRAM_SCALE * ngrams, sparse.csr_matrix(DENSE_SCALE * dense)]).tocsr()


def _ridge(rows: sparse.csr_matrix, target: Array, weight: Array, penalty: float) -> Ridge:
    return Ridge(alpha=penalty, solver="lsqr", tol=_TOLERANCE).fit(rows, target, sample_weight=weight)
