"""Ollama's `/v1/chat/completions`: a layer over its native chat, with the losses that this has there as well."""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final

from aiohttp import web

from turnout.emulators.api_error import ApiError
from turnout.emulators.call import CALL
from turnout.emulators.chance import draw
from turnout.emulators.ollama_base import OllamaBase
from turnout.emulators.ollama_chat import Ask, Chunk, Whole, arguments_json, chunks, read_ask
from turnout.emulators.ollama_request import read_body
from turnout.emulators.questions import message_text

_IMAGE: Final = re.compile(r"data:image/(?:jpeg|jpg|png|webp);base64,(.+)", re.DOTALL)
_EFFORTS: Final = {"none": False, "low": "low", "medium": "medium", "high": "high"}
_LATER_EFFORTS: Final = {"minimal": "low", "xhigh": "max", "ultra": "max", "max": "max"}


class OpenAIRoutes:
    """Chat in OpenAI's shape. `tool_choice`, `n`, `max_completion_tokens` and what is unknown are ignored."""

    def __init__(self, server: OllamaBase) -> None:
        self._server = server

    def routes(self) -> Sequence[web.RouteDef]:
        """The one endpoint."""
        return [web.post("/v1/chat/completions", self._chat)]

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = read_body(request[CALL], "ChatCompletionRequest")
        native = self._native(body)
        ask = read_ask(self._server, native, native["messages"], "chat")
        identifier = f"chatcmpl-{int(draw(self._server.seed, sum(self._server.requests.values())) * 999)}"
        streamed = bool(body.get("stream"))
        head = {
            "id": identifier,
            "object": "chat.completion.chunk" if streamed else "chat.completion",
            "created": int(time.time()),
            "model": ask.name,
            "system_fingerprint": "fp_ollama",
        }
        async with aclosing(chunks(self._server, request, ask)) as made:
            if not streamed:
                whole = Whole()
                async for chunk in made:
                    whole.add(chunk)
                return self._server.json(_completion(head, whole))
            usage = bool((body.get("stream_options") or {}).get("include_usage"))
            return await self._stream(request, ask, made, head, usage)

    async def _stream(
        self, request: web.Request, ask: Ask, made: AsyncIterator[Chunk], head: Mapping[str, Any], usage: bool
    ) -> web.StreamResponse:
        writer = _Writer(head, role_once=self._server.since(0, 32, 6), usage=usage)
        stream = self._server.stream(request)
        async for chunk in made:
            frames = [b"data: " + self._server.dump(part) + b"\n\n" for part in writer.parts(chunk)]
            if chunk.done:
                return await stream.finish(*frames, b"data: [DONE]\n\n")
            for frame in frames:
                await stream.send(frame)
        raise AssertionError(f"the last chunk of {ask.name} is done")

    def _native(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The native request that this one becomes."""
        if not body.get("messages"):
            raise ApiError(400, "[] is too short - 'messages'")
        response_format = body.get("response_format") or {}
        schema: Any = "json" if response_format.get("type") == "json_object" else None
        if response_format.get("type") == "json_schema":
            schema = (response_format.get("json_schema") or {}).get("schema")
        options = {"num_predict": body.get("max_tokens") or -1, "stop": _as_list(body.get("stop"))}
        return {
            "model": body.get("model"),
            "messages": [part for message in body["messages"] for part in _native_messages(message)],
            "tools": body.get("tools"),
            "format": schema,
            "think": self._think(body),
            "options": options,
            "logprobs": body.get("logprobs"),
            "top_logprobs": body.get("top_logprobs"),
        }

    def _think(self, body: Mapping[str, Any]) -> Any:
        reasoning = body.get("reasoning")
        effort = body.get("reasoning_effort") or (reasoning.get("effort") if isinstance(reasoning, Mapping) else None)
        if effort is None:
            return None
        known = {**_EFFORTS, **(_LATER_EFFORTS if self._server.since(0, 32, 11) else {})}
        if effort not in known:
            raise ApiError(400, f"invalid reasoning value: '{effort}' (must be {', '.join(known)})")
        return known[effort]


def _as_list(stop: Any) -> list[Any]:
    return [stop] if isinstance(stop, str) else list(stop or ())


def _native_messages(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """One message, or one for each part of its content."""
    for call in message.get("tool_calls") or ():
        try:
            json.loads((call.get("function") or {}).get("arguments") or "{}")
        except ValueError:
            raise ApiError(400, "invalid tool call arguments") from None
    content = message.get("content")
    if not isinstance(content, list):
        yield {**message, "content": message_text(content)}
        return
    for part in content:
        if part.get("type") == "image_url":
            address = part.get("image_url")
            url = str(address.get("url") if isinstance(address, Mapping) else address)
            if url.startswith(("http://", "https://")):
                raise ApiError(400, "image URLs are not currently supported, please use base64 encoded data instead")
            image = _IMAGE.fullmatch(url)
            if image is None:
                raise ApiError(400, "invalid image input")
            yield {"role": message.get("role"), "content": "", "images": [image[1]]}
        else:
            yield {"role": message.get("role"), "content": message_text([part])}


def _usage(last: Chunk) -> dict[str, int]:
    prompt, completion = last.metrics.get("prompt_eval_count", 0), last.metrics.get("eval_count", 0)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _tool_calls(chunk: Chunk | Whole) -> list[dict[str, Any]]:
    return [
        {
            "id": call.id,
            "index": index,
            "type": "function",
            "function": {"name": call.name, "arguments": arguments_json(call)},
        }
        for index, call in enumerate(chunk.calls)
    ]


def _completion(head: Mapping[str, Any], whole: Whole) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": whole.text}
    if whole.thinking:
        message["reasoning"] = whole.thinking
    reason = whole.last.reason
    if whole.calls:
        message["tool_calls"] = _tool_calls(whole)
        reason = "tool_calls" if reason == "stop" else reason
    choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": reason}
    if whole.logprobs:
        choice["logprobs"] = {"content": whole.logprobs}
    return {**head, "choices": [choice], "usage": _usage(whole.last)}


class _Writer:
    """The chunks of one stream. Since 0.32.6 the role comes once and the finish reason alone."""

    def __init__(self, head: Mapping[str, Any], *, role_once: bool, usage: bool) -> None:
        self._head = head
        self._role_once = role_once
        self._usage = usage
        self._begun = self._called = False

    def parts(self, chunk: Chunk) -> Iterator[dict[str, Any]]:
        """What one native chunk becomes."""
        if chunk.done:
            yield self._chunk({} if self._role_once else self._delta(chunk), chunk, self._finish(chunk.reason))
            if self._usage:
                yield {**self._head, "choices": [], "usage": _usage(chunk)}
            return
        delta = self._delta(chunk)
        if chunk.thinking:
            delta["reasoning"] = chunk.thinking
        if chunk.calls:
            self._called = True
            delta["tool_calls"] = _tool_calls(chunk)
        yield self._chunk(delta, chunk, None)

    def _delta(self, chunk: Chunk) -> dict[str, Any]:
        role = {} if self._begun and self._role_once else {"role": "assistant"}
        self._begun = True
        return {**role, "content": chunk.text}

    def _finish(self, reason: str) -> str:
        replaced = ("stop",) if self._role_once else ("stop", "length")
        return "tool_calls" if self._called and reason in replaced else reason

    def _chunk(self, delta: Mapping[str, Any], chunk: Chunk, finish: str | None) -> dict[str, Any]:
        choice: dict[str, Any] = {"index": 0, "delta": delta, "finish_reason": finish}
        if chunk.logprobs:
            choice["logprobs"] = {"content": list(chunk.logprobs)}
        return {**self._head, "choices": [choice]}
