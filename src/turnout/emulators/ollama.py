"""Ollama: its native API. `/v1` is in `ollama_openai`, listings in `ollama_listing`, vectors in `ollama_embed`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import Any

from aiohttp import web

from turnout.emulators.call import CALL
from turnout.emulators.faults import FaultName
from turnout.emulators.ollama_base import OllamaBase, host_is_allowed, timestamp
from turnout.emulators.ollama_chat import Ask, Chunk, Whole, chunks, read_ask
from turnout.emulators.ollama_embed import EmbedRoutes
from turnout.emulators.ollama_listing import ListingRoutes
from turnout.emulators.ollama_openai import OpenAIRoutes
from turnout.emulators.ollama_request import read_body, read_messages
from turnout.emulators.server import EmulatorOptions, Handler


def make(options: EmulatorOptions) -> Ollama:
    """An Ollama with its default models, 24 GiB of video memory and 96 GiB in all."""
    return Ollama(options)


class Ollama(OllamaBase):
    """The whole server."""

    def routes(self) -> Sequence[web.RouteDef]:
        listing, embed, openai = ListingRoutes(self), EmbedRoutes(self), OpenAIRoutes(self)
        native = [web.post("/api/chat", self._chat), web.post("/api/generate", self._generate)]
        return [
            web.route(route.method, route.path, self._guarded(route.handler), **route.kwargs)
            for route in (*native, *listing.routes(), *embed.routes(), *openai.routes())
        ]

    @staticmethod
    def _guarded(handler: Any) -> Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            if not host_is_allowed(request):
                return web.Response(status=403)
            response: web.StreamResponse = await handler(request)
            return response

        return guarded

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = read_body(request[CALL], "ChatRequest")
        ask = read_ask(self, body, read_messages(body), "chat")
        return await self._respond_with(request, ask, body, _chat_fields)

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        body = read_body(request[CALL], "GenerateRequest")
        prompt = body.get("prompt") or ""
        messages = [{"role": "user", "content": prompt, "images": body.get("images")}] if prompt else []
        if messages and body.get("system"):
            messages.insert(0, {"role": "system", "content": str(body["system"])})
        ask = read_ask(self, body, messages, "generate")
        return await self._respond_with(request, ask, body, _generate_fields)

    async def _respond_with(
        self, request: web.Request, ask: Ask, body: Mapping[str, Any], fields: Any
    ) -> web.StreamResponse:
        """Lines of JSON unless `stream` is false; either way the last line is the one with the metrics."""
        call = request[CALL]
        async with aclosing(chunks(self, request, ask)) as made:
            if body.get("stream") is False:
                whole = Whole()
                async for chunk in made:
                    whole.add(chunk)
                last = whole.last
                if call.suffers(FaultName.MISSING_TERMINATOR):  # the model server ended its stream early
                    call.handle(FaultName.MISSING_TERMINATOR)
                    last = Chunk()
                gathered = Chunk(
                    whole.text, whole.thinking, whole.calls, tuple(whole.logprobs), last.done, last.reason, last.metrics
                )
                return self.json(self._line(ask, gathered, fields))
            stream = self.stream(request, "application/x-ndjson")
            async for chunk in made:
                line = self.dump(self._line(ask, chunk, fields)) + b"\n"
                if chunk.done:
                    return await stream.finish(line)
                await stream.send(line)
        raise AssertionError("the last chunk is done")

    def _line(self, ask: Ask, chunk: Chunk, fields: Any) -> dict[str, Any]:
        line = {"model": ask.name, "created_at": timestamp(), **fields(chunk), "done": chunk.done}
        if chunk.reason:
            line["done_reason"] = chunk.reason
        if chunk.logprobs:
            line["logprobs"] = list(chunk.logprobs)
        return {**line, **chunk.metrics}


def _chat_fields(chunk: Chunk) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": chunk.text}
    if chunk.thinking:
        message["thinking"] = chunk.thinking
    if chunk.calls:
        message["tool_calls"] = [
            {"id": call.id, "function": {"index": index, "name": call.name, "arguments": call.arguments}}
            for index, call in enumerate(chunk.calls)
        ]
    return {"message": message}


def _generate_fields(chunk: Chunk) -> dict[str, Any]:
    fields = {"response": chunk.text}
    return {**fields, "thinking": chunk.thinking} if chunk.thinking else fields
