"""Chats and generations as Ollama's clients read them, whole and line by line."""

from __future__ import annotations

import json
from typing import Any

from turnout.gateway.ollama.shapes import error_body, line, now
from turnout.gateway.openai.shapes import encode, logprobs, to_bytes, told
from turnout.gateway.refusals import Refusal
from turnout.types import Answer, Chunk, Completion, ToolCall, ToolCallDelta


class OllamaAnswer:
    """Writes one answer.

    Args:
        model: the name that was asked for, which clients expect back.
        chat: a message, else a response in one text.
    """

    media_type = "application/x-ndjson"

    def __init__(self, model: str, *, chat: bool) -> None:
        self._model = model
        self._chat = chat
        self._calls: dict[int, ToolCallDelta] = {}

    @property
    def comment(self) -> bytes:
        """A sign of life: this dialect has no comments, but a piece may be empty."""
        return line({**self._head(), **self._said("", "", []), "done": False})

    def whole(self, completion: Completion) -> bytes:
        """The whole answer."""
        answer = completion.answer
        said = self._said(answer.text, answer.reasoning, [_call(call) for call in answer.tool_calls])
        if answer.logprobs:
            said["logprobs"] = logprobs(answer.logprobs)
        return to_bytes(encode({**self._head(), **said, **_end(completion)}))

    def begin(self, identifier: str, candidate: str) -> bytes:  # noqa: ARG002 - of the protocol
        """What comes before the first piece."""
        return b""

    def piece(self, chunk: Chunk) -> bytes:
        """One piece. Calls are collected: here they come whole."""
        for delta in chunk.tool_calls:
            known = self._calls.get(delta.index, ToolCallDelta(delta.index))
            self._calls[delta.index] = ToolCallDelta(
                delta.index, delta.id or known.id, delta.name or known.name, known.arguments + delta.arguments
            )
        if not (chunk.text or chunk.reasoning or chunk.logprobs):
            return b""
        said = self._said(chunk.text, chunk.reasoning, [])
        if chunk.logprobs:
            said["logprobs"] = logprobs(chunk.logprobs)
        return line({**self._head(), **said, "done": False})

    def end(self, completion: Completion) -> bytes:
        """The last lines."""
        calls = completion.answer.tool_calls or tuple(
            ToolCall(one.id, one.name, one.arguments) for one in self._calls.values()
        )
        first = line({**self._head(), **self._said("", "", [_call(call) for call in calls]), "done": False})
        last = line({**self._head(), **self._said("", "", []), **_end(completion)})
        return first + last if calls else last

    def broken(self, refusal: Refusal) -> bytes:
        """The end of an answer that failed."""
        return line(error_body(refusal))

    def _head(self) -> dict[str, Any]:
        return {"model": self._model, "created_at": now()}

    def _said(self, text: str, reasoning: str, calls: list[dict[str, Any]]) -> dict[str, Any]:
        if not self._chat:
            return {"response": text, **({"thinking": reasoning} if reasoning else {})}
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if reasoning:
            message["thinking"] = reasoning
        if calls:
            message["tool_calls"] = calls
        return {"message": message}


def _call(call: ToolCall) -> dict[str, Any]:
    try:
        arguments = json.loads(call.arguments) if call.arguments.strip() else {}
    except (ValueError, RecursionError):
        arguments = {}
    if not isinstance(arguments, dict):
        arguments = {"value": arguments}
    return {**({"id": call.id} if call.id else {}), "function": {"name": call.name, "arguments": arguments}}


def _end(completion: Completion) -> dict[str, Any]:
    """How it ended, with durations in nanoseconds."""
    answer: Answer = completion.answer
    timings, used = answer.timings, answer.usage
    told_times = {
        "total_duration": completion.total_s,
        "load_duration": timings.load_s or 0.0,
        "prompt_eval_duration": timings.prefill_s or 0.0,
        "eval_duration": timings.decode_s or completion.total_s,
    }
    return {
        "done": True,
        "done_reason": "length" if answer.finish == "length" else "stop",
        **{name: int(seconds * 1e9) for name, seconds in told_times.items()},
        "prompt_eval_count": used.prompt_tokens or 0,
        "eval_count": used.completion_tokens or 0,
        "turnout": told(completion),
    }
