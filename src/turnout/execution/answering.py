"""Callers that wait for answers, whole or in pieces, so that whoever closes the client can send them away."""

from __future__ import annotations

import asyncio
from types import TracebackType
from weakref import WeakSet

from turnout.errors import RequestError
from turnout.execution.streaming import Streaming


class Answering:
    """Everybody who waits now. For one event loop."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()
        self._streams: WeakSet[Streaming] = WeakSet()
        self._is_open = self._stopped = False
        self._left = asyncio.Event()

    def begin(self) -> None:
        """Answer from now on."""
        self._is_open = True

    def one(self) -> _One:
        """The current task waits inside the block.

        Raises, on entering or on leaving it:
            RequestError: the client is not open, or the task was sent away.
        """
        return _One(self)

    def _enter(self) -> asyncio.Task[object]:
        self._check_open()
        task = asyncio.current_task()
        assert task is not None, "answers are waited for in tasks"
        self._tasks.add(task)
        return task

    def _leave(self, task: asyncio.Task[object], error: BaseException | None) -> None:
        self._tasks.discard(task)
        self._left.set()
        if isinstance(error, asyncio.CancelledError) and self._stopped and not task.uncancel():
            raise RequestError("the client was closed before the answer came") from None

    def follow(self, stream: Streaming) -> Streaming:
        """A stream that is closed with the others.

        Raises:
            RequestError: the client is not open.
        """
        self._check_open()
        self._streams.add(stream)
        return stream

    def _check_open(self) -> None:
        if not self._is_open:
            raise RequestError("the client is not open; use it as an async context manager")

    async def stop(self) -> None:
        """Send all of them away and wait until they have left; the caller's own task is left alone."""
        self._is_open, self._stopped = False, True
        own = asyncio.current_task()
        for task in self._tasks:
            if task is not own:
                task.cancel()
        while self._tasks - {own}:
            self._left.clear()
            await self._left.wait()
        await asyncio.gather(*(stream.aclose() for stream in list(self._streams)), return_exceptions=True)


class _One:
    """See `Answering.one`; a generator in its place takes several times as long."""

    __slots__ = ("_answering", "_task")

    def __init__(self, answering: Answering) -> None:
        self._answering = answering

    def __enter__(self) -> None:
        self._task = self._answering._enter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._answering._leave(self._task, error)
