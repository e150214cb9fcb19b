"""Full-information pools as partial logs: an incumbent that routes by difficulty, and explores one decision in ten."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from judging import Pool
from numpy.typing import NDArray

from turnout.features import extract
from turnout.learning.dataset import FeatureTable, extract_all
from turnout.learning.logged import LoggedDecisions, from_scores
from turnout.learning.outcomes import factorize, read_outcomes

EXPLORATION = 0.1

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Truth:
    """A pool with everybody's score. scores: float32 (n, k). difficulty: (n,), the bundled task model's complexity."""

    name: str
    candidates: tuple[str, ...]
    features: FeatureTable
    groups: NDArray[np.int64]
    scores: NDArray[np.float32]
    difficulty: Array

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, rows: NDArray[np.int64]) -> Truth:
        """The given prompts only."""
        return Truth(
            self.name,
            self.candidates,
            self.features.take(rows),
            self.groups[rows],
            self.scores[rows],
            self.difficulty[rows],
        )


def read_truth(pool: Pool) -> Truth:
    """The prompts of a pool on which every candidate has a score."""
    table = read_outcomes([Path(pool.table)], [pool.dataset] if pool.dataset else []).select(pool.candidates)
    table = table.take(np.flatnonzero(table.scores[list(pool.candidates)].notna().all(axis=1).to_numpy()))
    prompts = table.prompts["prompt"].tolist()
    return Truth(
        pool.name,
        pool.candidates,
        extract_all(prompts, quiet=True),
        factorize(table.prompts["group"]),
        table.scores[list(pool.candidates)].to_numpy(np.float32),
        np.array([extract(prompt).task.complexity_score for prompt in prompts]),
    )


def incumbent(truth: Truth) -> NDArray[np.int64]:
    """Who would be chosen without exploration: the harder a prompt, the stronger the candidate, in equal shares."""
    k = len(truth.candidates)
    place = np.argsort(np.argsort(truth.difficulty, kind="stable"))
    return np.minimum(place * k // len(truth), k - 1)


def logging_policy(truth: Truth) -> Array:
    """The probability of each candidate on each prompt: float64 (n, k)."""
    n, k = truth.scores.shape
    chance = np.full((n, k), EXPLORATION / k)
    chance[np.arange(n), incumbent(truth)] += 1 - EXPLORATION
    return chance


def logged(truth: Truth, seed: int) -> LoggedDecisions:
    """One candidate's score revealed for each prompt."""
    chance = logging_policy(truth)
    drawn = np.random.default_rng(seed).random(len(truth))
    chosen = np.minimum((drawn[:, None] > chance.cumsum(1)).sum(1), chance.shape[1] - 1)
    propensity = chance[np.arange(len(truth)), chosen]
    return from_scores(truth.candidates, truth.features, truth.groups, truth.scores, chosen, propensity)
