"""One connection to a provider, without TLS: a request goes out in one write, its answer comes in as it is read."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Final, cast

from turnout.providers.http1 import MOST_HEAD_BYTES, Head, HttpError, Inflated, UntilClosed, framing_of, read_head

_HEAD_END: Final = re.compile(rb"\n\r?\n")
_BUFFERED_BYTES: Final = 512 * 1024
_PACKED: Final = frozenset({"gzip", "x-gzip", "deflate"})


class Connection(asyncio.Protocol):
    """One request after the other.

    Args:
        on_free: called when an answer has come to its end and the connection can serve again.
        on_lost: called when it is closed.
    """

    def __init__(self, on_free: Callable[[Connection], None], on_lost: Callable[[Connection], None]) -> None:
        self._on_free = on_free
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._head = b""
        self._waiting: asyncio.Future[Body] | None = None
        self._body: Body | None = None
        self.idle_since_s = 0.0

    @property
    def is_free(self) -> bool:
        """Whether it is open and owes nothing."""
        transport = self._transport
        return transport is not None and not transport.is_closing() and self._body is None and self._waiting is None

    async def ask(self, request: bytes) -> Body:
        """The answer to a request, once its head has come.

        Raises:
            OSError, HttpError: it did not come. The connection is closed then, as it is where the caller goes away.
        """
        if self._transport is None:
            raise ConnectionResetError("the connection was closed")
        self._head = b""
        waiting: asyncio.Future[Body] = self._loop.create_future()
        self._waiting = waiting
        self._transport.write(request)
        try:
            return await waiting
        except BaseException:
            if waiting.cancelled() or waiting.exception() is not None:
                self.abort()
            else:  # cancelled in the moment in which the head came; the connection may serve somebody else by now
                waiting.result().leave()
            raise

    def abort(self) -> None:
        """Close it now, whatever is under way."""
        if self._transport is not None:
            self._transport.abort()

    def pause(self) -> None:
        """Nobody reads what has come already."""
        if self._transport is not None and self._transport.is_reading():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Somebody reads again."""
        if self._transport is not None and not self._transport.is_reading():
            self._transport.resume_reading()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """The next bytes of whatever is awaited."""
        try:
            if self._body is not None:
                self._feed(self._body, data)
            elif self._waiting is not None and not self._waiting.done():
                self._feed_head(self._waiting, data)
            else:  # nothing was asked
                self.abort()
        except HttpError as error:
            self._fail(error)
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is closed."""
        self._transport = None
        self._on_lost(self)
        if self._body is not None and exc is None and isinstance(self._body.framing, UntilClosed):
            self._body.end()
        else:
            self._fail(exc or ConnectionResetError("the server closed the connection"))
        self._body = None

    def _fail(self, error: Exception) -> None:
        if self._body is not None:
            self._body.fail(error)
        elif self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)

    def _feed_head(self, waiting: asyncio.Future[Body], data: bytes) -> None:
        data = self._head + data
        while True:
            end = _HEAD_END.search(data)
            if (len(data) if end is None else end.start()) > MOST_HEAD_BYTES:
                raise HttpError(f"the head is larger than {MOST_HEAD_BYTES} bytes")
            if end is None:
                self._head = data
                return
            head, data = read_head(data[: end.start()]), data[end.end() :]
            if head.status == 101:
                raise HttpError("another protocol was not asked for")
            if head.status >= 200:
                break
        body = self._body = Body(self, head)
        waiting.set_result(body)
        self._waiting = None
        self._feed(body, data)

    def _feed(self, body: Body, data: bytes) -> None:
        framing = body.framing
        body.put(framing.feed(data) if data else b"")
        if framing.is_over:
            self._body = None
            body.end()
            transport = self._transport
            # A server that answers before it has read everything will take the rest for the next request.
            if body.keeps_connection and not framing.surplus and transport and not transport.get_write_buffer_size():
                self._on_free(self)
            elif transport is not None:
                transport.abort()


class Body:
    """An answer whose head has come: what was read of it, and who waits for more."""

    def __init__(self, connection: Connection, head: Head) -> None:
        self.status = head.status
        self.headers: Mapping[str, str] = head.headers
        self.keeps_connection = head.keeps_connection
        self.framing = framing_of(head)
        encoding = head.headers.get("content-encoding", "").lower()
        self._inflated = Inflated(encoding) if encoding in _PACKED else None
        self._connection = connection
        self._buffer = b""
        self._is_over = False
        self._error: Exception | None = None
        self._waiting: asyncio.Future[None] | None = None

    def at_hand(self) -> bytes:
        """What has come and was not read yet."""
        data, self._buffer = self._buffer, b""
        if len(data) > _BUFFERED_BYTES and not self._is_over:
            self._connection.resume()
        if self._inflated is not None:
            return self._inflated.feed(data)
        return data

    async def read(self) -> bytes:
        """The next bytes as soon as there are any; none at the end.

        Raises:
            OSError, HttpError: the connection broke, or what came is no HTTP.
        """
        while True:
            if data := self.at_hand():
                return data
            if self._error is not None:
                raise self._error
            if self._is_over:
                if self._inflated is not None and not self._inflated.is_over:
                    raise HttpError("the packed body ends too early")
                return b""
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None

    async def aclose(self) -> None:
        """Done with it: before its end this closes the connection."""
        self.leave()

    def leave(self) -> None:
        """The same at once."""
        if not self._is_over:
            self._connection.abort()

    def put(self, data: bytes) -> None:
        """The next bytes have come."""
        self._buffer = self._buffer + data if self._buffer else data
        if len(self._buffer) > _BUFFERED_BYTES and not self.framing.is_over:
            self._connection.pause()
        self._wake()

    def end(self) -> None:
        """All have come."""
        self._is_over = True
        self._wake()

    def fail(self, error: Exception) -> None:
        """No more will come."""
        self._error = error
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
