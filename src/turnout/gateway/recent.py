"""What the page shows of the past: the latest requests one by one, and figures over the last hour. In memory only."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from turnout.execution.served import Served

KEPT: Final = 500
SLICE_S: Final = 30
SLICES: Final = 120
_PROMPT_CHARS: Final = 300


class Recent:
    """Hears of every request as it ends, and of feedback.

    What is shown of a request is made as it ends: the request itself, which may hold pictures and megabytes of text, is
    not kept.

    Args:
        keep_prompts: whether the beginnings of prompts may be shown, as the history may keep them.
        wall: Unix time.
    """

    def __init__(self, *, keep_prompts: bool, wall: Callable[[], float] = time.time) -> None:
        self._keep_prompts = keep_prompts
        self._wall = wall
        self._latest: OrderedDict[str, _Kept] = OrderedDict()
        self._slices: deque[_Slice] = deque(maxlen=SLICES)

    def served(self, news: Served) -> None:
        """One request has ended."""
        self._latest[news.id] = _Kept(news.asked.hints.user, _row(news, with_prompt=self._keep_prompts))
        while len(self._latest) > KEPT:
            self._latest.popitem(last=False)
        self._slice().add(news)

    def rated(self, decision: str, kind: str) -> None:
        """Somebody said something about an answer."""
        kept = self._latest.get(decision)
        if kept is not None:
            kept.row["feedback"] = kind
        self._slice().feedback[kind] += 1

    def knows(self, decision: str) -> bool:
        """Whether it is among the latest requests here."""
        return decision in self._latest

    def latest(self, limit: int, caller: str = "") -> list[dict[str, Any]]:
        """The latest requests, newest first. What other keys' users asked, and what went wrong with it, is left out."""
        shown: list[dict[str, Any]] = []
        for kept in islice(reversed(self._latest.values()), limit):
            own = kept.is_of(caller)
            shown.append({**kept.row, "own": True} if own else {**kept.row, **_UNTOLD, "tried": _bare(kept.row)})
        return shown

    def timeline(self) -> dict[str, Any]:
        """Figures of each half minute of the last hour in which something happened, oldest first, and what time it is."""
        now = self._wall()
        first = now - SLICES * SLICE_S
        return {"now": now, "slice_s": SLICE_S, "timeline": [one.to_json() for one in self._slices if one.at >= first]}

    def _slice(self) -> _Slice:
        at = int(self._wall() / SLICE_S) * SLICE_S
        if not self._slices or self._slices[-1].at != at:
            self._slices.append(_Slice(at))
        return self._slices[-1]


_UNTOLD: Final = {"own": False, "prompt": None, "message": ""}


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is shown of one request, and whose it was."""

    user: str
    row: dict[str, Any]

    def is_of(self, caller: str) -> bool:
        """Whether it came with this key; without keys everything is everybody's."""
        return not caller or self.user == caller or self.user.startswith(f"{caller}/")


def _bare(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Who was asked, without what they said of it: errors of providers may repeat a prompt."""
    return [{**entry, "message": ""} for entry in row["tried"]]


def _row(news: Served, *, with_prompt: bool) -> dict[str, Any]:
    completion, decision, asked = news.completion, news.decision, news.asked
    row: dict[str, Any] = {
        "id": news.id,
        "at": news.started_at,
        "seconds": round(news.total_s, 4),
        "error": news.error,
        "message": news.message[:_PROMPT_CHARS],
        "feedback": "",
        "prompt": asked.request.prompt[:_PROMPT_CHARS] if with_prompt else None,
        "voice": asked.voice,
        "ensemble": asked.ensemble,
        "tried": [
            {
                "candidate": entry.candidate,
                "role": entry.role,
                "calls": len(entry.attempts),
                "seconds": round(entry.total_s, 4),
                "confidence": None if entry.confidence is None else round(entry.confidence, 4),
                "error": entry.error,
                "message": entry.message[:_PROMPT_CHARS],
            }
            for entry in news.tried
        ],
    }
    if completion is not None:
        row |= {
            "candidate": completion.candidate,
            "reason": completion.reason,
            "confidence": round(completion.confidence, 4),
            "threshold": completion.threshold,
            "cached": completion.cached,
            "escalated": completion.escalated,
            "fell_back": completion.fell_back,
            "finish": completion.answer.finish,
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
            "decided_for": decision.candidate,
            "decided_why": decision.reason,
            "preference": decision.preference,
            "rules": list(decision.rules),
            "expected": round(decision.confidence, 4),
            "propensity": decision.propensity,
            "exploration": decision.exploration,
            "arm": decision.arm,
            "novelty": round(decision.novelty, 4),
            "out_of_depth": decision.out_of_depth,
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
