"""Training from a log in which only the chosen candidate's score is known.

Unknown cells are filled with what the direct model expects, moved by how far the known score of the same row lies from
*its* expectation: a request that went worse than expected is a harder one, for the others too. A known score counts as
far as its label can be trusted. The result is a complete matrix, from which `predictor.fit` learns as from a table.

Doubly robust pseudo-outcomes, the known residual times its inverse propensity, are unbiased but so noisy that
predictors trained on them were the worst of all (docs/decisions.md); propensities weigh the direct model instead, and
are exact where policies are compared (`offpolicy`).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from turnout.errors import TooFewRowsError
from turnout.learning.direct_text import expected_scores
from turnout.learning.logged import LoggedDecisions
from turnout.predictor.fit import TrainingData

SHARED: Final = 0.8
"""How much of a known residual is taken over by the unknown candidates of its row; chosen on development pools."""

HALF_LIFE_DAYS: Final = 90.0
"""A row of so many days ago counts half: language models and habits change within months."""

MIN_SUPPORT: Final = 20
"""A candidate with fewer known scores than this is no candidate of a trained predictor: nothing of it could be told
from the mean of all."""

_TINY: Final = 1e-9

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
    trust = np.where(known, logged.weights, 0.0).astype(np.float64)
    residual = np.where(known, np.nan_to_num(logged.scores) - expected, 0.0)
    total = trust.sum(1, keepdims=True)
    shared = (trust * residual).sum(1, keepdims=True) / np.maximum(total, 1.0)
    own = (trust * expected).sum(1, keepdims=True) / np.maximum(total, _TINY)
    taken_over = np.minimum(SHARED, _room(expected, own)) * shared
    filled = expected + np.where(known, np.minimum(trust, 1.0) * residual, taken_over)
    return np.clip(filled, 0.0, 1.0).astype(np.float32)


def _room(expected: Array, own: Array) -> Array:
    """The largest share of a residual around `own`, (n, 1), that moves no expectation, (n, k), out of [0, 1].

    It is the same for what went well and for what went badly, so that nobody's mean moves: cut off at 1 alone, the good
    news about a candidate that is nearly always right would be lost and the bad news kept. Two results can depend on each
    other no more than so (Hoeffding's bound for given means).
    """
    up = (1.0 - expected) / np.maximum(1.0 - own, _TINY)
    down = expected / np.maximum(own, _TINY)
    return np.minimum(up, down)


def recency(created_at: Array, half_life_days: float | None = HALF_LIFE_DAYS) -> Array:
    """What each row counts by its age against the newest: (n,), in (0, 1]; 1 for all where there is no half-life."""
    if half_life_days is None or not len(created_at):
        return np.ones(len(created_at))
    return np.asarray(0.5 ** ((created_at.max() - created_at) / (half_life_days * 86_400.0)))
