"""An answer as Anthropic's Messages API gives it: a message of blocks, or the events that build one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from turnout.emulators.answers import Answer, Piece, ToolCall

_BLOCKS: Final[Mapping[str, Mapping[str, Any]]] = {
    "thinking": {"type": "thinking", "thinking": "", "signature": ""},
    "text": {"type": "text", "text": ""},
}
_DELTAS: Final = {
    "thinking": ("thinking_delta", "thinking"),
    "text": ("text_delta", "text"),
    "call": ("input_json_delta", "partial_json"),
}


@dataclass(frozen=True, slots=True)
class Message:
    """One answer on its way to the wire."""

    id: str
    model: str
    answer: Answer
    prompt_tokens: int
    stop_reason: str
    stop_sequence: str | None

    def whole(self) -> dict[str, Any]:
        """The message in one piece."""
        answer = self.answer
        content: list[dict[str, Any]] = []
        if answer.thinking:
            content.append({"type": "thinking", "thinking": answer.thinking, "signature": signature(answer.thinking)})
        if answer.text:
            content.append({"type": "text", "text": answer.text})
        content += [{**_tool_use(call), "input": call.arguments} for call in answer.calls]
        return self._message(content, self.stop_reason, self.stop_sequence, answer.tokens)

    def begun(self) -> dict[str, Any]:
        """The message before anything is in it."""
        return self._message([], None, None, 1)

    def _message(
        self, content: list[dict[str, Any]], reason: str | None, sequence: str | None, tokens: int
    ) -> dict[str, Any]:
        head = {"id": self.id, "type": "message", "role": "assistant", "model": self.model, "content": content}
        cached = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0}
        usage = {**self.usage(tokens), "cache_creation": cached, "service_tier": "standard"}
        return {**head, "stop_reason": reason, "stop_sequence": sequence, "usage": usage}

    def usage(self, tokens: int) -> dict[str, Any]:
        """Tokens up to now."""
        cached = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
        return {"input_tokens": self.prompt_tokens, **cached, "output_tokens": tokens}


class EventWriter:
    """Events of one stream. What opens and closes blocks leaves together with the piece beside it."""

    def __init__(self, message: Message, dump: Callable[[Any], bytes], ping_every: int) -> None:
        self._message = message
        self._dump = dump
        self._ping_every = ping_every
        self._open: tuple[str, int] | None = None
        self._index = -1
        self._pieces = 0
        self._thought = ""

    def event(self, kind: str, **fields: Any) -> bytes:
        """One event."""
        return b"event: " + kind.encode() + b"\ndata: " + self._dump({"type": kind, **fields}) + b"\n\n"

    def start(self) -> bytes:
        """What comes first."""
        return self.event("message_start", message=self._message.begun())

    def piece(self, piece: Piece) -> bytes:
        """What one piece becomes."""
        frame = b""
        if self._open != (piece.kind, piece.call):
            frame = self._close() + self._begin(piece)
        if piece.kind == "thinking":
            self._thought += piece.text
        kind, field = _DELTAS[piece.kind]
        frame += self.event("content_block_delta", index=self._index, delta={"type": kind, field: piece.text})
        self._pieces += 1
        if self._pieces == 1 or (self._ping_every and self._pieces % self._ping_every == 0):
            frame += self.event("ping")
        return frame

    def end(self) -> bytes:
        """What comes before `message_stop`."""
        message = self._message
        delta = {"stop_reason": message.stop_reason, "stop_sequence": message.stop_sequence}
        usage = message.usage(message.answer.tokens)
        return self._close() + self.event("message_delta", delta=delta, usage=usage)

    def empty(self) -> bytes:
        """A piece of text with nothing in it."""
        return self.event("content_block_delta", index=max(0, self._index), delta={"type": "text_delta", "text": ""})

    def _begin(self, piece: Piece) -> bytes:
        self._index += 1
        self._open = (piece.kind, piece.call)
        if piece.kind != "call":
            return self.event("content_block_start", index=self._index, content_block=_BLOCKS[piece.kind])
        block = {**_tool_use(self._message.answer.calls[piece.call]), "input": {}}
        begun = self.event("content_block_start", index=self._index, content_block=block)
        delta = {"type": "input_json_delta", "partial_json": ""}
        return begun + self.event("content_block_delta", index=self._index, delta=delta)

    def _close(self) -> bytes:
        return b"".join(self._closing())

    def _closing(self) -> Iterator[bytes]:
        if self._open is None:
            return
        if self._open[0] == "thinking":
            delta = {"type": "signature_delta", "signature": signature(self._thought)}
            yield self.event("content_block_delta", index=self._index, delta=delta)
        yield self.event("content_block_stop", index=self._index)
        self._open = None


def signature(thinking: str) -> str:
    """What proves that thoughts are the model's own."""
    return "Er" + hashlib.blake2b(thinking.encode(errors="replace"), digest_size=24).hexdigest()


def _tool_use(call: ToolCall) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"toolu_{call.id.removeprefix('call_')}", "name": call.name}
