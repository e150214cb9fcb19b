"""A pretended llama.cpp that says what a test wants and notices who leaves, for what a real one does too fast to see."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web


class Pretended:
    """Streams `words`, and then ends as `manner` says: "end" properly, "break" off, or "wait" until its caller leaves."""

    def __init__(self, words: Sequence[str] = ("a", "b"), manner: str = "end", *, refusal: Any = None) -> None:
        self.asked: list[dict[str, Any]] = []
        self.left = asyncio.Event()
        self._words, self._manner, self._refusal = words, manner, refusal

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Listen until the block ends; the value is the base URL."""
        app = web.Application()
        app.add_routes([web.post("/v1/chat/completions", self._chat), web.get("/v1/models", self._models)])
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    async def _models(self, _: web.Request) -> web.Response:
        return web.json_response(
            {"data": [{"id": "x", "meta": {"n_params": 2_000_000, "size": 4_000_000, "n_ctx": 99}}]}
        )

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(await request.json())
        if self._refusal is not None:
            return web.json_response({"error": self._refusal}, status=400)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for word in self._words:
            await response.write(event(word))
        if self._manner == "wait":
            try:
                await asyncio.Event().wait()
            finally:
                self.left.set()
        if self._manner == "end":
            usage = {"completion_tokens": len(self._words) + 1, "prompt_tokens": 7}
            last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
            for told in (last, {"choices": [], "usage": usage}):
                await response.write(b"data: " + json.dumps(told).encode() + b"\n\n")
            await response.write(b"data: [DONE]\n\n")
        return response


def event(word: str) -> bytes:
    """One chunk with one token."""
    token = {"token": word, "logprob": -0.5, "top_logprobs": [{"token": word, "logprob": -0.5}]}
    choice = {"index": 0, "delta": {"content": word}, "logprobs": {"content": [token]}, "finish_reason": None}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"
