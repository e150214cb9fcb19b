"""The direct model of a partial log: what each candidate would score on each request, out of what the chosen ones did.

One ridge for how hard a request is, shared by all candidates, and one for how each departs from that. The first learns
from every row, the second only from a candidate's own: few rows shift a candidate as a whole and leave the rest to
what is known of all. Closed form on the dense features, so that a million rows take seconds: this is the model under the
estimators. Training, where each point counts, has better ones (`direct_blend`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from turnout.learning.logged import LoggedDecisions
from turnout.predictor.folds import assign_folds
from turnout.predictor.model import STANDARD_CLIP

LEVEL_PENALTY: Final = 100.0
CONTRAST_PENALTY: Final = 1000.0
"""Ridge penalties on standardised features; chosen on development pools (docs/decisions.md)."""

PRIOR_ROWS: Final = 5.0
"""A candidate's mean counts as if so many rows with the mean of all had been seen beside its own."""

MIN_CONTRAST_ROWS: Final = 10
MAX_FIT_WEIGHT: Final = 5.0
"""Inverse propensities are clipped here when fitting: what is seldom tried speaks louder, but not alone."""

FOLDS: Final = 5
_CHUNK: Final = 50_000

Array = NDArray[np.float64]
Cells: TypeAlias = tuple[NDArray[np.int64], Array, Array]
"""Rows on which a candidate's score is known, the scores, and what each counts."""


@dataclass(frozen=True, slots=True)
class DirectModel:
    """Expected score = mean of the candidate + level of the request + the candidate's contrast, within [0, 1].

    feature_mean, feature_std : (n_features,). mean : (k,). level : (n_features,). contrast : (n_features, k).
    """

    feature_mean: Array
    feature_std: Array
    mean: Array
    level: Array
    contrast: Array

    def expected(self, dense: NDArray[np.float32]) -> Array:
        """Expected scores of shape (n, k)."""
        weights = self.level[:, None] + self.contrast
        parts = [
            standardised(dense[at : at + _CHUNK], self.feature_mean, self.feature_std) @ weights
            for at in range(0, len(dense), _CHUNK)
        ]
        linear = np.concatenate(parts) if parts else np.empty((0, len(self.mean)))
        return np.clip(self.mean + linear, 0.0, 1.0)


def expected_scores(logged: LoggedDecisions, row_weights: Array | None = None, *, seed: int = 0) -> Array:
    """Expected scores of every row by models that never saw its group: (n, k).

    Args:
        row_weights: see `fit_direct`.
    """
    folds = assign_folds(logged.groups, FOLDS, seed + 11)
    expected = np.empty((len(logged), len(logged.candidates)))
    for fold in range(FOLDS):
        inside, outside = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        model = fit_direct(logged, inside, row_weights)
        expected[outside] = model.expected(logged.features.dense[outside])
    return expected


def fit_direct(logged: LoggedDecisions, rows: NDArray[np.int64], row_weights: Array | None = None) -> DirectModel:
    """Fit on the known scores of the given rows.

    Args:
        row_weights: (n,), what each row of the log counts, recency say; 1 by default.
    """
    dense, k = logged.features.dense, len(logged.candidates)
    centre = dense[rows].mean(0, dtype=np.float64) if len(rows) else np.zeros(dense.shape[1])
    spread = np.maximum(dense[rows].std(0, dtype=np.float64), 1e-3) if len(rows) else np.ones(dense.shape[1])
    cells = [known_cells(logged, rows, candidate, row_weights) for candidate in range(k)]
    mean = candidate_means(cells)
    moments = [_moments(dense, at, score - mean[c], w, centre, spread) for c, (at, score, w) in enumerate(cells)]
    gram, cross = (np.sum(parts, axis=0) for parts in zip(*moments, strict=True))
    level = _ridge(gram, cross, LEVEL_PENALTY)
    contrast = np.zeros((dense.shape[1], k))
    for candidate, ((at, _, _), (gram, cross)) in enumerate(zip(cells, moments, strict=True)):
        if len(at) >= MIN_CONTRAST_ROWS:
            contrast[:, candidate] = _ridge(gram, cross - gram @ level, CONTRAST_PENALTY)
    return DirectModel(centre, spread, mean, level, contrast)


def known_cells(logged: LoggedDecisions, rows: NDArray[np.int64], candidate: int, row_weights: Array | None) -> Cells:
    """What is known of one candidate on the given rows."""
    known = rows[np.isfinite(logged.scores[rows, candidate])]
    chosen = logged.chosen[known] == candidate
    # Whoever was asked after another one has no propensity of its own; such a row speaks for itself alone.
    weight = np.where(chosen, np.minimum(1.0 / logged.propensity[known], MAX_FIT_WEIGHT), 1.0)
    weight = weight * logged.weights[known, candidate]
    if row_weights is not None:
        weight = weight * row_weights[known]
    return known, logged.scores[known, candidate].astype(np.float64), weight


def candidate_means(cells: Sequence[Cells]) -> Array:
    """The mean score of each candidate, drawn to the mean of all by `PRIOR_ROWS`: (k,)."""
    total = sum(float(weight.sum()) for _, _, weight in cells)
    overall = sum(float(weight @ score) for _, score, weight in cells) / total if total > 0 else 0.5
    return np.array(
        [(float(w @ score) + PRIOR_ROWS * overall) / (float(w.sum()) + PRIOR_ROWS) for _, score, w in cells]
    )


def _moments(
    dense: NDArray[np.float32], at: NDArray[np.int64], target: Array, weight: Array, centre: Array, spread: Array
) -> tuple[Array, Array]:
    """X'WX and X'Wy over standardised features, by chunks."""
    gram, cross = np.zeros((dense.shape[1], dense.shape[1])), np.zeros(dense.shape[1])
    for start in range(0, len(at), _CHUNK):
        part = slice(start, start + _CHUNK)
        standard = standardised(dense[at[part]], centre, spread)
        weighted = standard * weight[part, None]
        gram += weighted.T @ standard
        cross += weighted.T @ target[part]
    return gram, cross


def standardised(dense: NDArray[np.float32], centre: Array, spread: Array) -> Array:
    """Dense features in standard deviations from their centre, clipped: (n, n_features)."""
    return np.asarray(np.clip((dense - centre) / spread, -STANDARD_CLIP, STANDARD_CLIP))


def _ridge(gram: Array, cross: Array, penalty: float) -> Array:
    return np.asarray(np.linalg.solve(gram + penalty * np.eye(len(gram)), cross))
