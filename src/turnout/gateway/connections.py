"""One connection of a client: what arrives on it has to be HTTP, within bounds, and complete before long.

The parser is aiohttp's. Added here is what it leaves open: a request may take for ever to arrive, its headers together
may be as long as they like, and what it says of a broken request repeats a piece of it, keys included.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import Any, Final

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader

from turnout.gateway.logs import log_request
from turnout.gateway.openai.shapes import encode, error_body, to_bytes
from turnout.gateway.refusals import Refusal, RefusedError

logger = logging.getLogger(__name__)

COMPLETE_S: Final = 30.0
"""From its first byte a request has so long to be here with its whole body."""

SERVER: Final = "turnout"
"""What answers; which version is nobody's business."""

_REASONS: Final = {408: "Request Timeout", 431: "Request Header Fields Too Large"}


class TooSlowError(RefusedError, TimeoutError):
    """A body that is not complete in time. For aiohttp it is a time limit like its own, after which it hangs up."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            408, "too_slow", f"the request was not complete after {seconds:g} s", headers={"Connection": "close"}
        )


class BrokenBodyError(RefusedError, TimeoutError):
    """A body that is no HTTP: a chunk without a length, say."""

    def __init__(self) -> None:
        super().__init__(400, "bad_http", "the body breaks the rules of HTTP", headers={"Connection": "close"})


class Connection(web.RequestHandler):
    """One connection.

    Args:
        manager: the application's server.
        header_bytes: what the head of a request may have.
        complete_s: seconds that a request may take to arrive.
        options: of aiohttp's own.
    """

    __slots__ = ("_body", "_complete_s", "_head_bytes", "_header_bytes", "_late")

    def __init__(
        self, manager: web.Server, *, header_bytes: int, complete_s: float | None = None, **options: Any
    ) -> None:
        super().__init__(manager, max_line_size=header_bytes, max_field_size=header_bytes, **options)
        self._header_bytes = header_bytes
        self._complete_s = COMPLETE_S if complete_s is None else complete_s
        self._body: StreamReader = EMPTY_PAYLOAD
        self._head_bytes = 0
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody is there, and has a while to say something."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: BaseException | None) -> None:
        """They have gone."""
        self._wait_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """The next bytes."""
        was_whole, before = self._body.is_eof(), len(self._messages)
        super().data_received(data)
        if len(self._messages) > before:
            self._head_bytes = 0
            message, body = self._messages[-1]
            if hasattr(message, "exc") and not was_whole:
                # What follows a head is no body; aiohttp would leave whoever waits for it waiting.
                self._body.set_exception(BrokenBodyError())
            self._body = body
        elif was_whole and data:  # a piece of a head
            self._head_bytes += len(data)
            if self._head_bytes > self._header_bytes:
                self._hang_up(431, "headers_too_large", f"headers may have {self._header_bytes} bytes")
                return
            self._wait()
            return
        if self._body.is_eof():
            self._wait_no_more()
        else:
            self._wait()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - it repeats what was sent
    ) -> web.StreamResponse:
        """The answer to what is no HTTP. Neither it nor the log repeats what was sent."""
        if isinstance(exc, ConnectionError):  # the client has gone in the middle of an answer, which is its right
            raise exc
        if status >= 500:
            logger.error("a connection failed inside", exc_info=exc)
            refusal = Refusal(500, "internal_error", "the gateway failed inside; its log says more", is_final=True)
        elif isinstance(exc, LineTooLong) or str(exc).endswith("Too many headers received"):
            refusal = Refusal(431, "headers_too_large", "a line of the head is too long, or there are too many")
        else:
            refusal = Refusal(400, "bad_http", "the request breaks the rules of HTTP")
        log_request(request, refusal.status, time.perf_counter(), code=refusal.code)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun already")
        return _response(refusal)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer; one that aiohttp refuses with before our door is asked, in our own words."""
        if isinstance(resp, web.HTTPException):
            resp = _response(Refusal(resp.status, "invalid_request", resp.reason))
            log_request(request, resp.status, time.perf_counter(), code="invalid_request")
        return await super().finish_response(request, resp, start_time)

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """A body that could not be unpacked was answered already, and is nobody's failure here."""
        if not isinstance(kw.get("exc_info"), web.RequestPayloadError):
            super().log_exception(*args, **kw)

    @property
    def is_answering(self) -> bool:
        """Whether a request is under way."""
        return self._request_in_progress or bool(self._messages)

    def _wait(self) -> None:
        if self._late is None:
            self._late = self._loop.call_later(self._complete_s, self._end_waiting)

    def _wait_no_more(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _end_waiting(self) -> None:
        self._late = None
        if not self._body.is_eof():
            self._body.set_exception(TooSlowError(self._complete_s))
        elif self.is_answering:  # the next request can wait; its beginning lies there
            self._wait()
        elif self._head_bytes:
            self._hang_up(408, "too_slow", f"the request was not complete after {self._complete_s:g} s")
        elif not self._request_count:
            self.force_close()

    def _hang_up(self, status: int, code: str, message: str) -> None:
        """Say so, where no answer to an earlier request is on its way, and close."""
        self._wait_no_more()
        if self.transport is not None and not self.is_answering:
            body = json.dumps(error_body(Refusal(status, code, message))).encode()
            head = (
                f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: application/json\r\nServer: {SERVER}\r\n"
                f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        self.force_close()


def _response(refusal: Refusal) -> web.Response:
    response = web.Response(
        status=refusal.status,
        body=to_bytes(encode(error_body(refusal))),
        content_type="application/json",
        headers={**refusal.headers, "Server": SERVER, "Connection": "close"},
    )
    response.force_close()
    return response
