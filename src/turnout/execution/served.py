"""One request, however it ended: what observers (history, metrics, personal preferences) hear, once for each."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from turnout.errors import TurnoutError
from turnout.execution.asked import Asked
from turnout.history import new_id
from turnout.types import Completion, Decision, Tried

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What came of one request.

    `completion` is None where there was no answer: then `error` is the code of the error and `message` what it tells.
    `decision` is None where a cache answered, or where none could be made. `started_at` is Unix time.
    """

    id: str
    asked: Asked
    started_at: float
    total_s: float
    decision: Decision | None = None
    tried: tuple[Tried, ...] = ()
    completion: Completion | None = None
    error: str = ""
    message: str = ""


class Observer(Protocol):
    """Whoever wants to know what came of requests. Called in the event loop, so it must be quick; what it raises is logged."""

    def served(self, news: Served) -> None:
        """One request has ended."""
        ...


class Report:
    """What is going on with one request, told to the observers exactly once, however it ends.

    `speaker` is the candidate whose pieces are being handed out; empty before anything is known of it.

    Args:
        asked: the request.
        observers: who hears of it.
        now: the monotonic clock.
    """

    def __init__(self, asked: Asked, observers: Sequence[Observer], now: Callable[[], float]) -> None:
        self.id = new_id()
        self.started_s = now()
        self.decision: Decision | None = None
        self.speaker = ""
        self.tried: Sequence[Tried] = ()
        self._asked = asked
        self._observers = observers
        self._now = now
        self._started_at = time.time()
        self._told = False

    @property
    def elapsed_s(self) -> float:
        """Seconds since the request came."""
        return self._now() - self.started_s

    def answered(self, completion: Completion) -> None:
        """There is an answer, about to be handed out."""
        self._tell(completion, "", "")

    def failed(self, error: BaseException) -> None:
        """There is none, or its caller went away."""
        if isinstance(error, TurnoutError):
            self._tell(None, getattr(error, "code", type(error).__name__), str(error))
        elif isinstance(error, asyncio.CancelledError | GeneratorExit):
            self._tell(None, "cancelled", "the caller went away")
        else:
            self._tell(None, "defect", f"{type(error).__name__}: {error}")

    def _tell(self, completion: Completion | None, error: str, message: str) -> None:
        if self._told:
            return
        self._told = True
        news = Served(
            id=self.id,
            asked=self._asked,
            started_at=self._started_at,
            total_s=self.elapsed_s,
            decision=self.decision,
            tried=tuple(self.tried),
            completion=completion,
            error=error,
            message=message,
        )
        for observer in self._observers:
            try:
                observer.served(news)
            except Exception:  # whoever observes must not be able to fail a request
                logger.exception("%s could not take in what came of %s", type(observer).__name__, news.id)
