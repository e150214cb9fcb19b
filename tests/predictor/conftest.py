"""Prompts with a planted signal, and a predictor fitted on them. All parts are real; the prompts have few words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import pytest

from turnout.learning.dataset import FeatureTable, extract_all
from turnout.predictor import Predictor
from turnout.predictor.fit import TrainingData, fit

EASY = [
    "rename",
    "variable",
    "format",
    "json",
    "sort",
    "imports",
    "typo",
    "docstring",
    "lowercase",
    "trim",
    "comma",
    "indent",
    "semicolon",
    "header",
]
HARD = [
    "deadlock",
    "consensus",
    "partition",
    "failover",
    "starvation",
    "linearizable",
    "quorum",
    "livelock",
    "reentrancy",
    "jitter",
    "fencing",
]
FILLER = ["please", "the", "this", "for", "our", "in", "a", "of", "with", "service", "file", "thing", "today", "again"]

Plant: TypeAlias = Callable[..., tuple[TrainingData, np.ndarray]]


def make_prompts(rng: np.random.Generator, hard: np.ndarray) -> list[str]:
    """One prompt for each entry of `hard`, in words that give it away."""
    return [
        " ".join(rng.permutation([*rng.choice(HARD if each else EASY, 3), *rng.choice(FILLER, 6)]).tolist())
        for each in hard
    ]


@pytest.fixture(scope="session")
def plant() -> Plant:
    """Makes training data: candidates from weak to strong, all good at easy prompts, few at hard ones."""

    def make(
        n: int = 160,
        *,
        seed: int = 0,
        candidates: Sequence[str] = ("local/small", "cloud/large"),
        measured: bool = True,
    ) -> tuple[TrainingData, np.ndarray]:
        rng = np.random.default_rng(seed)
        hard = rng.random(n) < 0.5
        features: FeatureTable = extract_all(make_prompts(rng, hard), quiet=True)
        skill = np.linspace(0.1, 0.85, len(candidates))
        chance = np.where(hard[:, None], skill, 0.92)
        scores = (rng.random(chance.shape) < chance).astype(np.float32)
        speed = np.linspace(0.5, 8.0, len(candidates))
        seconds = (speed * np.exp(0.3 * rng.standard_normal(chance.shape) + hard[:, None])).astype(np.float32)
        data = TrainingData(
            tuple(candidates),
            features.dense,
            features.ngrams,
            scores,
            np.arange(n),
            seconds if measured else None,
            (seconds * 1e-3).astype(np.float32) if measured else None,
            answer_tokens=(seconds * 50).astype(np.float32) if measured else None,
        )
        return data, hard

    return make


@pytest.fixture(scope="session")
def predictor(plant: Plant) -> Predictor:
    """A small fitted predictor of two candidates with expected seconds and cost. Not to be changed."""
    return fit(plant()[0], {"created": "2025-01-02T03:04:05+00:00", "metrics": {"apgr": 0.75}}).predictor
