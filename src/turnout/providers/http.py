"""The one place that talks HTTP: requests in, bytes out, time limits kept, every transport failure one of ours.

The seam is httpx's transport interface. The default transport runs on aiohttp (measured three to four times the
throughput of httpx's own); redirects, cookies and proxy variables of the environment have no place between a router
and its configured providers, so the layers of httpx above the transport are left out.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from turnout.errors import BadRequestError, IncompleteError, UnreachableError
from turnout.providers.clock import CallClock

MAX_BODY_BYTES = 64 * 1024 * 1024  # a whole answer with log-probabilities stays far below
_PIECE_BYTES = 512 * 1024
_DROPPED_WITHIN_S = 0.25
ERROR_BYTES = 1024 * 1024
IDLE_CONNECTION_S = 4.0  # Node, under LM Studio, closes idle connections after 5 s: be the first to let go


@dataclass(frozen=True, slots=True)
class Reply:
    """One whole HTTP answer."""

    status: int
    headers: httpx.Headers
    content: bytes


class ByteStream:
    """The head of a streamed HTTP answer, and its bytes as they come."""

    def __init__(self, response: httpx.Response, clock: CallClock) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self._chunks = response.aiter_bytes()
        self._clock = clock

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Bytes as they arrive.

        Raises:
            ProviderTimeoutError: silence beyond what the call's clock allows.
            IncompleteError: the connection broke.
        """
        while True:
            left_s, phase = self._clock.left_s(streaming=True)
            if left_s <= 0 and phase != "chunk":  # a read that finds data at once would never notice
                raise self._clock.expired(phase)
            try:
                async with asyncio.timeout(left_s):
                    chunk = await anext(self._chunks, None)
            except TimeoutError:
                raise self._clock.expired(phase) from None
            except Exception as error:  # each transport breaks in its own classes
                raise IncompleteError(f"the connection broke in mid-answer ({_told(error)})") from error
            if chunk is None:
                return
            yield chunk

    async def read(self) -> bytes:
        """The beginning of a body that is no stream, such as an error: more of it than anybody reads."""
        parts: list[bytes] = []
        size = 0
        async with aclosing(self.chunks()) as chunks:
            async for chunk in chunks:
                parts.append(chunk)
                size += len(chunk)
                if size > ERROR_BYTES:
                    break
        return b"".join(parts)


class _DroppedError(Exception):
    """The connection was there and broke before the answer's head came."""


