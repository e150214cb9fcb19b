"""The ranked candidates for one request, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from turnout.types.task import Task

Preference: TypeAlias = Literal["fast", "balanced", "quality"]
PREFERENCES: tuple[Preference, ...] = get_args(Preference)


@dataclass(frozen=True, slots=True)
class Ranked:
    """One candidate in a decision: calibrated probability of success, expected seconds and cost, utility."""

    candidate: str
    p_success: float
    expected_s: float | None
    cost_usd: float | None
    utility: float


@dataclass(frozen=True, slots=True)
class Decision:
    """The ranked candidates for one request, best first, and why.

    `confidence` is the calibrated probability that the chosen candidate succeeds; `propensity` is the
    probability with which this candidate was chosen (1 without exploration). `novelty` is the share of the prompt's
    n-grams that training never saw; `out_of_depth` says that it is beyond what held-out training prompts showed.
    """

    candidate: str
    confidence: float
    reason: str
    ranking: tuple[Ranked, ...]
    task: Task
    novelty: float = 0.0
    out_of_depth: bool = False
    propensity: float = 1.0
