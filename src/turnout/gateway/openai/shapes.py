"""Pieces that several of OpenAI's answers have in common."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from turnout.gateway.refusals import Refusal
from turnout.types import Completion, TokenLogprob, ToolCall, Usage

_encode: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
_LINE_ENDS: Final = {ord(char): f"\\u{ord(char):04x}" for char in "\x85\u2028\u2029"}
"""What ends a line in Unicode, though not in JSON: clients that read by lines, Ollama's among them, cut there."""


def encode(value: Any) -> str:
    """JSON in one line, whoever reads it."""
    text = _encode(value)
    return text if text.isascii() else text.translate(_LINE_ENDS)


def frame(value: Any, event: str = "") -> bytes:
    """One server-sent event."""
    head = f"event: {event}\n" if event else ""
    return to_bytes(f"{head}data: {encode(value)}\n\n")


def to_bytes(text: str) -> bytes:
    """UTF-8; halves of surrogate pairs, which no client could read, as question marks."""
    return text.encode("utf-8", "replace")


def error_body(refusal: Refusal) -> dict[str, Any]:
    """An error as OpenAI's clients read it."""
    return {"error": {"message": refusal.message, "type": refusal.kind, "param": refusal.param, "code": refusal.code}}


_PREFIXES: Final = ("chatcmpl-", "cmpl-", "resp_")


def decision_of(identifier: str) -> str:
    """The decision behind the id of an answer, which is the same behind a prefix; a decision stays what it is."""
    for prefix in _PREFIXES:
        if identifier.startswith(prefix):
            return identifier.removeprefix(prefix)
    return identifier


def usage(used: Usage) -> dict[str, Any] | None:
    """Tokens as far as the provider counted them; None where it did not."""
    if used.prompt_tokens is None and used.completion_tokens is None:
        return None
    prompt, made = used.prompt_tokens or 0, used.completion_tokens or 0
    told: dict[str, Any] = {"prompt_tokens": prompt, "completion_tokens": made, "total_tokens": prompt + made}
    if used.cached_tokens is not None:
        told["prompt_tokens_details"] = {"cached_tokens": used.cached_tokens}
    if used.reasoning_tokens is not None:
        told["completion_tokens_details"] = {"reasoning_tokens": used.reasoning_tokens}
    return told


def logprobs(tokens: Sequence[TokenLogprob]) -> list[dict[str, Any]]:
    """Log-probabilities of tokens with their alternatives."""
    return [
        {
            **_token(entry.token, entry.logprob),
            "top_logprobs": [_token(token, logprob) for token, logprob in entry.top],
        }
        for entry in tokens
    ]


def _token(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "logprob": max(logprob, -9999.0), "bytes": list(token.encode("utf-8", "replace"))}


def tool_call(call: ToolCall) -> dict[str, Any]:
    """A whole call of a function."""
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def told(completion: Completion) -> dict[str, Any]:
    """How the answer came about, beside the answer."""
    return {
        "decision": completion.id,
        "candidate": completion.candidate,
        "reason": completion.reason,
        "confidence": round(completion.confidence, 4),
        "cached": completion.cached,
        "escalated": completion.escalated,
        "fell_back": completion.fell_back,
        "seconds": round(completion.total_s, 4),
        "warnings": list(completion.answer.warnings),
    }
