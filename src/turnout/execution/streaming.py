"""A streamed answer as its caller holds it: pieces to iterate over, and the completion at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Any, Self

from turnout.errors import RequestError
from turnout.execution.served import Report
from turnout.types import Chunk, Completion, Decision


class Streaming:
    """Pieces of one answer. Iterate over it; leaving early, by `aclose` or the end of `async with`, stops the work upstream.

    Raises, while iterating:
        RequestError: nothing to route, an unknown preference, or no candidate can serve it.
        NoAnswerError: every attempt failed, or the deadline passed; nothing was handed out.
        BrokenAnswerError: the answer failed after its first content was handed out.
    """

    def __init__(self, pieces: AsyncGenerator[Chunk | Completion, None], report: Report | None = None) -> None:
        self._pieces = pieces
        self._report = report
        self._completion: Completion | None = None
        self._reader: asyncio.Task[Any] | None = None
        self._left: asyncio.Event | None = None
        self._closed = False

    @property
    def completion(self) -> Completion:
        """The whole, once the stream has ended.

        Raises:
            ValueError: it has not.
        """
        if self._completion is None:
            raise ValueError("the completion is there when the stream has ended; iterate over it first")
        return self._completion

    @property
    def id(self) -> str:
        """The decision's id, known from the beginning; that of an ensemble only at the end, empty until then."""
        if self._completion is not None:
            return self._completion.id
        return "" if self._report is None else self._report.id

    @property
    def decision(self) -> Decision | None:
        """What was decided; None before it was, where a cache answers, and of an ensemble."""
        return None if self._report is None else self._report.decision

    @property
    def candidate(self) -> str:
        """Who speaks; before the first content who most likely will, empty where that is not known."""
        if self._completion is not None:
            return self._completion.candidate
        return "" if self._report is None else self._report.speaker

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Chunk:
        if self._is_closed():
            raise StopAsyncIteration
        task = self._reader = asyncio.current_task()
        try:
            async for piece in self._pieces:
                if isinstance(piece, Chunk):
                    return piece
                self._completion = piece
        except asyncio.CancelledError:
            if self._is_closed() and task is not None and not task.uncancel():
                raise RequestError("the stream was closed while it was read") from None
            raise
        finally:
            self._reader = None
            if self._left is not None:
                self._left.set()
        raise StopAsyncIteration

    def _is_closed(self) -> bool:
        return self._closed

    async def aclose(self) -> None:
        """Stop; what was handed out stays handed out. Whoever waits for a piece at this moment gets a `RequestError`."""
        self._closed = True
        if self._reader is not None and self._reader is not asyncio.current_task():
            self._left = asyncio.Event()
            self._reader.cancel()
            await self._left.wait()
        await self._pieces.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
