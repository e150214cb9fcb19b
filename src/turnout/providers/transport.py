"""Where requests leave the process: HTTP/1.1 of our own, aiohttp, or httpx, behind the one method that all need.

Redirects, cookies and proxy variables of the environment have no place between a router and its configured providers:
no transport knows them. None limits connections either; the queue does. The aiohttp transport was measured at about
twice the throughput of the same library reached through httpx's interface.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Protocol

from yarl import URL

from turnout.providers.direct import DirectTransport, is_direct
from turnout.providers.unsent import DroppedError, NoConnectionError, SlowConnectionError

if TYPE_CHECKING:
    import aiohttp
    import httpx

IDLE_CONNECTION_S = 4.0  # Node, under LM Studio, closes idle connections after 5 s: be the first to let go
_PIECE_BYTES = 512 * 1024


class Arrival(Protocol):
    """An answer whose head has come. Reading it raises whatever its transport raises."""

    status: int
    headers: Mapping[str, str]

    def at_hand(self) -> bytes:
        """What of the body has come and was not read yet, without waiting."""
        ...

    async def read(self) -> bytes:
        """The next bytes of the body as soon as there are any; none at its end."""
        ...

    async def aclose(self) -> None:
        """Done with it: before the body's end this closes the connection, which stops the work."""
        ...


class Transport(Protocol):
    """Sends requests."""

    async def send(
        self, method: str, url: URL, headers: Mapping[str, str], content: bytes | None, connect_s: float
    ) -> Arrival:
        """The head of the answer.

        Raises:
            NoConnectionError, SlowConnectionError, DroppedError: there is none.
        """
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...


def open_transport(name: str, base_url: str) -> Transport:
    """A transport by its name in the configuration; where aiohttp is named and nothing of what it can do is needed, a
    leaner one takes its place."""
    secure = base_url.startswith("https://")
    if name == "httpx":
        import httpx

        limits = httpx.Limits(max_connections=None, keepalive_expiry=IDLE_CONNECTION_S)
        return HttpxTransport(httpx.AsyncHTTPTransport(verify=secure, trust_env=False, limits=limits))
    if is_direct(base_url):
        return DirectTransport(idle_s=IDLE_CONNECTION_S)
    return AiohttpTransport(secure=secure)


class AiohttpTransport:
    """aiohttp's session with all left out that a provider does not need."""

    def __init__(self, *, secure: bool) -> None:
        import aiohttp

        self._library = aiohttp
        connector = aiohttp.TCPConnector(
            limit=0, keepalive_timeout=IDLE_CONNECTION_S, ssl=_trusted() if secure else False
        )
        self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        self._patience: dict[float, aiohttp.ClientTimeout] = {}

    async def send(
        self, method: str, url: URL, headers: Mapping[str, str], content: bytes | None, connect_s: float
    ) -> Arrival:
        """The head of the answer."""
        library = self._library
        patience = self._patience.get(connect_s)
        if patience is None:
            # Only connecting is aiohttp's to time, so that it starts no timer where a connection is at hand.
            patience = self._patience[connect_s] = library.ClientTimeout(total=None, sock_connect=connect_s)
        try:
            return _AiohttpArrival(
                await self._session.request(
                    method,
                    url,
                    headers=headers,
                    data=None if content is None else self._body(content),
                    allow_redirects=False,
                    timeout=patience,
                )
            )
        except library.ClientConnectorError as error:
            raise NoConnectionError from error
        except TimeoutError as error:
            raise SlowConnectionError from error
        except Exception as error:  # its own classes, the system's, and whatever its parser lets through
            raise DroppedError from error

    def _body(self, content: bytes) -> aiohttp.BytesPayload | AsyncIterator[bytes]:
        """A body that aiohttp need not find out the kind of; in pieces where writing it would hold up all else."""
        return self._library.BytesPayload(content) if len(content) <= _PIECE_BYTES else _in_pieces(content)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._session.close()


class _AiohttpArrival:
    """aiohttp's response; the two ways of reading are its stream's own."""

    __slots__ = ("_response", "at_hand", "headers", "read", "status")

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self.at_hand = response.content.read_nowait
        self.read = response.content.readany

    async def aclose(self) -> None:
        """Nothing is left to do where the body was read to its end: then the connection went back by itself."""
        if not self._response.closed:
            self._response.close()


class HttpxTransport:
    """Any transport of httpx."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        import httpx

        self._library = httpx
        self._inner = inner

    async def send(
        self, method: str, url: URL, headers: Mapping[str, str], content: bytes | None, connect_s: float
    ) -> Arrival:
        """The head of the answer."""
        library = self._library
        patience = {"connect": connect_s, "read": None, "write": None, "pool": None}
        request = library.Request(
            method, str(url), headers=dict(headers), content=content, extensions={"timeout": patience}
        )
        try:
            response = await self._inner.handle_async_request(request)
        except library.ConnectError as error:
            raise NoConnectionError from error
        except (TimeoutError, library.ConnectTimeout) as error:
            raise SlowConnectionError from error
        except Exception as error:  # each of its transports breaks in its own classes
            raise DroppedError from error
        response.request = request
        return _HttpxArrival(response)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._inner.aclose()


class _HttpxArrival:
    """httpx's response."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self._pieces = response.aiter_bytes()

    def at_hand(self) -> bytes:
        """Nothing: httpx does not tell what has come."""
        return b""

    async def read(self) -> bytes:
        """The next bytes; none at the end."""
        return await anext(self._pieces, b"")

    async def aclose(self) -> None:
        """Close it, and the connection with it where the body was not read to its end."""
        await self._response.aclose()


async def _in_pieces(content: bytes) -> AsyncIterator[bytes]:
    """A body so large that writing it at once would hold up everything else."""
    for start in range(0, len(content), _PIECE_BYTES):
        yield content[start : start + _PIECE_BYTES]


def _trusted() -> ssl.SSLContext:
    """The authorities of certifi, the same on every system, or those that the environment names as OpenSSL does."""
    import certifi

    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if file or folder:
        return ssl.create_default_context(cafile=file or None, capath=None if file else folder)
    return ssl.create_default_context(cafile=certifi.where())
