"""Pieces that several of Ollama's answers have in common."""

from __future__ import annotations

import time
from typing import Any

from turnout.gateway.openai.shapes import encode, to_bytes
from turnout.gateway.refusals import Refusal


def error_body(refusal: Refusal) -> dict[str, Any]:
    """An error as Ollama's clients read it; the code is beside it."""
    return {"error": refusal.message, "code": refusal.code}


def line(value: Any) -> bytes:
    """One line of a stream."""
    return to_bytes(f"{encode(value)}\n")


def now() -> str:
    """The moment, as Ollama writes it: RFC 3339 in UTC."""
    moment = time.time()
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(moment))}.{int(moment % 1 * 1e6):06d}Z"