class HttpClient:
    """Connections to one provider. Errors it raises do not name the provider yet; the adapter adds that."""

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        transport: httpx.AsyncBaseTransport | str = "aiohttp",
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._headers = {"accept-encoding": "identity", "content-type": "application/json", **(headers or {})}
        self._chosen = transport
        self._transport: httpx.AsyncBaseTransport | None = None
        self._urls: dict[str, httpx.URL] = {}
        self._has_answered = False

    async def get(self, path: str, clock: CallClock) -> Reply:
        """One whole answer to a GET."""
        return await self._whole("GET", path, None, clock)

    async def post(self, path: str, body: Mapping[str, Any], clock: CallClock) -> Reply:
        """One whole answer to a POST of JSON."""
        return await self._whole("POST", path, body, clock)

    async def _whole(self, method: str, path: str, body: Mapping[str, Any] | None, clock: CallClock) -> Reply:
        left_s, phase = clock.left_s(streaming=False)
        try:
            async with asyncio.timeout(left_s):
                response = await self._send(method, path, body, clock)
                try:
                    return Reply(response.status_code, response.headers, await _read_all(response))
                finally:
                    await response.aclose()
        except TimeoutError:
            raise clock.expired(phase) from None

    @asynccontextmanager
    async def stream(self, path: str, body: Mapping[str, Any], clock: CallClock) -> AsyncIterator[ByteStream]:
        """A streamed answer to a POST of JSON; leaving the block early closes the connection, which stops the work."""
        left_s, phase = clock.left_s(streaming=True)
        try:
            async with asyncio.timeout(left_s):
                response = await self._send("POST", path, body, clock)
        except TimeoutError:
            raise clock.expired(phase) from None
        try:
            yield ByteStream(response, clock)
        finally:
            await response.aclose()

    async def _send(self, method: str, path: str, body: Mapping[str, Any] | None, clock: CallClock) -> httpx.Response:
        try:
            url = self._urls.get(path)
            if url is None:
                url = httpx.URL(self.base_url + path)
                if (url.port or 0) > 65535:
                    raise httpx.InvalidURL(f"port {url.port}")
                self._urls[path] = url
            text = None if body is None else json.dumps(body, ensure_ascii=False)
        except httpx.InvalidURL as error:
            raise BadRequestError(f"{self.base_url + path} is no address ({error})") from None
        except (TypeError, ValueError, RecursionError) as error:
            raise BadRequestError(f"the request cannot be written as JSON ({error})") from None
        if self._transport is None:
            chosen = self._chosen
            self._transport = open_transport(chosen, self.base_url) if isinstance(chosen, str) else chosen
        try:
            return await self._sent(method, url, text, clock)
        except _DroppedError as dropped:
            # A server may close an idle connection in the moment it is taken from the pool (llama.cpp does so after
            # a stream); nothing of the answer was there, so a fresh connection is worth one more try.
            if not self._has_answered or clock.elapsed_s > _DROPPED_WITHIN_S:
                raise self._unreachable(dropped) from dropped
        try:
            return await self._sent(method, url, text, clock)
        except _DroppedError as dropped:
            raise self._unreachable(dropped) from dropped

    async def _sent(self, method: str, url: httpx.URL, text: str | None, clock: CallClock) -> httpx.Response:
        assert self._transport is not None
        connect_s = clock.timeouts.connect_s
        request = httpx.Request(
            method,
            url,
            headers=self._headers,
            content=None if text is None else _content(text),
            extensions={"timeout": {"connect": connect_s, "read": None, "write": None, "pool": None}},
        )
        try:
            response = await self._transport.handle_async_request(request)
        except httpx.ConnectError as error:
            raise self._unreachable(error) from error
        except (TimeoutError, httpx.ConnectTimeout) as error:
            # The aiohttp transport calls a connection that the server dropped a timeout too; its cause tells.
            if error.__cause__ is not None and not any(isinstance(cause, TimeoutError) for cause in _causes(error)):
                raise _DroppedError from error
            raise UnreachableError(f"no connection to {self.base_url} within {connect_s:g} s") from error
        except Exception as error:  # each transport breaks in its own classes
            raise _DroppedError from error
        self._has_answered = True
        response.request = request
        return response

    def _unreachable(self, error: Exception) -> UnreachableError:
        return UnreachableError(f"nothing answers at {self.base_url} ({_told(error)}); is the server running?")

    async def aclose(self) -> None:
        """Close every connection."""
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.aclose()


def _content(text: str) -> bytes | AsyncIterator[bytes]:
    """A body at once, or in pieces where it is so large that writing it at once would hold up everything else."""
    content = text.encode("utf-8", "replace")
    if len(content) <= _PIECE_BYTES:
        return content

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(content), _PIECE_BYTES):
            yield content[start : start + _PIECE_BYTES]

    return pieces()


async def _read_all(response: httpx.Response) -> bytes:
    parts: list[bytes] = []
    size = 0
    try:
        async for chunk in response.aiter_bytes():
            parts.append(chunk)
            size += len(chunk)
            if size > MAX_BODY_BYTES:
                raise IncompleteError(f"the answer is larger than {MAX_BODY_BYTES} bytes")
    except (IncompleteError, TimeoutError):
        raise
    except Exception as error:  # each transport breaks in its own classes
        partial = b"".join(parts).decode("utf-8", "replace")
        raise IncompleteError(f"the connection broke in mid-answer ({_told(error)})", partial_text=partial) from error
    return b"".join(parts)


def open_transport(name: str, base_url: str) -> httpx.AsyncBaseTransport:
    """A transport by name: aiohttp (fast) or httpx (its own). Neither limits connections; the queue does."""
    secure = base_url.startswith("https://")
    if name == "httpx":
        limits = httpx.Limits(max_connections=None, keepalive_expiry=IDLE_CONNECTION_S)
        return httpx.AsyncHTTPTransport(verify=secure, trust_env=False, limits=limits)
    import aiohttp
    from httpx_aiohttp import AiohttpTransport

    context = httpx.create_ssl_context() if secure else False

    def session() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_CONNECTION_S, ssl=context)
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    return AiohttpTransport(verify=False, trust_env=False, client=session)


def _causes(error: BaseException) -> list[BaseException]:
    """An error and what it came from, outermost first; transports wrap one in another."""
    found: list[BaseException] = []
    step: BaseException | None = error
    while step is not None and step not in found:
        found.append(step)
        step = step.__cause__ or step.__context__
    return found


def _told(error: BaseException) -> str:
    """The innermost reason in words."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error) or type(error).__name__
