"""Anthropic's messages on the wire: a request as a body, a body or its events as an answer.

Sources: platform.claude.com, "Messages", "Streaming messages", "Extended thinking", "Structured outputs".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from turnout.errors import BadRequestError
from turnout.providers.assembly import Assembly
from turnout.providers.base import parse
from turnout.providers.failures import failure, told_error
from turnout.providers.fields import count, listed, text
from turnout.providers.framing import Event
from turnout.providers.schemas import closed
from turnout.types import Chunk, Finish, Image, JsonSchema, Message, Request, ToolCallDelta, Usage

_NOT_UNDERSTOOD: Final = ("min_p", "presence_penalty", "frequency_penalty", "repeat_penalty", "seed")
_FINISH: Mapping[str, Finish] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_THINKING_TOKENS: Final = {"low": 1024, "on": 4096, "medium": 4096, "high": 16384}
_LEAST_THINKING_TOKENS: Final = 1024


def message_body(model: str, request: Request, max_tokens: int) -> tuple[dict[str, Any], list[str]]:
    """The body of a message, and a warning for each parameter that cannot be honoured.

    Args:
        model: the language model.
        request: what is asked.
        max_tokens: the bound where the request gives none.

    Raises:
        BadRequestError: a picture without an address, or an earlier tool call whose arguments are no JSON object.
    """
    sampling = request.sampling
    warnings: list[str] = []
    body: dict[str, Any] = {
        "model": model,
        "messages": _turns([m for m in request.messages if m.role not in ("system", "developer")]),
        "max_tokens": max_tokens if sampling.max_tokens is None else sampling.max_tokens,
    }
    system = [m.content for m in request.messages if m.role in ("system", "developer") and m.content]
    if system:
        body["system"] = "\n\n".join(system)
    for name in ("temperature", "top_p", "top_k"):
        if (value := getattr(sampling, name)) is not None:
            body[name] = value
    if sampling.stop:
        body["stop_sequences"] = list(sampling.stop)
    if request.tools:
        body |= _tools(request)
    if request.reasoning in _THINKING_TOKENS:
        _add_thinking(body, request, _THINKING_TOKENS[request.reasoning], warnings)
    if isinstance(request.answer_format, JsonSchema):
        body["output_config"] = {"format": {"type": "json_schema", "schema": closed(request.answer_format.schema)}}
    elif request.answer_format is not None:
        warnings.append("JSON without a schema cannot be demanded here; the prompt has to ask for it")
    left_out = [name for name in _NOT_UNDERSTOOD if getattr(sampling, name) is not None]
    left_out += ["logprobs"] if sampling.logprobs else []
    return body, [*warnings, *(f"{name} is not understood here and was left out" for name in left_out)]


def _add_thinking(body: dict[str, Any], request: Request, budget: int, warnings: list[str]) -> None:
    """Thinking, unless something else in the request does not go with it; that is what counts then."""
    against: list[str] = [name for name in ("temperature", "top_k") if name in body]
    if body.get("tool_choice", {}).get("type") in ("any", "tool"):
        against.append("a demanded tool")
    if request.messages and request.messages[-1].role == "tool":
        against.append("the result of a tool, whose call would have to carry its signed thinking")
    if request.sampling.max_tokens is not None and request.sampling.max_tokens < 2 * _LEAST_THINKING_TOKENS:
        against.append(f"a bound of {request.sampling.max_tokens} tokens")
    if against:
        warnings.append(f"reasoning does not go with {' and '.join(against)} here and was left out")
        return
    # The budget counts inside max_tokens and has to leave room for the answer.
    if request.sampling.max_tokens is None:
        body["max_tokens"] = max(body["max_tokens"], budget + _LEAST_THINKING_TOKENS)
    budget = min(budget, body["max_tokens"] - _LEAST_THINKING_TOKENS)
    body["thinking"] = {"type": "enabled", "budget_tokens": budget}


def _tools(request: Request) -> dict[str, Any]:
    choice = request.tool_choice
    return {
        "tools": [
            {"name": tool.name, "description": tool.description, "input_schema": tool.parameters}
            for tool in request.tools
        ],
        "tool_choice": {"type": {"required": "any"}.get(choice, choice)}
        if choice in ("auto", "none", "required")
        else {"type": "tool", "name": choice},
    }


def _turns(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Turns as blocks; results of tools are blocks of a user turn, and all results of one turn share one."""
    turns: list[dict[str, Any]] = []
    for message in messages:
        if message.role == "tool":
            content: Any = message.content
            if message.images:
                content = [{"type": "text", "text": message.content}, *map(_picture, message.images)]
            block = {"type": "tool_result", "tool_use_id": message.tool_call_id, "content": content}
            if turns and turns[-1]["content"][-1].get("type") == "tool_result":
                turns[-1]["content"].append(block)
            else:
                turns.append({"role": "user", "content": [block]})
            continue
        blocks: list[dict[str, Any]] = [_picture(image) for image in message.images]
        if message.content or not (blocks or message.tool_calls):
            blocks.append({"type": "text", "text": message.content})
        blocks += [
            {"type": "tool_use", "id": call.id, "name": call.name, "input": _object(call.arguments)}
            for call in message.tool_calls
        ]
        turns.append({"role": message.role, "content": blocks})
    return turns


