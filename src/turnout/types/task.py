"""What kind of work a request is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

TaskType: TypeAlias = Literal[
    "template", "format", "edit", "generation", "debugging", "analysis", "planning", "multi_file", "general"
]
TASK_TYPES: tuple[TaskType, ...] = get_args(TaskType)

Complexity: TypeAlias = Literal["simple", "medium", "complex"]
COMPLEXITIES: tuple[Complexity, ...] = get_args(Complexity)

Tier: TypeAlias = Literal["fast", "strong"]
TIERS: tuple[Tier, ...] = get_args(Tier)


@dataclass(frozen=True, slots=True)
class Task:
    """What kind of work a request is, each label with its scores so that rules can use them.

    `complexity_score` runs from 0 to 10; `tier_score` is the probability that the strong tier is needed.
    """

    type: TaskType
    type_scores: Mapping[TaskType, float]
    complexity: Complexity
    complexity_score: float
    complexity_scores: Mapping[Complexity, float]
    tier: Tier
    tier_score: float
