"""Metrics of the client: what came of requests in the last minute, in the last hour and since the start.

A request is counted once, in the slice of five seconds in which it ended; when a slice is over it is added to what is
kept longer. So counting costs the same for all three windows, and memory is bounded whatever the traffic.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable
from typing import Final

from turnout.execution.figures import MetricsSnapshot
from turnout.execution.served import Served
from turnout.execution.tallies import Tally
from turnout.execution.windows import Window, Windows

SLICE_S: Final = 5.0
SLICES: Final = 12
"""A minute is the slice that runs and the eleven before it: from 55 to 60 seconds."""

LONG_SLICE: Final = 60
"""Slices in a long one of five minutes; an hour is twelve of those, from 55 to 60 minutes."""


class Metrics:
    """Hears what came of requests, and tells the figures. Used from one event loop.

    Args:
        now: the monotonic clock.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._started_s = now()
        self._at = int(self._started_s / SLICE_S)
        self._open = Tally()
        self._short: deque[tuple[int, Tally]] = deque()
        self._long: deque[tuple[int, Tally]] = deque()
        self._closed = Tally()

    def served(self, news: Served) -> None:
        """One request has ended."""
        self._turn()
        self._open.served(news)

    def rated(self, kind: str, value: float | None = None, candidate: str = "") -> None:
        """A user said or did something about an answer; see `FeedbackRecord` for the kinds."""
        self._turn()
        self._open.rated(kind, value, candidate)

    def compared(self, usual: str, rival: str) -> None:
        """The champion would have chosen one, the challenger in the shadow the other."""
        self._turn()
        self._open.compared(usual, rival)

    def windows(self) -> Windows:
        """What was counted in the last minute, in the last hour and since the start."""
        self._turn()
        now = self._now()

        def window(tallies: Iterable[Tally], since_s: float) -> Window:
            whole = Tally()
            for tally in tallies:
                whole.merge(tally)
            return Window(whole, now - max(since_s, self._started_s))

        long_at = self._at // LONG_SLICE
        return Windows(
            minute=window((self._open, *(kept for _, kept in self._short)), (self._at - SLICES + 1) * SLICE_S),
            hour=window((self._open, *(kept for _, kept in self._long)), (long_at - SLICES + 1) * LONG_SLICE * SLICE_S),
            total=window((self._open, self._closed), self._started_s),
        )

    def snapshot(self, fast: Collection[str] = ()) -> MetricsSnapshot:
        """The figures now.

        Args:
            fast: the candidates of the cheaper half; without them nobody knows the share that they answered.
        """
        return self.windows().figures(fast)

    def _turn(self) -> None:
        """Close the slice that is over, and forget what is too old."""
        at = int(self._now() / SLICE_S)
        if at == self._at:
            return
        closed, closed_at = self._open, self._at
        self._open, self._at = Tally(), at
        self._short.append((closed_at, closed))
        if not self._long or self._long[-1][0] != closed_at // LONG_SLICE:
            self._long.append((closed_at // LONG_SLICE, Tally()))
        self._long[-1][1].merge(closed)
        self._closed.merge(closed)
        _forget(self._short, at - SLICES)
        _forget(self._long, at // LONG_SLICE - SLICES)


def _forget(slices: deque[tuple[int, Tally]], until: int) -> None:
    while slices and slices[0][0] <= until:
        slices.popleft()
