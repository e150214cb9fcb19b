"""The clients that `overhead.py` compares: each asks the same small chat and gives back its text."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import aiohttp
import httpx
from overhead_server import MODEL

from turnout.config.providers import HealthSettings, ProviderSettings, QueueLimits
from turnout.providers import Call, Fleet, Pieces
from turnout.providers.clock import CallClock
from turnout.providers.registry import make
from turnout.types import Answer, Chunk, Request

PROMPT = "why does our lock deadlock under failover?"
MOST_AT_ONCE = 32


def _ollama_text(document: Any) -> str:
    return str(document["message"]["content"])


def _openai_text(document: Any) -> str:
    return str(document["choices"][0]["message"]["content"])


def _openai_line(line: bytes) -> str:
    if not line.startswith(b"data: ") or line.startswith(b"data: [DONE]"):
        return ""
    choices = json.loads(line[6:])["choices"]
    return str(choices[0]["delta"].get("content", "")) if choices else ""


@dataclass(frozen=True)
class Dialect:
    """How to ask, and where the text is in a body and in a line of a stream."""

    kind: Literal["ollama", "openai"]
    base: str
    path: str
    text: Callable[[Any], str]
    line: Callable[[bytes], str]

    def body(self, *, streamed: bool) -> dict[str, Any]:
        """What is posted."""
        return {"model": MODEL, "messages": [{"role": "user", "content": PROMPT}], "stream": streamed}


DIALECTS = {
    "ollama": Dialect(
        "ollama", "", "/api/chat", _ollama_text, lambda line: _ollama_text(json.loads(line)) if line else ""
    ),
    "openai": Dialect("openai", "/v1", "/chat/completions", _openai_text, _openai_line),
}


@dataclass(frozen=True)
class Client:
    """`whole` returns the text; `streamed` also the moment of its first piece, on `time.perf_counter`."""

    whole: Callable[[], Any]
    streamed: Callable[[], Any]


Opening: TypeAlias = Callable[[int, Dialect], AbstractAsyncContextManager[Client]]


class _Joined:
    """The text of a stream, and when its first piece came."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.first_s = 0.0

    def add(self, text: str) -> None:
        if text:
            if not self.parts:
                self.first_s = time.perf_counter()
            self.parts.append(text)

    def result(self) -> tuple[str, float]:
        return "".join(self.parts), self.first_s


class _Socket(asyncio.Protocol):
    """One connection of the bare client: HTTP/1.1 by hand, one request after the other, no error handled."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._data = bytearray()

    def ask(self, request: bytes, line: Callable[[bytes], str] | None) -> asyncio.Future[Any]:
        """Send; the result is the body, or with `line` what a stream of lines holds."""
        self._line, self._joined = line, _Joined()
        self._size: int | None = None
        self._is_chunked = False
        self._rest = b""
        self._done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._done

    def data_received(self, data: bytes) -> None:
        self._data += data
        if self._size is None and not self._is_chunked:
            end = self._data.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._data[:end]).lower()
            if not head.startswith(b"http/1.1 200"):
                self._done.set_exception(RuntimeError(head.decode()))
                return
            del self._data[: end + 4]
            _, found, rest = head.partition(b"content-length:")
            self._size = int(rest.partition(b"\r\n")[0]) if found else None
            self._is_chunked = not found
        if self._is_chunked:
            self._read_chunks()
        elif len(self._data) >= (self._size or 0):
            body = bytes(self._data)
            self._data.clear()
            self._done.set_result(body)

    def _read_chunks(self) -> None:
        data, start = bytes(self._data), 0
        while (end := data.find(b"\r\n", start)) >= 0:
            size = int(data[start:end], 16)
            if len(data) < end + 4 + size:
                break
            start = end + 4 + size
            if not size:
                self._done.set_result(self._joined.result())
                break
            *lines, self._rest = (self._rest + data[end + 2 : end + 2 + size]).split(b"\n")
            for one in lines:
                self._joined.add(self._line(one) if self._line is not None else "")
        del self._data[:start]

    def close(self) -> None:
        self._transport.close()


@asynccontextmanager
async def bare_sockets(port: int, dialect: Dialect) -> AsyncIterator[Client]:
    """HTTP/1.1 written by hand on asyncio's transports, with the JSON read as everywhere: the floor."""
    idle: list[_Socket] = []
    loop = asyncio.get_running_loop()

    async def ask(*, streamed: bool) -> Any:
        body = json.dumps(dialect.body(streamed=streamed)).encode()
        head = f"POST {dialect.base}{dialect.path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        fields = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        socket = idle.pop() if idle else (await loop.create_connection(_Socket, "127.0.0.1", port))[1]
        result = await socket.ask((head + fields).encode() + body, dialect.line if streamed else None)
        idle.append(socket)
        return result

    async def whole() -> str:
        return dialect.text(json.loads(await ask(streamed=False)))

    async def stream() -> Any:
        return await ask(streamed=True)

    yield Client(whole, stream)
    for socket in idle:
        socket.close()


