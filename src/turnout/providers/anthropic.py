"""Anthropic's messages API: named events, blocks by index, `message_stop` as the proof of the end.

Sources: platform.claude.com, "Messages", "Streaming messages", "Errors", "Structured outputs".
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final

from turnout.errors import BadRequestError, IncompleteError
from turnout.providers.assembly import Assembly
from turnout.providers.base import HttpProvider, listed, parse
from turnout.providers.clock import CallClock
from turnout.providers.failures import failure, told_error
from turnout.providers.framing import Event, EventDecoder
from turnout.providers.names import same_in_openai
from turnout.providers.openai_wire import count
from turnout.providers.protocol import Call, Pieces
from turnout.providers.schemas import closed
from turnout.types import (
    Answer,
    Chunk,
    Embeddings,
    Finish,
    JsonSchema,
    LanguageModel,
    Message,
    Request,
    ToolCallDelta,
    Usage,
)

VERSION: Final = "2023-06-01"
_NOT_UNDERSTOOD: Final = (
    "min_p",
    "presence_penalty",
    "frequency_penalty",
    "repeat_penalty",
    "seed",
    "logprobs",
)
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
_CONTEXT_LENGTH: Final = 200_000  # of every language model this API has served since 2024; the list does not tell


class AnthropicProvider(HttpProvider):
    """`base_url` is the bare address; a key is needed.

    Option `max_tokens` (default 4096): the bound on an answer where the caller gives none, because the API insists.
    """

    OPTIONS: Mapping[str, type | tuple[type, ...]] = {"max_tokens": int}

    def _headers(self) -> dict[str, str]:
        return {"anthropic-version": VERSION, **({"x-api-key": self._key} if self._key else {})}

    async def complete(self, call: Call) -> Answer:
        """One whole answer from `/v1/messages`."""
        assembly = Assembly(f"{self.name}/{call.model}")
        with self._telling(call.model, assembly):
            body = self._body(call, assembly)
            _read_whole(await self._post("/v1/messages", body, call.clock), assembly)
            if assembly.finish is None:
                raise IncompleteError("the answer does not say how it ended")
            self._check_model(call.model, assembly, same_in_openai)
            return assembly.answer()

    def stream(self, call: Call) -> Pieces:
        """A streamed answer from `/v1/messages`."""
        return self._pieces(call)

    async def _pieces(self, call: Call) -> AsyncGenerator[Chunk | Answer, None]:
        assembly = Assembly(f"{self.name}/{call.model}")
        reader = _Reader(assembly)
        with self._telling(call.model, assembly):
            body = self._body(call, assembly) | {"stream": True}
            async with aclosing(self._events("/v1/messages", body, call.clock, EventDecoder())) as events:
                async for event in events:
                    chunk = assembly.add(reader.read(event))
                    self._check_model(call.model, assembly, same_in_openai)
                    if chunk.has_content:
                        call.clock.received()
                        yield chunk
            rest = assembly.close()
            if rest.has_content:
                yield rest
            if not reader.stopped or assembly.finish is None:
                raise IncompleteError("the stream ended without `message_stop`")
            yield assembly.answer()

    def _body(self, call: Call, assembly: Assembly) -> dict[str, Any]:
        request, sampling = call.request, call.request.sampling
        turns = [message for message in request.messages if message.role not in ("system", "developer")]
        body: dict[str, Any] = {
            "model": call.model,
            "messages": _turns(turns),
            "max_tokens": sampling.max_tokens or self.settings.options.get("max_tokens", 4096),
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
            budget = _THINKING_TOKENS[request.reasoning]
            # The budget counts inside max_tokens, which has to be larger.
            body["max_tokens"] = max(body["max_tokens"], budget + 1024)
            body["thinking"] = {"type": "enabled", "budget_tokens": budget}
        if isinstance(request.answer_format, JsonSchema):
            schema = {"type": "json_schema", "schema": closed(request.answer_format.schema)}
            body["output_config"] = {"format": schema}
        elif request.answer_format is not None:
            assembly.warnings.append("JSON without a schema cannot be demanded here; the prompt has to ask for it")
        assembly.warnings += [
            f"{name} is not understood here and was left out"
            for name in _NOT_UNDERSTOOD
            if getattr(sampling, name) not in (None, False)
        ]
        return body

    async def embed(self, model: str, texts: Sequence[str], clock: CallClock) -> Embeddings:
        """Refused: there are no embeddings here."""
        del texts, clock
        raise BadRequestError("Anthropic has no embeddings; name another provider", provider=self.name, model=model)

    async def discover(self, clock: CallClock) -> tuple[LanguageModel, ...]:
        """The language models of `/v1/models`."""
        with self._telling(""):
            return (await self._look(clock))[1]

    async def _look(self, clock: CallClock) -> tuple[str | None, tuple[LanguageModel, ...]]:
        entries = listed(await self._get("/v1/models?limit=1000", clock), "data")
        return VERSION, tuple(
            LanguageModel(
                name=str(entry["id"]),
                capabilities=frozenset({"chat", "tools", "vision", "json_schema", "reasoning"}),
                context_length=count(entry.get("max_input_tokens")) or _CONTEXT_LENGTH,
                remote=True,
            )
            for entry in entries
            if entry.get("id")
        )


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
            block = {"type": "tool_result", "tool_use_id": message.tool_call_id, "content": message.content}
            if turns and turns[-1]["content"][-1].get("type") == "tool_result":
                turns[-1]["content"].append(block)
            else:
                turns.append({"role": "user", "content": [block]})
            continue
        blocks: list[dict[str, Any]] = [_picture(image.url, image.media_type, image.base64) for image in message.images]
        if message.content or not (blocks or message.tool_calls):
            blocks.append({"type": "text", "text": message.content})
        blocks += [
            {"type": "tool_use", "id": call.id, "name": call.name, "input": _object(call.arguments)}
            for call in message.tool_calls
        ]
        turns.append({"role": message.role, "content": blocks})
    return turns


def _picture(url: str, media_type: str | None, content: str | None) -> dict[str, Any]:
    if content is None:
        return {"type": "image", "source": {"type": "url", "url": url}}
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": content}}


def _object(arguments: str) -> dict[str, Any]:
    try:
        value = json.loads(arguments)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise BadRequestError("an earlier tool call has arguments that are not a JSON object")
    return value


def _read_whole(document: Mapping[str, Any], assembly: Assembly) -> None:
    _read_message(document, assembly)
    for index, block in enumerate(listed(document, "content")):
        kind = block.get("type")
        if kind == "text":
            assembly.add(Chunk(_text(block.get("text"))))
        elif kind == "thinking":
            assembly.add(Chunk(reasoning=_text(block.get("thinking"))))
        elif kind == "tool_use":
            call = ToolCallDelta(
                index, _text(block.get("id")), _text(block.get("name")), json.dumps(block.get("input"))
            )
            assembly.add(Chunk(tool_calls=(call,)))
    assembly.close()


def _read_message(message: Mapping[str, Any], assembly: Assembly) -> None:
    if isinstance(message.get("model"), str):
        assembly.model = message["model"]
    reason, usage = message.get("stop_reason"), message.get("usage")
    if isinstance(reason, str):
        assembly.finish = _FINISH.get(reason, "stop")
    if isinstance(usage, Mapping):
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


class _Reader:
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
        if kind == "message_start" and isinstance(frame.get("message"), Mapping):
            _read_message(frame["message"], self._assembly)
        elif kind == "message_delta":
            delta = frame.get("delta")
            _read_message(
                {**(delta if isinstance(delta, Mapping) else {}), "usage": frame.get("usage")}, self._assembly
            )
        elif kind == "message_stop":
            self.stopped = True
        elif kind == "content_block_start":
            return self._block(frame.get("content_block"), frame.get("index"))
        elif kind == "content_block_delta":
            return self._delta(frame.get("delta"), frame.get("index"))
        return Chunk()

    def _block(self, block: object, index: object) -> Chunk:
        if not isinstance(block, Mapping):
            return Chunk()
        if block.get("type") == "tool_use":
            call = ToolCallDelta(count(index) or 0, _text(block.get("id")), _text(block.get("name")))
            return Chunk(tool_calls=(call,))
        return Chunk(_text(block.get("text")), _text(block.get("thinking")))

    def _delta(self, delta: object, index: object) -> Chunk:
        if not isinstance(delta, Mapping):
            return Chunk()
        if delta.get("type") == "input_json_delta":
            return Chunk(tool_calls=(ToolCallDelta(count(index) or 0, arguments=_text(delta.get("partial_json"))),))
        return Chunk(_text(delta.get("text")), _text(delta.get("thinking")))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
