"""What users say about answers, told to everybody who learns from it: history, personal preferences, figures."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from turnout.errors import NotYoursError, RequestError
from turnout.execution.leaning import KINDS
from turnout.execution.metrics import Metrics
from turnout.execution.personal import Personal
from turnout.execution.served import Served
from turnout.history import FeedbackRecord, History, OutcomeRecord

REMEMBERED: Final = 10_000
"""Completions whose user and candidate are remembered here; for older ones the history is asked."""

_PAUSES_S: Final = (0.1, 0.2, 0.4, 0.8)
"""Another process that answered just now brings its records into the database a moment later."""

_SCORES: Final = {"good": (1.0, 1.0), "bad": (0.0, 1.0), "regenerate": (0.2, 0.4)}
"""Score and weight as an outcome: a thumb is a verdict; asking again is a hint that the answer was not good enough."""


@dataclass(frozen=True, slots=True)
class _About:
    """What feedback needs to know of a completion."""

    user: str
    candidate: str
    seconds: float | None


class Opinions:
    """Takes in feedback. Also an observer, so that it knows what the feedback is about.

    Args:
        history: open; None where none is kept.
        personal: None where users are all alike.
        metrics: counts satisfaction.
        is_strong: whether a candidate is one of the dearer half.
    """

    def __init__(
        self,
        history: History | None,
        personal: Personal | None,
        metrics: Metrics,
        is_strong: Callable[[str], bool],
    ) -> None:
        self._history = history
        self._personal = personal
        self._metrics = metrics
        self._is_strong = is_strong
        self._known: OrderedDict[str, _About] = OrderedDict()

    def served(self, news: Served) -> None:
        """Remember who answered whom."""
        if news.completion is None:
            return
        self._known[news.id] = _About(news.asked.hints.user, news.completion.candidate, news.total_s)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    async def heard(
        self, decision_id: str, kind: str, value: float | None = None, comment: str = "", caller: str = ""
    ) -> None:
        """Take in one piece of feedback; when this returns, the death of the process cannot lose it.

        Args:
            decision_id: the id of the completion.
            kind: good, bad, score, regenerate, edit_kept, too_slow or choose.
            value: of a score or a share kept, 0 to 1.
            comment: in the user's words; kept in the history only.
            caller: whose users may speak: `caller` itself or `caller/…`; empty where everybody may.

        Raises:
            RequestError: an unknown kind or id, or a value that is missing or out of range.
            NotYoursError: the answer was given to somebody else.
        """
        if kind not in KINDS:
            raise RequestError(f"feedback {kind!r} is unknown; there is {', '.join(KINDS)}")
        if kind in ("score", "edit_kept") and (value is None or not 0 <= value <= 1):
            raise RequestError(f"feedback {kind!r} needs a value from 0 to 1, not {value!r}")
        about = self._known.get(decision_id)
        if about is None:
            about = await self._looked_up(decision_id)
        if caller and about.user != caller and not about.user.startswith(f"{caller}/"):
            raise NotYoursError("this answer was given to another caller")
        if self._history is not None:
            self._history.record(
                FeedbackRecord(decision_id=decision_id, user=about.user, kind=kind, value=value, comment=comment)
            )
            score, weight = (value, 1.0) if kind in ("score", "edit_kept") else _SCORES.get(kind, (None, 0.0))
            if score is not None:
                self._history.record(
                    OutcomeRecord(
                        decision_id=decision_id,
                        candidate=about.candidate,
                        source="feedback",
                        score=score,
                        weight=weight,
                        details={"kind": kind},
                    )
                )
        if self._personal is not None:
            strong = self._is_strong(about.candidate)
            self._personal.heard(about.user, kind, value, about.candidate, about.seconds, strong)
            self._personal.save()
        self._metrics.rated(kind, value, about.candidate)

    async def _looked_up(self, decision_id: str) -> _About:
        """From the history, for an answer of another process or of long ago."""
        stored = await asyncio.to_thread(self._stored, decision_id)
        for pause_s in _PAUSES_S:
            if stored is not None or self._history is None:
                break
            await asyncio.sleep(pause_s)
            stored = await asyncio.to_thread(self._stored, decision_id)
        if stored is None:
            raise RequestError(f"no answer has the id {decision_id!r}; give the id that came with it")
        chosen = next((entry for entry in stored["attempts"] if entry["chosen"]), None)
        candidate = chosen["candidate"] if chosen is not None else stored["candidate"]
        return _About(stored["user"] or "", candidate, chosen["total_s"] if chosen is not None else None)

    def _stored(self, decision_id: str) -> dict[str, Any] | None:
        if self._history is None:
            return None
        stored = self._history.reader.decision(decision_id)
        if stored is None and self._history.flush(1.0):
            stored = self._history.reader.decision(decision_id)
        return stored
