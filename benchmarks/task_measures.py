"""What `tasks.py` measures: how well tasks are judged, on which parts, beside what the labels alone would guess."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from turnout.learning.simulation import DeveloperPrompt
from turnout.types import TASK_TYPES, TIERS, Task

SHORT_WORDS = 15
LONG_WORDS = 60
"""About a third of the held-out prompts is at most this short, a quarter at least this long."""

Mask = NDArray[np.bool_]
Figures = dict[str, Any]


def hand(row: DeveloperPrompt) -> str:
    """Who wrote a prompt."""
    return row.id.partition("-")[0]


def hands(rows: Sequence[DeveloperPrompt]) -> list[str]:
    """Everybody who wrote one of them."""
    return sorted({hand(row) for row in rows})


@dataclass(frozen=True)
class Guesses:
    """The yardsticks: what the labels of the training prompts tell without reading a prompt."""

    tier: str
    tier_of_type: dict[str, str]
    type: str
    complexity: float
    complexity_of_tier: dict[str, float]

    @classmethod
    def of(cls, rows: Sequence[DeveloperPrompt]) -> Guesses:
        """Majorities and medians of the given prompts."""
        return cls(
            majority([row.tier for row in rows]),
            {name: majority([row.tier for row in rows if row.task_type == name]) for name in TASK_TYPES},
            majority([row.task_type for row in rows]),
            float(np.median([row.complexity for row in rows])),
            {name: float(np.median([row.complexity for row in rows if row.tier == name])) for name in TIERS},
        )


def majority(labels: Sequence[str]) -> str:
    """The most frequent label, the first of equals in the alphabet."""
    return max(sorted(set(labels)), key=labels.count)


def measure(rows: Sequence[DeveloperPrompt], tasks: Sequence[Task], guesses: Guesses) -> Figures:
    """Accuracies as [value, low, high] with 95 % Wilson intervals, mean absolute errors, each beside its yardsticks."""
    pairs = list(zip(rows, tasks, strict=True))
    by_tier = guesses.complexity_of_tier
    return {
        "prompts": len(rows),
        "tier": wilson([task.tier == row.tier for row, task in pairs]),
        "tier_by_majority": mean([row.tier == guesses.tier for row in rows]),
        "tier_by_true_type": mean([row.tier == guesses.tier_of_type[row.task_type] for row in rows]),
        "tier_by_predicted_type": mean([row.tier == guesses.tier_of_type[task.type] for row, task in pairs]),
        "type": wilson([task.type == row.task_type for row, task in pairs]),
        "type_by_majority": mean([row.task_type == guesses.type for row in rows]),
        "complexity_error": mean([abs(task.complexity_score - row.complexity) for row, task in pairs]),
        "complexity_error_by_median": mean([abs(guesses.complexity - row.complexity) for row in rows]),
        "complexity_error_by_predicted_tier": mean([abs(by_tier[task.tier] - row.complexity) for row, task in pairs]),
    }


def wilson(right: Sequence[bool]) -> list[float]:
    """Share of hits with its 95 % Wilson interval."""
    limits = binomtest(sum(right), len(right)).proportion_ci(method="wilson")
    return [round(value, 4) for value in (sum(right) / len(right), limits.low, limits.high)]


def mean(values: Sequence[float]) -> float:
    """The mean as a plain number."""
    return float(np.mean(values))


def slices(rows: Sequence[DeveloperPrompt]) -> dict[str, Mask]:
    """The parts that are judged apart, by name."""
    parts: dict[str, Callable[[DeveloperPrompt], bool]] = {"all held-out prompts": lambda _: True}
    parts |= {f"hand {name}": lambda row, name=name: hand(row) == name for name in hands(rows)}
    parts |= {f"cue {name}": lambda row, name=name: row.cue == name for name in ("plain", "misleading")}
    parts["in English"] = lambda row: row.language == "en"
    parts["in another language"] = lambda row: row.language != "en"
    parts[f"short (to {SHORT_WORDS} words)"] = lambda row: len(row.prompt.split()) <= SHORT_WORDS
    parts[f"long (from {LONG_WORDS} words)"] = lambda row: len(row.prompt.split()) >= LONG_WORDS
    parts |= {f"tier {name}": lambda row, name=name: row.tier == name for name in TIERS}
    parts |= {f"type {name}": lambda row, name=name: row.task_type == name for name in TASK_TYPES}
    return {name: np.array([belongs(row) for row in rows], bool) for name, belongs in parts.items()}
