"""The answer handed to a caller, with everything that led to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from turnout.types.answer import Answer, Usage
from turnout.types.attempt import Attempt
from turnout.types.decision import Decision

Role: TypeAlias = Literal["first", "fallback", "escalation", "race", "ensemble"]
CachedBy: TypeAlias = Literal["", "exact", "semantic"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One candidate that was asked for one request, however it ended.

    `attempts` are its calls, retries included. `answer` is what it said, None where it failed: then `error` is the
    code of the error and `message` what it tells. `confidence` is the probability that the answer is good, `signals`
    what that was judged by; None where nothing was judged.
    """

    candidate: str
    role: Role
    attempts: tuple[Attempt, ...] = ()
    answer: Answer | None = None
    confidence: float | None = None
    signals: Mapping[str, float | bool | None] | None = None
    error: str = ""
    message: str = ""
    total_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One answer and how it came about.

    `id` names the decision: feedback goes to it. `confidence` is the calibrated probability that the answer is good.
    `tried` holds every candidate that was asked, in order, the one that answered among them. `total_s` is from the
    call to the end, `first_token_s` to the first content handed out (None where nothing was streamed). `cached` says
    which cache answered in a candidate's place; then there is no decision.
    `threshold` is the confidence below which another is asked.
    """

    id: str
    answer: Answer
    decision: Decision | None
    confidence: float
    reason: str
    tried: tuple[Tried, ...] = ()
    total_s: float = 0.0
    first_token_s: float | None = None
    threshold: float | None = None
    cached: CachedBy = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """What the answer says."""
        return self.answer.text

    @property
    def candidate(self) -> str:
        """Who answered."""
        return self.answer.candidate

    @property
    def usage(self) -> Usage:
        """Tokens of the answer that was handed out."""
        return self.answer.usage

    @property
    def escalated(self) -> bool:
        """Whether an answer was not trusted and another candidate was asked."""
        return any(entry.role == "escalation" for entry in self.tried)

    @property
    def fell_back(self) -> bool:
        """Whether an attempt failed and another candidate was asked."""
        return any(entry.role == "fallback" for entry in self.tried)
