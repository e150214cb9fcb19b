"""What a request asks of a language model, in the same form for every dialect."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from turnout.emulators.tokens import count_tokens

_TOKENS_PER_MESSAGE: Final = 4
_TOKENS_PER_IMAGE: Final = 256


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call; `parameters` is its JSON schema."""

    name: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. `schema` is the JSON schema of the answer ({} means any object); None means prose.

    `tool_choice` is auto, none, required or the name of a tool; `tool_results` says that the conversation ends with
    what a tool returned. `max_tokens` None means no limit. `messages` are the whole conversation in OpenAI's shape.
    """

    prompt: str
    prompt_tokens: int
    schema: Any = None
    tools: tuple[Tool, ...] = ()
    tool_choice: str = "auto"
    tool_results: bool = False
    think: bool = False
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    messages: Sequence[Mapping[str, Any]] = ()


def message_text(content: Any) -> str:
    """The text of a message's content, which is text, a list of parts, or nothing."""
    if isinstance(content, str):
        return content
    if isinstance(content, Mapping):
        content = [content]
    if not isinstance(content, Sequence):
        return ""
    texts = [part if isinstance(part, str) else part.get("text") or part.get("content") for part in content if part]
    return "\n".join(text for text in texts if isinstance(text, str))


def last_user_text(messages: Iterable[Mapping[str, Any]]) -> str:
    """What the user said last, as far as it is text."""
    said = [message_text(message.get("content")) for message in messages if message.get("role", "user") == "user"]
    return next((text for text in reversed(said) if text), "")


def count_prompt_tokens(messages: Sequence[Mapping[str, Any]], tools: Sequence[Any] = ()) -> int:
    """Tokens of a whole conversation and the tools offered with it."""
    tokens = count_tokens(json.dumps(tools)) if tools else 0
    for message in messages:
        content = message.get("content")
        tokens += _TOKENS_PER_MESSAGE + count_tokens(message_text(content))
        if message.get("tool_calls"):
            tokens += count_tokens(json.dumps(message["tool_calls"]))
        images = len(message.get("images") or ())
        if isinstance(content, list):
            images += sum(isinstance(part, Mapping) and "image" in str(part.get("type")) for part in content)
        tokens += _TOKENS_PER_IMAGE * images
    return tokens


def read_tools(tools: Any) -> tuple[Tool, ...]:
    """Tools in OpenAI's shape, which Ollama shares."""
    functions = [tool.get("function", tool) for tool in tools or () if isinstance(tool, Mapping)]
    return tuple(Tool(str(entry.get("name", "")), entry.get("parameters") or {}) for entry in functions)


def read_stop(stop: Any) -> tuple[str, ...]:
    """Stop sequences: none, one, or several."""
    return (stop,) if isinstance(stop, str) else tuple(text for text in stop or () if isinstance(text, str))


def read_openai_chat(body: Mapping[str, Any], *, think: bool = False) -> Question:
    """A body of `/v1/chat/completions`, checked already."""
    messages = body.get("messages") or []
    response_format = body.get("response_format") or {}
    schema: Any = None
    if response_format.get("type") == "json_schema":
        schema = (response_format.get("json_schema") or {}).get("schema") or {}
    elif response_format.get("type") == "json_object":
        schema = {}
    choice = body.get("tool_choice") or "auto"
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    return Question(
        prompt=last_user_text(messages),
        prompt_tokens=count_prompt_tokens(messages, body.get("tools") or ()),
        schema=schema,
        tools=read_tools(body.get("tools")),
        tool_choice=choice if isinstance(choice, str) else str((choice.get("function") or choice).get("name", "auto")),
        tool_results=bool(messages) and messages[-1].get("role") == "tool",
        think=think,
        max_tokens=limit if isinstance(limit, int) and limit > 0 else None,
        stop=read_stop(body.get("stop")),
        messages=messages,
    )
