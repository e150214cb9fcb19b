"""The challenger in the shadow: whom it would have chosen is computed after the answer was handed out, and counted."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

from turnout.errors import TurnoutError
from turnout.execution.served import Served

logger = logging.getLogger(__name__)

Compare: TypeAlias = Callable[[], tuple[str, str]]

DELAY_S: Final = 0.05
"""Observers hear of a request before its completion is handed out; by then it has been."""

MOST_WAITING: Final = 1_000
"""Comparisons that wait; under more load than that the oldest are forgotten, and no memory fills up."""


class Counts(Protocol):
    """Who counts agreement; the metrics do."""

    def compared(self, usual: str, rival: str) -> None:
        """The champion would have chosen one, the challenger the other."""
        ...


class Shadow:
    """Observes requests whose decision a challenger may be compared with. Used from one event loop.

    Args:
        counts: takes in what comes of it.
    """

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._waiting: deque[Compare] = deque(maxlen=MOST_WAITING)
        self._news = asyncio.Event()

    def served(self, news: Served) -> None:
        """One request has ended."""
        if news.decision is not None and news.decision.shadow is not None:
            self._waiting.append(news.decision.shadow)
            self._news.set()

    async def run(self) -> None:
        """Compare for ever, one at a time with room for others in between."""
        while True:
            await self._news.wait()
            await asyncio.sleep(DELAY_S)
            self._news.clear()
            while self._waiting:
                self._compare(self._waiting.popleft())
                await asyncio.sleep(0)

    def _compare(self, compare: Compare) -> None:
        try:
            self._counts.compared(*compare())
        except TurnoutError:
            return  # the challenger leaves nobody: there is nothing to compare
        except Exception:  # what is only looked at must not end what looks
            logger.exception("the challenger could not be compared")
