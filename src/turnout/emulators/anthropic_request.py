"""A request to Anthropic's Messages API as a question."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from turnout.emulators.language_model import LanguageModel
from turnout.emulators.questions import Question, Tool, count_prompt_tokens, message_text, read_stop
from turnout.emulators.tokens import count_tokens

_VERSION: Final = re.compile(r"claude-(?:[a-z]+-)?(\d)(?:-(\d{1,2}))?(?!\d)")


def version_of(model: LanguageModel) -> tuple[int, int]:
    """The generation of a Claude, (4, 5) for claude-sonnet-4-5; anything else counts as older than what matters."""
    found = _VERSION.match(model.name)
    if found is None:
        return (4, 5)
    return int(found[1]), int(found[2] or 0)


def longest_answer(model: LanguageModel) -> int:
    """The most that `max_tokens` may be."""
    limits = {(3, 0): 4096, (3, 5): 8192, (3, 7): 64_000, (4, 0): 64_000, (4, 1): 32_000, (4, 5): 64_000}
    return 128_000 if version_of(model) >= (4, 6) else limits.get(version_of(model), 64_000)


def blocks_of(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The content of a message as blocks."""
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [block for block in content or () if isinstance(block, Mapping)]


def of_type(blocks: Sequence[Mapping[str, Any]], kind: str) -> Iterator[Mapping[str, Any]]:
    """The blocks of one type."""
    return (block for block in blocks if block.get("type") == kind)


def prompt_tokens(body: Mapping[str, Any]) -> int:
    """Tokens of the system prompt, the tools and the conversation."""
    tokens = count_tokens(message_text(body.get("system")))
    for message in body["messages"]:
        blocks = blocks_of(message)
        tokens += count_prompt_tokens([{"content": blocks}])
        tokens += sum(count_tokens(str(block.get("input"))) for block in of_type(blocks, "tool_use"))
    return tokens + (count_tokens(str(body["tools"])) if body.get("tools") else 0)


def read_question(body: Mapping[str, Any], model: LanguageModel, context: int) -> Question:
    """What a checked body asks. The answer ends where the context window does."""
    tokens = prompt_tokens(body)
    messages = body["messages"]
    said = ["\n".join(str(block.get("text")) for block in of_type(blocks_of(m), "text")) for m in messages]
    spoken = [text for text, message in zip(said, messages, strict=True) if message["role"] == "user" and text]
    choice = body.get("tool_choice") or {"type": "auto"}
    thinking = (body.get("thinking") or {}).get("type")
    wanted = (body.get("output_config") or {}).get("format")
    return Question(
        prompt=spoken[-1] if spoken else "",
        prompt_tokens=tokens,
        schema=wanted.get("schema") or {} if wanted else None,
        tools=tuple(Tool(str(tool["name"]), tool.get("input_schema") or {}) for tool in body.get("tools") or ()),
        tool_choice=str(choice["name"])
        if choice["type"] == "tool"
        else {"any": "required"}.get(choice["type"], choice["type"]),
        tool_results=any(of_type(blocks_of(messages[-1]), "tool_result")),
        think=model.thinks and thinking in ("enabled", "adaptive"),
        max_tokens=min(body["max_tokens"], max(1, context - tokens)),
        stop=read_stop(body.get("stop_sequences")),
    )
