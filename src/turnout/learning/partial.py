"""Training from a log in which only the chosen candidate's score is known.

Unknown cells are filled with what direct models expect (`direct_blend`). A known score counts as far as its label can be
trusted. The result is a complete matrix, from which `predictor.fit` learns as from a table.

Doubly robust pseudo-outcomes, the known residual times its inverse propensity, are unbiased but so noisy that
predictors trained on them were the worst of all (docs/decisions.md); propensities weigh the direct model instead, and
are exact where policies are compared (`offpolicy`).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from turnout.errors import TooFewRowsError
from turnout.learning.direct_blend import expected_scores
from turnout.learning.logged import LoggedDecisions
from turnout.predictor.fit import TrainingData

HALF_LIFE_DAYS: Final = 90.0
"""A row of so many days ago counts half: language models and habits change within months."""

MIN_SUPPORT: Final = 20
"""A candidate with fewer known scores than this is no candidate of a trained predictor: nothing of it could be told
from the mean of all."""

Array = NDArray[np.float64]


def training_data(logged: LoggedDecisions, *, half_life_days: float | None = HALF_LIFE_DAYS) -> TrainingData:
    """Arrays for `predictor.fit` from the rows with a known score.

    Raises:
        TooFewRowsError: fewer than two candidates have `MIN_SUPPORT` known scores.
    """
    rows = np.flatnonzero(np.isfinite(logged.scores).any(1))
    kept = logged.take(rows)
    support = np.isfinite(kept.scores).sum(0)
    if (support >= MIN_SUPPORT).sum() < 2:
        told = ", ".join(f"{name}: {count}" for name, count in zip(logged.candidates, support.tolist(), strict=True))
        raise TooFewRowsError(
            f"learning needs two candidates with {MIN_SUPPORT} known results each; the history has {told or 'none'}"
        )
    weights = recency(kept.created_at, half_life_days)
    return TrainingData(
        candidates=kept.candidates,
        dense=kept.features.dense,
        ngrams=kept.features.ngrams,
        scores=completed(kept, expected_scores(kept, weights)),
        groups=kept.groups,
        seconds=kept.seconds if np.isfinite(kept.seconds).any() else None,
        weights=None if half_life_days is None else weights.astype(np.float32),
        known=kept.scores.astype(np.float32),
        answer_tokens=kept.answer_tokens if np.isfinite(kept.answer_tokens).any() else None,
    )


def completed(logged: LoggedDecisions, expected: Array) -> NDArray[np.float32]:
    """Every cell of the score matrix: float32 (n, k) in [0, 1].

    Args:
        expected: (n, k), by models that never saw the row's group.
    """
    known = np.isfinite(logged.scores)
    trust = np.where(known, np.minimum(logged.weights, 1.0), 0.0)
    return np.asarray(expected + trust * (np.nan_to_num(logged.scores) - expected)).astype(np.float32)


def recency(created_at: Array, half_life_days: float | None = HALF_LIFE_DAYS) -> Array:
    """What each row counts by its age against the newest: (n,), in (0, 1]; 1 for all where there is no half-life."""
    if half_life_days is None or not len(created_at):
        return np.ones(len(created_at))
    return np.asarray(0.5 ** ((created_at.max() - created_at) / (half_life_days * 86_400.0)))
