"""Small logs whose whole truth is known."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from turnout.features import FEATURE_NAMES
from turnout.features.ngrams import BUCKETS
from turnout.learning.dataset import FeatureTable
from turnout.learning.logged import LoggedDecisions, from_scores

Array = NDArray[np.float64]
NAMES = ("local/small", "local/large")


def features(rng: np.random.Generator, n: int) -> FeatureTable:
    """Random dense features, and one n-gram in each row."""
    dense = rng.normal(size=(n, len(FEATURE_NAMES))).astype(np.float32)
    ngrams = sparse.csr_matrix((np.ones(n, np.float32), rng.integers(0, 50, n), np.arange(n + 1)), shape=(n, BUCKETS))
    return FeatureTable(dense, ngrams)


class World:
    """Two candidates: the first fails where the first feature is high, the second succeeds nearly always.

    chance : float64 (n, 2), the true chances. scores : float32 (n, 2), what each would have scored.
    """

    def __init__(self, n: int, seed: int = 0, exploration: float = 0.2) -> None:
        rng = np.random.default_rng(seed)
        self.features = features(rng, n)
        hard = self.features.dense[:, 0] > 0
        self.chance = np.stack([np.where(hard, 0.2, 0.9), np.full(n, 0.85)], axis=1)
        self.scores = (rng.random((n, 2)) < self.chance).astype(np.float32)
        self.usual = (rng.random(n) < 0.5).astype(np.int64)
        probability = np.full((n, 2), exploration / 2)
        probability[np.arange(n), self.usual] += 1 - exploration
        self.chosen = (rng.random(n) < probability[:, 1]).astype(np.int64)
        self.propensity = probability[np.arange(n), self.chosen]

    @property
    def log(self) -> LoggedDecisions:
        """What a router that chooses by chance leaves behind."""
        n = len(self.scores)
        return from_scores(NAMES, self.features, np.arange(n), self.scores, self.chosen, self.propensity)

    def policy(self, choice: NDArray[Any]) -> Array:
        """A policy that always chooses so."""
        target = np.zeros(self.scores.shape)
        target[np.arange(len(target)), choice] = 1.0
        return target

    @property
    def wise(self) -> Array:
        """The policy that knows what is hard."""
        return self.policy((self.features.dense[:, 0] > 0).astype(np.int64))

    def worth(self, target: Array) -> float:
        """The true mean score of a policy on these rows, by the chances."""
        return float((target * self.chance).sum(1).mean())
