"""A stream of chat or text chunks, piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from turnout.emulators.answers import Piece
from turnout.emulators.openai_completions import TextDocuments
from turnout.emulators.openai_dialect import OpenAIDialect, Reply
from turnout.emulators.streams import Stream


class ChunkSender:
    """Pieces into chunks: the role first, a call's name before its arguments, secret reasoning not at all."""

    def __init__(
        self,
        stream: Stream,
        documents: OpenAIDialect | TextDocuments,
        reply: Reply,
        reasoning_field: str | None,
        frame: Callable[[Any], bytes],
    ) -> None:
        self._stream = stream
        self._documents = documents
        self._reply = reply
        self._reasoning_field = reasoning_field
        self._frame = frame
        self._opened = False
        self._calls = 0

    async def open(self) -> None:
        """Send what comes before the first piece, once."""
        if not self._opened:
            self._opened = True
            await self._stream.send(self._frame(self._documents.opening(self._reply)))

    async def send(self, piece: Piece) -> None:
        """Send one piece."""
        await self.open()
        if piece.kind == "thinking":
            if self._reasoning_field is not None:
                await self._chunk({self._reasoning_field: piece.text}, piece)
            return
        if piece.kind == "text":
            await self._chunk({"content": piece.text}, piece)
            return
        if piece.call == self._calls:
            call = self._reply.answer.calls[piece.call]
            begun = {"index": piece.call, "id": call.id, "type": "function"}
            await self._chunk({"tool_calls": [{**begun, "function": {"name": call.name, "arguments": ""}}]}, piece)
            self._calls += 1
        await self._chunk({"tool_calls": [{"index": piece.call, "function": {"arguments": piece.text}}]}, piece)

    async def _chunk(self, delta: Mapping[str, Any], piece: Piece) -> None:
        await self._stream.send(self._frame(self._documents.chunk(self._reply, delta, None, (piece,))))
