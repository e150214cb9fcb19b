"""Callers that wait for whole answers, so that whoever closes the client can send them away."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from turnout.errors import RequestError


class Answering:
    """The tasks that wait now. For one event loop."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()
        self._stopped = False
        self._left = asyncio.Event()

    @contextmanager
    def one(self) -> Iterator[None]:
        """The current task waits inside the block.

        Raises:
            RequestError: it was sent away.
        """
        task = asyncio.current_task()
        assert task is not None, "answers are waited for in tasks"
        self._tasks.add(task)
        try:
            yield
        except asyncio.CancelledError:
            if self._stopped and not task.uncancel():
                raise RequestError("the client was closed before the answer came") from None
            raise
        finally:
            self._tasks.discard(task)
            self._left.set()

    async def stop(self) -> None:
        """Send all of them away and wait until they have left; the caller's own task is left alone."""
        self._stopped = True
        own = asyncio.current_task()
        for task in self._tasks:
            if task is not own:
                task.cancel()
        while self._tasks - {own}:
            self._left.clear()
            await self._left.wait()
