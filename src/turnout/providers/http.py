"""The one place that talks HTTP: requests in, bytes out, time limits kept, every transport failure one of ours."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from yarl import URL

from turnout.errors import BadRequestError, ConfigurationError, IncompleteError, UnreachableError
from turnout.providers.clock import CallClock
from turnout.providers.transport import Arrival, Transport, open_transport
from turnout.providers.unsent import DroppedError, NoConnectionError, SlowConnectionError

MAX_BODY_BYTES = 64 * 1024 * 1024  # a whole answer with log-probabilities stays far below
_DROPPED_WITHIN_S = 0.25
ERROR_BYTES = 1024 * 1024
_encode = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class Reply:
    """One whole HTTP answer. Names of headers may be asked for in any case."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class ByteStream:
    """The head of a streamed HTTP answer; iterating gives its bytes as they arrive.

    Iterating raises:
        ProviderTimeoutError: silence beyond what the call's clock allows.
        IncompleteError: the connection broke.
    """

    def __init__(self, arrival: Arrival, clock: CallClock) -> None:
        self.status = arrival.status
        self.headers = arrival.headers
        self._arrival = arrival
        self._clock = clock

    def __aiter__(self) -> ByteStream:
        return self

    async def __anext__(self) -> bytes:
        left_s, phase = self._clock.left_s(streaming=True)
        if left_s <= 0 and phase != "chunk":  # a read that finds data at once would never notice
            raise self._clock.expired(phase)
        try:
            data = self._arrival.at_hand()
            if not data:
                async with asyncio.timeout(left_s):
                    data = await self._arrival.read()
        except TimeoutError:
            raise self._clock.expired(phase) from None
        except Exception as error:  # each transport breaks in its own classes
            raise IncompleteError(f"the connection broke in mid-answer ({_told(error)})") from error
        if not data:
            raise StopAsyncIteration
        return data

    async def read(self) -> bytes:
        """The beginning of a body that is no stream, such as an error: more of it than anybody reads."""
        parts: list[bytes] = []
        size = 0
        async for data in self:
            parts.append(data)
            size += len(data)
            if size > ERROR_BYTES:
                break
        return b"".join(parts)


class HttpClient:
    """Connections to one provider. Errors it raises do not name the provider yet; the adapter adds that."""

    def __init__(
        self, base_url: str, *, headers: Mapping[str, str] | None = None, transport: Transport | str = "aiohttp"
    ) -> None:
        if transport == "httpx" and find_spec("httpx") is None:
            raise ConfigurationError("the transport httpx needs httpx; install turnout[httpx]")
        self.base_url = base_url.rstrip("/")
        self._headers = {"accept-encoding": "identity", "content-type": "application/json", **(headers or {})}
        self._chosen = transport
        self._transport: Transport | None = None
        self._urls: dict[str, URL] = {}
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
                arrival = await self._send(method, path, body, clock)
                try:
                    return Reply(arrival.status, arrival.headers, await _read_all(arrival))
                finally:
                    await arrival.aclose()
        except TimeoutError:
            raise clock.expired(phase) from None

    @asynccontextmanager
    async def stream(self, path: str, body: Mapping[str, Any], clock: CallClock) -> AsyncIterator[ByteStream]:
        """A streamed answer to a POST of JSON; leaving the block early closes the connection, which stops the work."""
        left_s, phase = clock.left_s(streaming=True)
        try:
            async with asyncio.timeout(left_s):
                arrival = await self._send("POST", path, body, clock)
        except TimeoutError:
            raise clock.expired(phase) from None
        try:
            yield ByteStream(arrival, clock)
        finally:
            await arrival.aclose()

    async def _send(self, method: str, path: str, body: Mapping[str, Any] | None, clock: CallClock) -> Arrival:
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = _address(self.base_url + path)
        try:
            content = None if body is None else _encode(body).encode("utf-8", "replace")
        except (TypeError, ValueError, RecursionError) as error:
            raise BadRequestError(f"the request cannot be written as JSON ({error})") from None
        if self._transport is None:
            chosen = self._chosen
            self._transport = open_transport(chosen, self.base_url) if isinstance(chosen, str) else chosen
        try:
            return await self._sent(method, url, content, clock)
        except DroppedError as dropped:
            # A server may close an idle connection in the moment it is taken from the pool (llama.cpp does so after
            # a stream); nothing of the answer was there, so a fresh connection is worth one more try.
            if not self._has_answered or clock.elapsed_s > _DROPPED_WITHIN_S:
                raise self._unreachable(dropped) from dropped
        try:
            return await self._sent(method, url, content, clock)
        except DroppedError as dropped:
            raise self._unreachable(dropped) from dropped

    async def _sent(self, method: str, url: URL, content: bytes | None, clock: CallClock) -> Arrival:
        assert self._transport is not None
        connect_s = clock.timeouts.connect_s
        try:
            arrival = await self._transport.send(method, url, self._headers, content, connect_s)
        except NoConnectionError as error:
            raise self._unreachable(error) from error
        except SlowConnectionError as error:
            raise UnreachableError(f"no connection to {self.base_url} within {connect_s:g} s") from error
        self._has_answered = True
        return arrival

    def _unreachable(self, error: Exception) -> UnreachableError:
        return UnreachableError(f"nothing answers at {self.base_url} ({_told(error)}); is the server running?")

    async def aclose(self) -> None:
        """Close every connection."""
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.aclose()


def _address(text: str) -> URL:
    try:
        url = URL(text)
        host = url.raw_host or ""
        if not host.isprintable() or " " in host or not host:
            raise ValueError(f"host {host!r}")
    except ValueError as error:
        raise BadRequestError(f"{text} is no address ({error})") from None
    return url


async def _read_all(arrival: Arrival) -> bytes:
    parts: list[bytes] = []
    size = 0
    try:
        while data := arrival.at_hand() or await arrival.read():
            parts.append(data)
            size += len(data)
            if size > MAX_BODY_BYTES:
                raise IncompleteError(f"the answer is larger than {MAX_BODY_BYTES} bytes")
    except (IncompleteError, TimeoutError):
        raise
    except Exception as error:  # each transport breaks in its own classes
        partial = b"".join(parts).decode("utf-8", "replace")
        raise IncompleteError(f"the connection broke in mid-answer ({_told(error)})", partial_text=partial) from error
    return b"".join(parts)


def _told(error: BaseException) -> str:
    """The innermost reason in words."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error) or type(error).__name__
