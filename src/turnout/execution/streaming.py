"""A streamed answer as its caller holds it: pieces to iterate over, and the completion at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Any, Self

from turnout.types import Chunk, Completion


class Streaming:
    """Pieces of one answer. Iterate over it; leaving early, by `aclose` or the end of `async with`, stops the work upstream.

    Raises, while iterating:
        RequestError: nothing to route, an unknown preference, or no candidate can serve it.
        NoAnswerError: every attempt failed, or the deadline passed; nothing was handed out.
        BrokenAnswerError: the answer failed after its first content was handed out.
    """

    def __init__(self, pieces: AsyncGenerator[Chunk | Completion, None]) -> None:
        self._pieces = pieces
        self._completion: Completion | None = None
        self._reader: asyncio.Task[Any] | None = None

    @property
    def completion(self) -> Completion:
        """The whole, once the stream has ended.

        Raises:
            ValueError: it has not.
        """
        if self._completion is None:
            raise ValueError("the completion is there when the stream has ended; iterate over it first")
        return self._completion

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Chunk:
        self._reader = asyncio.current_task()
        try:
            async for piece in self._pieces:
                if isinstance(piece, Chunk):
                    return piece
                self._completion = piece
        finally:
            self._reader = None
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Stop; what was handed out stays handed out. A task that waits for a piece at this moment is cancelled."""
        reader = self._reader
        if reader is not None and reader is not asyncio.current_task():
            reader.cancel()
            await asyncio.wait([reader])
        await self._pieces.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