def _picture(image: Image) -> dict[str, Any]:
    if image.base64 is not None:
        return {"type": "image", "source": {"type": "base64", "media_type": image.media_type, "data": image.base64}}
    if not image.url.startswith(("http://", "https://")):
        raise BadRequestError("a picture has to be given as a base64 data URI or a web address here")
    return {"type": "image", "source": {"type": "url", "url": image.url}}


def _object(arguments: str) -> dict[str, Any]:
    try:
        value = json.loads(arguments)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise BadRequestError("an earlier tool call has arguments that are not a JSON object")
    return value


def read_whole(document: Mapping[str, Any], assembly: Assembly) -> None:
    _read_message(document, assembly)
    for index, block in enumerate(listed(document, "content")):
        kind = block.get("type")
        if kind == "text":
            assembly.add(Chunk(text(block.get("text"))))
        elif kind == "thinking":
            assembly.add(Chunk(reasoning=text(block.get("thinking"))))
        elif kind == "tool_use":
            call = ToolCallDelta(index, text(block.get("id")), text(block.get("name")), json.dumps(block.get("input")))
            assembly.add(Chunk(tool_calls=(call,)))
    assembly.close()


def _read_message(message: Mapping[str, Any], assembly: Assembly) -> None:
    if isinstance(message.get("model"), str):
        assembly.model = message["model"]
    reason, usage = message.get("stop_reason"), message.get("usage")
    if isinstance(reason, str):
        assembly.finish = _FINISH.get(reason, "stop")
    if isinstance(usage, dict):
        cached = count(usage.get("cache_read_input_tokens"))
        fresh = count(usage.get("input_tokens"))
        assembly.usage = Usage(
            # What was read from or written to the cache is not part of input_tokens.
            fresh + (cached or 0) + (count(usage.get("cache_creation_input_tokens")) or 0)
            if fresh is not None
            else assembly.usage.prompt_tokens,
            count(usage.get("output_tokens")),
            cached_tokens=cached if cached is not None else assembly.usage.cached_tokens,
        )


class Reader:
    """Events into chunks."""

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly
        self.stopped = False

    def read(self, event: Event) -> Chunk:
        """What one event adds; kinds that are not known yet add nothing, as the API's versioning rule demands."""
        frame = parse(event.data)
        kind = str(frame.get("type") or event.name)
        if kind == "error":
            raise failure(200, told_error(frame) or event.data)
        if kind == "message_start" and isinstance(frame.get("message"), dict):
            _read_message(frame["message"], self._assembly)
        elif kind == "message_delta":
            delta = frame.get("delta")
            _read_message({**(delta if isinstance(delta, dict) else {}), "usage": frame.get("usage")}, self._assembly)
        elif kind == "message_stop":
            self.stopped = True
        elif kind == "content_block_start":
            return self._block(frame.get("content_block"), frame.get("index"))
        elif kind == "content_block_delta":
            return self._delta(frame.get("delta"), frame.get("index"))
        return Chunk()

    def _block(self, block: object, index: object) -> Chunk:
        if not isinstance(block, dict):
            return Chunk()
        if block.get("type") == "tool_use":
            call = ToolCallDelta(count(index) or 0, text(block.get("id")), text(block.get("name")))
            return Chunk(tool_calls=(call,))
        return Chunk(text(block.get("text")), text(block.get("thinking")))

    def _delta(self, delta: object, index: object) -> Chunk:
        if not isinstance(delta, dict):
            return Chunk()
        if delta.get("type") == "input_json_delta":
            return Chunk(tool_calls=(ToolCallDelta(count(index) or 0, arguments=text(delta.get("partial_json"))),))
        return Chunk(text(delta.get("text")), text(delta.get("thinking")))
