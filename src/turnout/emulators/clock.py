"""The time of an emulated machine, which may run faster than ours or not make anybody wait at all."""

from __future__ import annotations

import asyncio
import time


class Clock:
    """Seconds of the machine. Speed 1 is real time, 50 is fifty times as fast.

    At speed 0 nothing waits; `now` follows real time all the same, so that only `skip` makes a model idle for long.
    """

    def __init__(self, speed: float = 0.0) -> None:
        self.speed = speed
        self._origin = time.monotonic()
        self._skipped_s = 0.0

    def now(self) -> float:
        """Seconds since the machine started."""
        return (time.monotonic() - self._origin) * (self.speed or 1.0) + self._skipped_s

    def skip(self, seconds: float) -> None:
        """Let the machine be this much later at once, as tests of idle times want it."""
        self._skipped_s += seconds

    def shown(self, seconds: float) -> float:
        """Seconds of the machine as a stopwatch beside it shows them; at speed 0 as at speed 1."""
        return seconds / (self.speed or 1.0)

    async def sleep(self, seconds: float) -> None:
        """Let seconds of the machine pass; always gives other tasks a turn."""
        await asyncio.sleep(max(0.0, seconds) / self.speed if self.speed else 0)

    async def sleep_until(self, moment: float) -> None:
        """Sleep until `now()` is `moment`. Many short waits against one start do not add up their overshoot."""
        await self.sleep(moment - self.now())
