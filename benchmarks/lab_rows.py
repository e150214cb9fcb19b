"""What the laboratory's benchmark does for each seed, and what it writes down of every request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from turnout.lab import Task

NOTHING = "from nothing"
SHIPPED = "from the shipped history"
STARTS = (NOTHING, SHIPPED)
"""What is known before the first request: nothing, or what data/lab tells of other prompts."""

SETTINGS = ("routing.conversations.enabled=false",)
"""Each prompt is decided by itself."""


@dataclass(frozen=True)
class Plan:
    """What every seed does: so many requests to learn from and to judge by, the preference for each start, the share that
    explores.

    `curve` are the preferences that decide beside it, for the table."""

    learned: int
    judged: int
    preferences: Mapping[str, float]
    exploration: float
    curve: tuple[float, ...]

    @property
    def learning(self) -> tuple[str, ...]:
        """Settings while the history grows: one candidate answers, and whoever is not the usual choice is equally likely."""
        return (*SETTINGS, "routing.escalation.enabled=false", "hybrid.exploration.by_uncertainty=false")

    def serving(self, start: str) -> tuple[str, ...]:
        """Settings while requests are judged."""
        return (*SETTINGS, f"routing.preference={self.preferences[start]}")


@dataclass(frozen=True)
class Reply:
    """One candidate's answer: 1 for right, seconds of the whole `complete` call and of the call to the engine alone,
    its tokens' log-probabilities, and the signals that its confidence is made of."""

    right: float
    total_s: float
    engine_s: float
    logprobs: tuple[float, ...]
    signals: dict[str, Any]


@dataclass(frozen=True)
class Judged:
    """One prompt that every candidate answered. `chosen` is who was routed to, `answered` whose answer the caller got after
    escalation, `served` that answer with the seconds of the whole call, `routed` by preference who would be chosen;
    `p_success` and `expected_s` by candidate as the decision had them."""

    task: Task
    chosen: str
    answered: str
    escalated: bool
    served: Reply
    replies: dict[str, Reply]
    p_success: dict[str, float]
    expected_s: dict[str, float | None]
    routed: dict[float, str]


@dataclass(frozen=True)
class Logged:
    """One live request of the first part: who answered, whether rightly, and what its confidence is made of."""

    task: Task
    candidate: str
    reply: Reply


@dataclass(frozen=True)
class Life:
    """What one seed came to from one start. `gate` is what the retraining job printed, `champion` the folder of who serves."""

    candidates: tuple[str, ...]
    logged: Sequence[Logged]
    judged: Sequence[Judged]
    gate: dict[str, Any]
    champion: Path
    seconds: dict[str, float]
