"""A tiny world to fit a base predictor in: three tables whose prompts tell in words how hard they are.

Language models are really named and their abilities grow with their size; what they score is drawn from that. Two that
stand between others are left out of every table, so that something is left to expect.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from turnout.descriptors import describe
from turnout.learning.base.fit import FittedBase, fit_base
from turnout.learning.base.tables import Tables, read_tables
from turnout.learning.dataset import FeatureTable, extract_all
from turnout.learning.outcomes import OutcomeTable
from turnout.predictor.base import BasePredictor
from turnout.predictor.fit import TrainingData
from turnout.predictor.prior import DOMAINS
from turnout.predictor.settings import FitSettings

SEEN: Final = (
    *("qwen2.5:0.5b", "qwen2.5:1.5b", "qwen2.5:3b", "qwen2.5:7b", "qwen2.5:32b", "qwen2.5:72b"),
    *("llama3.2:1b", "llama3.1:8b", "llama3.1:70b", "gemma2:2b", "gemma2:27b"),
)
"""In the tables."""

BETWEEN: Final = ("qwen2.5:14b", "gemma2:9b")
"""In none of them: larger than one sibling that is, smaller than another."""

EASY: Final = ("rename", "trim", "sort", "indent", "capitalise", "count", "reverse", "round", "swap", "greet")
MIDDLING: Final = ("parse", "merge", "paginate", "validate", "schedule", "tokenise", "debounce", "hash", "escape")
HARD: Final = ("deadlock", "consensus", "quorum", "failover", "livelock", "starvation", "linearize", "fence", "prove")
FILLER: Final = ("please", "the", "this", "our", "a", "with", "service", "thing", "today", "again", "field", "value")
_OPENING: Final = {"code": "in the function", "tools": "call the endpoint and", "knowledge": "which statement would"}
_EASE: Final = {EASY: 2.5, MIDDLING: 0.0, HARD: -2.5}

SETTINGS: Final = FitSettings(trees_per_bag=6)
PROMPTS: Final = 120
SHARED: Final = 8
"""Prompts of the code table that stand in the knowledge table as well, as one group."""


def ability(name: str) -> float:
    """What a language model of the world can, in log-odds: told by its size."""
    size = describe(name).parameters_b
    assert size is not None
    return 1.6 * (math.log10(size) - 0.8)


def prompt(rng: np.random.Generator, words: Sequence[str], domain: str = "code") -> str:
    """Words of one kind, among words that say nothing."""
    drawn = [*rng.choice(words, 3), *rng.choice(FILLER, 5)]
    return f"{_OPENING[domain]} {' '.join(rng.permutation(drawn).tolist())}"


def chances(eases: NDArray[np.float64], names: Sequence[str]) -> NDArray[np.float64]:
    """True chances (n, n_names) of prompts of these eases."""
    return np.asarray(1 / (1 + np.exp(-eases[:, None] - np.array([ability(name) for name in names])[None])))


def prompts_and_eases(rng: np.random.Generator, n: int, domain: str = "code") -> tuple[list[str], NDArray[np.float64]]:
    kinds = [tuple(_EASE)[at] for at in rng.integers(0, len(_EASE), n)]
    return [prompt(rng, kind, domain) for kind in kinds], np.array([_EASE[kind] for kind in kinds])


def write_tables(folder: Path, seed: int = 0) -> list[tuple[str, Path]]:
    """One parquet file for each domain; returns what `read_tables` takes."""
    rng = np.random.default_rng(seed)
    sources = []
    repeated: tuple[list[str], NDArray[np.float64]] = ([], np.empty(0))
    for domain in DOMAINS:
        texts, eases = prompts_and_eases(rng, PROMPTS, domain)
        if domain == "code":
            repeated = texts[:SHARED], eases[:SHARED]
        if domain == "knowledge":
            texts[:SHARED], eases[:SHARED] = repeated
        scores = (rng.random((PROMPTS, len(SEEN))) < chances(eases, SEEN)).astype(float)
        frame = pd.DataFrame(
            {
                "prompt_id": np.repeat([f"{domain}-{at:03}" for at in range(PROMPTS)], len(SEEN)),
                "prompt": np.repeat(texts, len(SEEN)),
                "dataset": np.repeat(
                    [f"{domain}.{'even' if at % 2 == 0 else 'odd'}" for at in range(PROMPTS)], len(SEEN)
                ),
                "model": list(SEEN) * PROMPTS,
                "score": scores.ravel(),
            }
        )
        # The tools table's odd half was answered by some only: two blocks.
        some_only = (domain == "tools") & frame["dataset"].str.endswith("odd") & frame["model"].str.startswith("gemma")
        frame[~some_only].to_parquet(folder / f"{domain}_table.parquet", index=False)
        sources.append((domain, folder / f"{domain}_table.parquet"))
    return sources


@dataclass(frozen=True)
class World:
    """Its tables, and what is fitted on them. Not to be changed."""

    folder: Path
    sources: list[tuple[str, Path]]

    @cached_property
    def tables(self) -> Tables:
        return read_tables(self.sources)

    @cached_property
    def features(self) -> FeatureTable:
        return extract_all(self.tables.prompts, quiet=True)

    @cached_property
    def fitted(self) -> FittedBase:
        return fit_base(self.tables, self.features, {"made": "for tests"}, settings=SETTINGS)

    @property
    def base(self) -> BasePredictor:
        return self.fitted.predictor


def training_data(
    n: int, candidates: Sequence[str], *, seed: int = 1, reverse: bool = False
) -> tuple[TrainingData, NDArray[np.float64]]:
    """New prompts of the world with drawn outcomes, and the true chances.

    Args:
        reverse: let the candidates' abilities be each other's, so that names mislead.
    """
    rng = np.random.default_rng(seed)
    texts, eases = prompts_and_eases(rng, n)
    chance = chances(eases, candidates[::-1] if reverse else candidates)
    features = extract_all(texts, quiet=True)
    scores = (rng.random(chance.shape) < chance).astype(np.float32)
    return TrainingData(tuple(candidates), features.dense, features.ngrams, scores, np.arange(n)), chance


def outcome_table(n: int, candidates: Sequence[str], *, seed: int = 1) -> OutcomeTable:
    """New prompts of the world as an outcome table."""
    rng = np.random.default_rng(seed)
    texts, eases = prompts_and_eases(rng, n)
    scores = (rng.random((n, len(candidates))) < chances(eases, candidates)).astype(np.float32)
    index = pd.Index([f"p{at:04}" for at in range(n)], name="prompt_id")
    about = pd.DataFrame({"prompt": texts, "dataset": "", "group": list(index)}, index=index)
    measured = pd.DataFrame(scores, index, pd.Index(candidates, name="model"))
    unknown = measured * np.float32(np.nan)
    return OutcomeTable(about, measured, unknown, unknown, unknown, "of the world")
