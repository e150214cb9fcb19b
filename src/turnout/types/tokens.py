"""How many tokens a request will take, without a tokenizer: a likely number, and one it cannot be under."""

from __future__ import annotations

from typing import Final

from turnout.types.request import Request

# A token of prose or code is 3 to 5 bytes of UTF-8 in the vocabularies of 2024 to 2026, and rarely above 8.
BYTES_PER_TOKEN: Final = 4.0
MOST_BYTES_PER_TOKEN: Final = 8.0
TOKENS_PER_MESSAGE: Final = 4  # role and separators of a chat template


def likely_tokens(request: Request) -> int:
    """What the prompt probably takes, tools included; pictures are left out."""
    return int(_size(request) / BYTES_PER_TOKEN) + TOKENS_PER_MESSAGE * len(request.messages)


def least_tokens(request: Request) -> int:
    """What the prompt takes at the very least: if even this does not fit, it does not fit."""
    return int(_size(request) / MOST_BYTES_PER_TOKEN)


def _size(request: Request) -> int:
    size = 0
    for message in request.messages:
        size += _bytes(message.content)
        for call in message.tool_calls:
            size += len(call.name) + len(call.arguments)
    for tool in request.tools:
        size += len(tool.name) + len(tool.description) + len(str(tool.parameters))
    return size


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
