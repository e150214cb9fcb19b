"""What the page shows of the past: the latest requests one by one, and figures over the last hour. In memory only."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from turnout.execution.served import Served

KEPT: Final = 500
SLICE_S: Final = 30
SLICES: Final = 120
_PROMPT_CHARS: Final = 300


class Recent:
    """Hears of every request as it ends, and of feedback.

    Args:
        keep_prompts: whether the beginnings of prompts may be shown, as the history may keep them.
        wall: Unix time.
    """

    def __init__(self, *, keep_prompts: bool, wall: Callable[[], float] = time.time) -> None:
        self._keep_prompts = keep_prompts
        self._wall = wall
        self._latest: deque[Served] = deque(maxlen=KEPT)
        self._slices: deque[_Slice] = deque(maxlen=SLICES)
        self._feedback: dict[str, str] = {}

    def served(self, news: Served) -> None:
        """One request has ended."""
        self._latest.append(news)
        self._slice().add(news)

    def rated(self, decision: str, kind: str) -> None:
        """Somebody said something about an answer."""
        self._feedback[decision] = kind
        while len(self._feedback) > KEPT:
            del self._feedback[next(iter(self._feedback))]
        self._slice().feedback[kind] += 1

    def latest(self, limit: int, caller: str = "") -> list[dict[str, Any]]:
        """The latest requests, newest first. Prompts of other keys' users are left out."""
        shown: list[dict[str, Any]] = []
        for news in reversed(self._latest):
            if len(shown) >= limit:
                break
            user = news.asked.hints.user
            own = not caller or user == caller or user.startswith(f"{caller}/")
            shown.append(self._row(news, with_prompt=own and self._keep_prompts))
        return shown

    def timeline(self) -> list[dict[str, Any]]:
        """Figures of each half minute in which something happened, oldest first."""
        return [one.to_json() for one in self._slices]

    def _slice(self) -> _Slice:
        at = int(self._wall() / SLICE_S) * SLICE_S
        if not self._slices or self._slices[-1].at != at:
            self._slices.append(_Slice(at))
        return self._slices[-1]

    def _row(self, news: Served, *, with_prompt: bool) -> dict[str, Any]:
        completion, decision = news.completion, news.decision
        row: dict[str, Any] = {
            "id": news.id,
            "at": news.started_at,
            "seconds": round(news.total_s, 4),
            "error": news.error,
            "message": news.message[:_PROMPT_CHARS],
            "feedback": self._feedback.get(news.id, ""),
            "prompt": news.asked.request.prompt[:_PROMPT_CHARS] if with_prompt else None,
        }
        if completion is not None:
            row |= {
                "candidate": completion.candidate,
                "reason": completion.reason,
                "confidence": round(completion.confidence, 4),
                "cached": completion.cached,
                "escalated": completion.escalated,
                "fell_back": completion.fell_back,
                "first_token_s": completion.first_token_s,
                "prompt_tokens": completion.usage.prompt_tokens,
                "completion_tokens": completion.usage.completion_tokens,
            }
        if decision is not None:
            row |= {
                "task": decision.task.type,
                "complexity": decision.task.complexity,
                "tier": decision.task.tier,
                "decided_by": decision.decided_by,
                "rules": list(decision.rules),
                "expected": round(decision.confidence, 4),
            }
        return row


@dataclass(slots=True)
class _Slice:
    """What happened in one half minute, beginning `at` (Unix time)."""

    at: int
    requests: int = 0
    answered: int = 0
    escalated: int = 0
    cached: int = 0
    seconds: float = 0.0
    confidence: float = 0.0
    candidates: Counter[str] = field(default_factory=Counter)
    feedback: Counter[str] = field(default_factory=Counter)

    def add(self, news: Served) -> None:
        """Count one request."""
        self.requests += 1
        completion = news.completion
        if completion is not None:
            self.answered += 1
            self.escalated += completion.escalated
            self.cached += bool(completion.cached)
            self.seconds += news.total_s
            self.confidence += completion.confidence
            self.candidates[completion.candidate] += 1

    def to_json(self) -> dict[str, Any]:
        """Means and counts."""
        answered = self.answered or None
        return {
            "at": self.at,
            "requests": self.requests,
            "answered": self.answered,
            "escalated": self.escalated,
            "cached": self.cached,
            "mean_s": None if answered is None else self.seconds / answered,
            "confidence": None if answered is None else self.confidence / answered,
            "candidates": dict(self.candidates),
            "feedback": dict(self.feedback),
        }
