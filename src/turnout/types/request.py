"""What a caller asks: messages, tools, sampling. Built here from a prompt or from chat messages in OpenAI's shape."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, cast

from turnout.errors import RequestError

RequestLike: TypeAlias = "str | Sequence[Mapping[str, Any]] | Request"
Reasoning: TypeAlias = Literal["off", "on", "low", "medium", "high"]


@dataclass(frozen=True, slots=True)
class Image:
    """A picture in a message: a data URI with base64 content, or a web address where the provider fetches it."""

    url: str

    @property
    def media_type(self) -> str | None:
        """The media type of a data URI, such as image/png; None for a web address."""
        return self.url[5:].partition(",")[0].partition(";")[0] if self.url.startswith("data:") else None

    @property
    def base64(self) -> str | None:
        """The base64 content of a data URI; None for a web address or another encoding."""
        head, comma, content = self.url.partition(",")
        return content if comma and head.startswith("data:") and head.endswith(";base64") else None


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool that a language model asks for; `arguments` is JSON text, as it came."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that a language model may call; `parameters` is a JSON schema."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=lambda: {"type": "object", "properties": {}})

    @classmethod
    def of(cls, value: Tool | Mapping[str, Any]) -> Tool:
        """Accept a ready tool or one in OpenAI's shape, with or without its `function` wrapper.

        Raises:
            RequestError: no name, or a field of the wrong type.
        """
        if isinstance(value, Tool):
            return value
        function = value.get("function", value) if isinstance(value, Mapping) else None
        if not isinstance(function, Mapping) or not isinstance(function.get("name"), str) or not function["name"]:
            raise RequestError("a tool needs a name: {'type': 'function', 'function': {'name': ...}}")
        parameters = function.get("parameters") or {"type": "object", "properties": {}}
        if not isinstance(parameters, Mapping):
            raise RequestError(f"the parameters of tool {function['name']} are not a JSON schema")
        return cls(function["name"], str(function.get("description") or ""), parameters)


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation. `tool_call_id` and `name` say which call a turn of role `tool` answers."""

    role: str
    content: str
    images: tuple[Image, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class JsonSchema:
    """The schema that an answer has to follow."""

    schema: Mapping[str, Any]
    name: str = "answer"


AnswerFormat: TypeAlias = "Literal['json'] | JsonSchema"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How tokens are drawn. None leaves a setting to the provider; `max_tokens` bounds the answer, reasoning included.

    `logprobs` asks for the log-probability of each token, `top_logprobs` (0 to 20) for as many alternatives.
    """

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repeat_penalty: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    logprobs: bool = False
    top_logprobs: int = 0


@dataclass(frozen=True, slots=True)
class Hints:
    """What a caller says beside the request: which conversation it belongs to, who asks, and headers for rules."""

    conversation: str = ""
    user: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """What a caller asks. `files` are paths that the prompt is about; their content is in the messages if anywhere.

    `tool_choice` is auto, none, required or the name of the one tool to call.
    """

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    files: tuple[str, ...] = ()
    sampling: Sampling = Sampling()
    tool_choice: str = "auto"
    answer_format: AnswerFormat | None = None
    reasoning: Reasoning | None = None

    @classmethod
    def of(cls, value: RequestLike) -> Request:
        """Accept a prompt, a list of chat messages (OpenAI's shape) or a ready request.

        Raises:
            RequestError: the value is of another type, holds no message, or a message has no usable content.
        """
        if isinstance(value, Request):
            return value
        if isinstance(value, str):
            return cls((Message("user", value),))
        if isinstance(value, bytes | bytearray | Mapping) or not isinstance(value, Sequence):
            raise RequestError(f"a request is a prompt or a list of messages, not {type(value).__name__}")
        if not value:
            raise RequestError("the list of messages is empty; give at least one user message")
        return cls(tuple(_message(index, entry) for index, entry in enumerate(value)))

    @property
    def prompt(self) -> str:
        """The text to be judged: the last user message, or the last message if no user spoke."""
        for message in reversed(self.messages):
            if message.role == "user":
                return message.content
        return self.messages[-1].content if self.messages else ""


def _message(index: int, entry: object) -> Message:
    if isinstance(entry, Message):
        return entry
    if not isinstance(entry, Mapping):
        raise RequestError(f"message {index} is {type(entry).__name__}, expected an object with role and content")
    fields = cast("Mapping[str, Any]", entry)
    role = fields.get("role", "user")
    if not isinstance(role, str):
        raise RequestError(f"message {index} has a role of type {type(role).__name__}, expected text")
    text, images = _content(index, fields.get("content"))
    calls = fields.get("tool_calls")
    if not calls and "tool_call_id" not in fields and "name" not in fields:
        return Message(role, text, images)
    if calls is not None and (isinstance(calls, str | bytes) or not isinstance(calls, Sequence)):
        raise RequestError(f"message {index} has tool_calls of type {type(calls).__name__}, expected a list")
    return Message(
        role,
        text,
        images,
        tuple(_tool_call(index, call) for call in calls or ()),
        str(fields.get("tool_call_id") or ""),
        str(fields.get("name") or ""),
    )


def _content(index: int, content: object) -> tuple[str, tuple[Image, ...]]:
    if content is None:
        return "", ()
    if isinstance(content, str):
        return content, ()
    if isinstance(content, bytes) or not isinstance(content, Sequence):
        raise RequestError(f"message {index} has content of type {type(content).__name__}, expected text or parts")
    texts: list[str] = []
    images: list[Image] = []
    for part in content:
        if not isinstance(part, Mapping):
            raise RequestError(f"message {index} has a content part of type {type(part).__name__}, expected an object")
        if isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif "image" in str(part.get("type", "")):
            images.append(_image(part))
    return "\n".join(texts), tuple(images)


def _image(part: Mapping[str, Any]) -> Image:
    """OpenAI's image_url (an object or plain text) or Anthropic's source; an image without address has an empty one."""
    value = part.get("image_url")
    if isinstance(value, Mapping):
        value = value.get("url")
    source = part.get("source")
    if value is None and isinstance(source, Mapping):
        value = source.get("url")
        if value is None and isinstance(source.get("data"), str) and isinstance(source.get("media_type"), str):
            value = f"data:{source['media_type']};base64,{source['data']}"
    return Image(value if isinstance(value, str) else "")


def _tool_call(index: int, call: object) -> ToolCall:
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(call, Mapping) or not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise RequestError(f"message {index} has a tool call without a function name")
    arguments = function.get("arguments", "{}")
    if not isinstance(arguments, str):
        try:
            arguments = json.dumps(arguments)
        except (TypeError, ValueError, RecursionError) as error:
            raise RequestError(f"message {index} has a tool call whose arguments are no JSON ({error})") from None
    return ToolCall(str(call.get("id") or ""), function["name"], arguments)