@asynccontextmanager
async def plain_aiohttp(port: int, dialect: Dialect) -> AsyncIterator[Client]:
    """aiohttp as it comes."""
    url = f"http://127.0.0.1:{port}{dialect.base}{dialect.path}"
    async with aiohttp.ClientSession() as session:

        async def whole() -> str:
            async with session.post(url, json=dialect.body(streamed=False)) as response:
                return dialect.text(await response.json())

        async def stream() -> tuple[str, float]:
            joined = _Joined()
            async with session.post(url, json=dialect.body(streamed=True)) as response:
                async for line in response.content:
                    joined.add(dialect.line(line))
            return joined.result()

        yield Client(whole, stream)


@asynccontextmanager
async def plain_httpx(port: int, dialect: Dialect) -> AsyncIterator[Client]:
    """httpx as it comes."""
    url = f"http://127.0.0.1:{port}{dialect.base}{dialect.path}"
    async with httpx.AsyncClient() as client:

        async def whole() -> str:
            return dialect.text((await client.post(url, json=dialect.body(streamed=False))).json())

        async def stream() -> tuple[str, float]:
            joined = _Joined()
            async with client.stream("POST", url, json=dialect.body(streamed=True)) as response:
                async for line in response.aiter_lines():
                    joined.add(dialect.line(line.encode()))
            return joined.result()

        yield Client(whole, stream)


def _settings(port: int, dialect: Dialect, transport: Literal["aiohttp", "httpx"]) -> ProviderSettings:
    queue = QueueLimits(max_concurrent=MOST_AT_ONCE, max_concurrent_per_candidate=MOST_AT_ONCE)
    base_url = f"http://127.0.0.1:{port}{dialect.base}"
    return ProviderSettings(name="p", kind=dialect.kind, base_url=base_url, transport=transport, queue=queue)


async def _joined(pieces: Pieces) -> tuple[str, float]:
    joined, text = _Joined(), ""
    async for piece in pieces:
        if isinstance(piece, Chunk):
            joined.add(piece.text)
        elif isinstance(piece, Answer):
            text = piece.text
    return text, joined.first_s


def adapter_over(transport: Literal["aiohttp", "httpx"]) -> Opening:
    """An adapter alone, over one of its transports."""

    @asynccontextmanager
    async def opened(port: int, dialect: Dialect) -> AsyncIterator[Client]:
        settings = _settings(port, dialect, transport)
        provider = make(settings)

        def call() -> Call:
            return Call(MODEL, Request.of(PROMPT), CallClock(settings.timeouts))

        async def whole() -> str:
            return (await provider.complete(call())).text

        async def stream() -> tuple[str, float]:
            return await _joined(provider.stream(call()))

        yield Client(whole, stream)
        await provider.aclose()

    return opened


@asynccontextmanager
async def whole_fleet(port: int, dialect: Dialect) -> AsyncIterator[Client]:
    """Queue, breakers, retries and measuring around the adapter over aiohttp."""
    quiet = HealthSettings(interval_s=3600, max_age_s=7200)
    async with Fleet([_settings(port, dialect, "aiohttp")], health=quiet) as fleet:

        async def whole() -> str:
            return (await fleet.complete(f"p/{MODEL}", Request.of(PROMPT))).text

        async def stream() -> tuple[str, float]:
            return await _joined(fleet.stream(f"p/{MODEL}", Request.of(PROMPT)))

        yield Client(whole, stream)


FLOOR = "bare sockets"
CLIENTS: dict[str, Opening] = {
    FLOOR: bare_sockets,
    "aiohttp": plain_aiohttp,
    "httpx": plain_httpx,
    "adapter over httpx": adapter_over("httpx"),
    "adapter over aiohttp": adapter_over("aiohttp"),
    "fleet over aiohttp": whole_fleet,
}
