"""Work for later, in a bounded line: what finds no place is counted, what goes wrong is logged, and all of it can be ended."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeAlias

logger = logging.getLogger(__name__)

Job: TypeAlias = Callable[[], Awaitable[None]]


class Backlog:
    """Jobs that are done one after the other by a few tasks, which live only while there is something to do.

    `dropped` counts jobs that found no place, `failed` those that raised.

    Args:
        name: for the log.
    """

    def __init__(self, name: str) -> None:
        self.dropped = 0
        self.failed = 0
        self._name = name
        self._waiting: deque[Job] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, job: Job, *, at_once: int, most: int) -> bool:
        """Take in a job; whether there was room. To be called in the event loop; returns at once.

        Args:
            job: makes what is awaited.
            at_once: jobs that may be done at the same time.
            most: jobs that may wait beside those.
        """
        idle = len(self._tasks) < at_once
        if self._closed or (not idle and len(self._waiting) >= most):
            self.dropped += 1
            # Told at 1, 10, 100 …, so that a line that is always full does not fill the log.
            if str(self.dropped).strip("0") == "1":
                logger.warning("%s: %d answers were not looked at, the line is full", self._name, self.dropped)
            return False
        if idle:
            task = asyncio.get_running_loop().create_task(self._work(job))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            self._waiting.append(job)
        return True

    async def aclose(self) -> None:
        """End what is going on; what still waits is dropped and counted."""
        self._closed = True
        self.dropped += len(self._waiting)
        self._waiting.clear()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def join(self) -> None:
        """Wait until nothing is left to do."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _work(self, first: Job) -> None:
        job: Job | None = first
        while job is not None:
            try:
                await job()
            except Exception:  # one job must not end the others
                self.failed += 1
                logger.exception("%s failed", self._name)
            job = self._waiting.popleft() if self._waiting else None
