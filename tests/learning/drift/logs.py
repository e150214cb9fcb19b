"""Small logs in which something changes, or nothing does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from turnout.features import FEATURE_NAMES
from turnout.features.ngrams import BUCKETS
from turnout.learning.dataset import FeatureTable
from turnout.learning.drift.streams import Scored
from turnout.learning.logged import LoggedDecisions, from_scores

Array = NDArray[np.float64]
CANDIDATES = ("local/small", "local/large")
BEGUN_AT = 1_700_000_000.0
STEP_S = 60.0


def stream(scores: Array, predicted: Array) -> Scored:
    """Scored requests of one candidate."""
    return Scored(np.arange(len(scores)), np.zeros(len(scores), np.int64), scores, predicted)


def drawn(
    rng: np.random.Generator, n: int, base: float, *, graded: bool = False, at: int | None = None, points: float = 0.2
) -> tuple[Scored, Scored]:
    """A reference of 1,000 and `n` requests after it, of which those from `at` on succeed less often by `points`.

    Predictions are off by a constant of up to five points.
    """
    predicted = np.clip(base + 0.15 * rng.standard_normal(1_000 + n), 0.02, 0.98)
    chance = predicted + rng.uniform(-0.05, 0.05)
    if at is not None:
        chance[1_000 + at :] -= points
    chance = np.clip(chance, 0.005, 0.995)
    scores = rng.beta(0.8 * chance, 0.8 * (1 - chance)) if graded else (rng.random(len(chance)) < chance).astype(float)
    return stream(scores[:1_000], predicted[:1_000]), stream(scores[1_000:], predicted[1_000:])


def log(rng: np.random.Generator, n: int, *, chance: Array | None = None, mix: float = 0.5) -> LoggedDecisions:
    """Two candidates, the first chosen with probability `mix`; predicted chances around .7, and true unless given.

    chance: float64 (n, 2), the true chances instead.
    """
    predicted = np.clip(0.7 + 0.15 * rng.standard_normal((n, 2)), 0.05, 0.95)
    scores = (rng.random((n, 2)) < (predicted if chance is None else chance)).astype(np.float32)
    dense = rng.standard_normal((n, len(FEATURE_NAMES))).astype(np.float32)
    features = FeatureTable(dense, sparse.csr_matrix((n, BUCKETS), dtype=np.float32))
    chosen = (rng.random(n) >= mix).astype(np.int64)
    made = from_scores(CANDIDATES, features, np.arange(n), scores, chosen, np.where(chosen == 0, mix, 1 - mix))
    at = np.arange(n)
    seconds = np.full((n, 2), np.nan, np.float32)
    seconds[at, chosen] = 2.0 * np.exp(rng.standard_normal(n))
    return replace(
        made,
        created_at=BEGUN_AT + STEP_S * at,
        predicted=predicted.astype(np.float32),
        expected_s=np.full((n, 2), 2.0, np.float32),
        seconds=seconds,
    )
