"""The transport for providers at an address without TLS, which is every local one: HTTP/1.1 and nothing else.

It does for a request what the adapters need and no more, at a quarter of the processor time that aiohttp's client takes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Final

from yarl import URL

from turnout.providers.connection import Body, Connection
from turnout.providers.unsent import DroppedError, NoConnectionError, SlowConnectionError

_OURS: Final = {"accept": "*/*", "user-agent": "turnout"}


def is_direct(base_url: str) -> bool:
    """Whether an address is reached without TLS and without asking for names: those may have several addresses, of
    which the first may be dead."""
    url = URL(base_url)
    if url.scheme != "http" or url.raw_host is None or url.user is not None:
        return False
    try:
        ip_address(url.raw_host)
    except ValueError:
        return url.raw_host == "localhost"
    return True


class DirectTransport:
    """Connections that are kept while they are of use, the latest used first.

    Args:
        idle_s: so long a connection waits for the next request.
    """

    def __init__(self, *, idle_s: float) -> None:
        self._idle_s = idle_s
        self._idle: deque[Connection] = deque()
        self._all: set[Connection] = set()
        self._heads: dict[tuple[str, URL], tuple[Mapping[str, str], bytes]] = {}
        self._sweep: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    async def send(
        self, method: str, url: URL, headers: Mapping[str, str], content: bytes | None, connect_s: float
    ) -> Body:
        """The head of the answer."""
        try:
            head = self._head(method, url, headers)
        except ValueError as error:
            raise DroppedError from error
        if content is not None:
            head = b"%bcontent-length: %d\r\n" % (head, len(content))
        connection = self._kept() or await self._connected(url, connect_s)
        try:
            return await connection.ask(b"%b\r\n%b" % (head, content or b""))
        except Exception as error:
            raise DroppedError from error

    async def aclose(self) -> None:
        """Close every connection."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        self._idle.clear()
        for connection in tuple(self._all):
            connection.abort()
        await asyncio.sleep(0)  # they are closed in the loop's next round

    def _head(self, method: str, url: URL, headers: Mapping[str, str]) -> bytes:
        """Everything that is the same in each request to a path.

        Raises:
            ValueError: a header cannot be sent.
        """
        known, head = self._heads.get((method, url), (None, b""))
        if known is not headers:
            fields = {"host": url.host_port_subcomponent or "", **_OURS, **headers}
            if any("\r" in text or "\n" in text for field in fields.items() for text in field):
                raise ValueError("a header holds a line end")
            lines = (f"{name}: {value}\r\n" for name, value in fields.items())
            head = f"{method} {url.raw_path_qs} HTTP/1.1\r\n{''.join(lines)}".encode()
            self._heads[method, url] = (headers, head)
        return head

    def _kept(self) -> Connection | None:
        """A connection that is at hand."""
        oldest_s = self._loop.time() - self._idle_s
        while self._idle:
            connection = self._idle.pop()
            if connection.is_free and connection.idle_since_s > oldest_s:
                return connection
            connection.abort()
        return None

    async def _connected(self, url: URL, connect_s: float) -> Connection:
        try:
            async with asyncio.timeout(connect_s):
                _, connection = await self._loop.create_connection(
                    lambda: Connection(self._freed, self._all.discard), url.raw_host or "", url.port or 80
                )
        except TimeoutError as error:
            raise SlowConnectionError from error
        except OSError as error:
            raise NoConnectionError from error
        self._all.add(connection)
        return connection

    def _freed(self, connection: Connection) -> None:
        connection.idle_since_s = self._loop.time()
        self._idle.append(connection)
        if self._sweep is None:
            self._sweep = self._loop.call_later(self._idle_s, self._close_idle)

    def _close_idle(self) -> None:
        """Close those that waited in vain, and come again for the rest."""
        self._sweep = None
        now_s = self._loop.time()
        while self._idle and (not self._idle[0].is_free or self._idle[0].idle_since_s <= now_s - self._idle_s):
            self._idle.popleft().abort()
        if self._idle:
            again_s = self._idle[0].idle_since_s + self._idle_s
            self._sweep = self._loop.call_at(again_s, self._close_idle)
