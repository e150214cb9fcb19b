"""The one place that talks HTTP, against servers that break in every way, over every transport."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import socket
import ssl
import struct
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import aiohttp
import httpx
import pytest
from aiohttp.client_reqrep import ConnectionKey

from turnout.config.providers import Timeouts
from turnout.errors import ConfigurationError, IncompleteError, ProviderError, ProviderTimeoutError, UnreachableError
from turnout.providers import http
from turnout.providers import transport as transport_module
from turnout.providers.clock import CallClock
from turnout.providers.http import HttpClient
from turnout.providers.transport import AiohttpTransport, HttpxTransport, Transport, open_transport

pytestmark = pytest.mark.anyio

BODY = {"model": "m", "messages": [{"role": "user", "content": "naïve 👋 \u2028 \x85"}]}
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n" + b'{"ok":true}'
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True, scope="module")
def nothing_is_left_behind() -> Iterator[None]:
    """A socket or generator that nobody closed is a warning once it is collected, and warnings are errors."""
    yield
    gc.collect()


@pytest.fixture(params=["direct", "aiohttp", "httpx"])
def transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both transports that can be named in the configuration, and the one that takes aiohttp's place where it can."""
    if request.param == "aiohttp":
        monkeypatch.setattr(transport_module, "is_direct", lambda url: False)
    return "httpx" if request.param == "httpx" else "aiohttp"


def clock(deadline_s: float | None = None, **limits: float) -> CallClock:
    """Patient by default; each test shortens the one limit that it is about."""
    limits = {"connect_s": 5.0, "first_token_s": 5.0, "chunk_s": 5.0, "total_s": 10.0} | limits
    return CallClock(Timeouts(**limits), deadline_s=deadline_s)


@asynccontextmanager
async def client(url: str, transport: str | Transport, **rest: Any) -> AsyncIterator[HttpClient]:
    """A client that is closed at the end."""
    made = HttpClient(url, transport=transport, **rest)
    try:
        yield made
    finally:
        await made.aclose()


class Connection:
    """One accepted connection, as a test's script sees it."""

    def __init__(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server, self._reader, self._writer = server, reader, writer
        self.closed_by_client = asyncio.Event()

    async def request(self) -> bytes:
        """The next whole request; EOFError at the end."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        lower = head.lower()
        if b"transfer-encoding: chunked" in lower:
            body = b""
            while size := int(await self._reader.readline(), 16):
                body += (await self._reader.readexactly(size + 2))[:-2]
            await self._reader.readline()
        else:
            length = lower.partition(b"content-length: ")[2].partition(b"\r\n")[0]
            body = await self._reader.readexactly(int(length or 0))
        self.server.requests.append(head + body)
        return head + body

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def chunk(self, data: bytes) -> None:
        await self.send(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    async def until_closed(self) -> None:
        """Waits until the client goes away."""
        while await self._reader.read(1024):
            pass
        self.closed_by_client.set()
        self.server.left.set()

    def reset(self) -> None:
        """Ends the connection as a crashed process does."""
        linger = struct.pack("ii", 1, 0)
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._writer.transport.abort()

    async def close(self) -> None:
        self._writer.close()
        await asyncio.gather(self._writer.wait_closed(), return_exceptions=True)


Script = Callable[[Connection], Awaitable[None]]


class Server:
    """A raw socket server: what it accepted, what it was asked, and how many connections are open."""

    def __init__(self) -> None:
        self.url = ""
        self.accepted = 0
        self.open = 0
        self.requests: list[bytes] = []
        self.left = asyncio.Event()

    async def all_closed(self) -> bool:
        """Whether every connection ends within a second."""
        for _ in range(200):
            if not self.open:
                return True
            await asyncio.sleep(0.005)
        return False


@asynccontextmanager
async def serving(script: Script) -> AsyncIterator[Server]:
    """A server that plays the script on each connection."""
    server, tasks = Server(), set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.accepted += 1
        server.open += 1
        tasks.add(asyncio.current_task())
        connection = Connection(server, reader, writer)
        try:
            await script(connection)
        except (EOFError, OSError):
            pass
        finally:
            await connection.close()
            server.open -= 1

    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def answers(answer: bytes = OK) -> Script:
    """Answers every request of a connection in the same way and keeps it open."""

    async def script(connection: Connection) -> None:
        while True:
            await connection.request()
            await connection.send(answer)

    return script


def once(answer: bytes) -> Script:
    """Answers one request and closes the connection."""

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(answer)

    return script


async def streams_pieces(connection: Connection) -> None:
    """Streams three pieces to every request, in chunks as servers do, and keeps the connection open."""
    while True:
        await connection.request()
        await connection.send(STREAM_HEAD)
        for piece in (b"data: 1\n\n", b"data: 2\n\n", b"data: 3\n\n"):
            await connection.chunk(piece)
        await connection.send(b"0\r\n\r\n")


async def streams_for_ever(connection: Connection) -> None:
    """One piece, then silence until the client leaves."""
    await connection.request()
    await connection.send(STREAM_HEAD)
    await connection.chunk(b"data: 1\n\n")
    await connection.until_closed()


async def never_answers(connection: Connection) -> None:
    await connection.request()
    await connection.until_closed()


async def read(made: HttpClient, limits: CallClock | None = None) -> bytes:
    """A whole streamed body."""
    async with made.stream("/s", BODY, limits or clock()) as stream:
        return b"".join([piece async for piece in stream])


# Requests and answers


async def test_an_answer_comes_with_status_headers_and_body(transport: str) -> None:
    answer = b"HTTP/1.1 429 Too Many\r\nRetry-After: 3\r\nX-A: \xe9\r\nContent-Length: 4\r\n\r\nbusy"
    async with serving(answers(answer)) as server, client(server.url, transport) as made:
        reply = await made.get("/x", clock())
        assert (reply.status, reply.headers["retry-after"], reply.content) == (429, "3", b"busy")


async def test_a_body_goes_out_as_json_with_its_letters_as_they_are(transport: str) -> None:
    async with serving(answers()) as server, client(server.url, transport, headers={"x-api-key": "k"}) as made:
        reply = await made.post("/v1/chat?a=b", BODY, clock())
        assert (reply.status, dict(httpx.Headers(reply.headers)), reply.content) == (200, _headers(OK), b'{"ok":true}')
        head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/chat?a=b HTTP/1.1\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    assert fields[b"content-type"] == b"application/json"
    assert fields[b"accept-encoding"] == b"identity"
    assert fields[b"x-api-key"] == b"k"
    assert fields[b"host"] == server.url.removeprefix("http://").encode()
    assert json.loads(body) == BODY
    assert "👋 \u2028".encode() in body


def _headers(answer: bytes) -> dict[str, str]:
    lines = answer.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}


async def test_a_body_of_megabytes_arrives_whole(transport: str) -> None:
    large = {"content": "é👋x" * 400_000}
    async with serving(answers()) as server, client(server.url, transport) as made:
        assert (await made.post("/", large, clock())).status == 200
        assert json.loads(server.requests[0].partition(b"\r\n\r\n")[2]) == large


async def test_half_a_letter_in_the_prompt_does_no_harm(transport: str) -> None:
    async with serving(answers()) as server, client(server.url, transport) as made:
        assert (await made.post("/", {"content": "a\ud800b"}, clock())).status == 200
        json.loads(server.requests[0].partition(b"\r\n\r\n")[2].decode("utf-8"))


async def test_a_stream_comes_in_its_pieces(transport: str) -> None:
    async with serving(streams_pieces) as server, client(server.url, transport) as made:
        async with made.stream("/s", BODY, clock()) as stream:
            assert (stream.status, stream.headers["content-type"]) == (200, "text/event-stream")
            pieces = [piece async for piece in stream]
        assert b"".join(pieces) == b"data: 1\n\ndata: 2\n\ndata: 3\n\n"


async def test_a_piece_is_handed_on_before_the_next_is_there(transport: str) -> None:
    async with (
        serving(streams_for_ever) as server,
        client(server.url, transport) as made,
        made.stream("/s", BODY, clock()) as stream,
    ):
        assert await anext(stream) == b"data: 1\n\n"


async def test_the_body_of_an_error_in_a_streams_place_can_be_read(transport: str) -> None:
    answer = b"HTTP/1.1 400 Bad\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n" + b'{"error":"bad"}'
    async with (
        serving(answers(answer)) as server,
        client(server.url, transport) as made,
        made.stream("/s", BODY, clock()) as stream,
    ):
        assert (stream.status, await stream.read()) == (400, b'{"error":"bad"}')


async def test_a_redirect_is_not_followed(transport: str) -> None:
    answer = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    async with serving(answers(answer)) as server, client(server.url, transport) as made:
        assert (await made.get("/x", clock())).status == 302
        assert len(server.requests) == 1


async def test_cookies_are_not_sent_back(transport: str) -> None:
    answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n\r\n"
    async with serving(answers(answer)) as server, client(server.url, transport) as made:
        await made.get("/x", clock())
        await made.get("/x", clock())
        assert b"cookie" not in server.requests[1].lower()


async def test_proxies_of_the_environment_are_ignored(transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with serving(answers()) as server, client(server.url, transport) as made:
        assert (await made.get("/x", clock())).status == 200


async def test_an_encoding_that_was_not_asked_for_is_undone(transport: str) -> None:
    packed = gzip.compress(b'{"ok":true}')
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n".encode()
    async with serving(answers(head + packed)) as server, client(server.url, transport) as made:
        assert (await made.get("/x", clock())).content == b'{"ok":true}'


async def test_an_encoding_that_is_broken_is_an_answer_that_is_incomplete(transport: str) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"
    async with serving(answers(head)) as server, client(server.url, transport) as made:
        with pytest.raises(IncompleteError, match="broke in mid-answer"):
            await made.get("/x", clock())
        with pytest.raises(IncompleteError, match="broke in mid-answer"):
            await read(made)


@pytest.mark.parametrize("base", ["{}", "{}/", "{}//"])
async def test_a_slash_at_the_end_of_the_address_does_no_harm(transport: str, base: str) -> None:
    async with serving(answers()) as server, client(base.format(server.url), transport) as made:
        await made.get("/v1/models", clock())
        assert server.requests[0].startswith(b"GET /v1/models ")


# Connections


async def test_a_connection_is_used_again_once_an_answer_was_read(transport: str) -> None:
    async with serving(answers()) as server, client(server.url, transport) as made:
        for _ in range(5):
            await made.get("/x", clock())
            await made.post("/y", BODY, clock())
        assert (server.accepted, len(server.requests)) == (1, 10)


async def test_a_connection_is_used_again_once_a_stream_was_read_to_its_end(transport: str) -> None:
    async with serving(streams_pieces) as server, client(server.url, transport) as made:
        for _ in range(5):
            await read(made)
        assert (server.accepted, len(server.requests)) == (1, 5)


async def test_a_stream_that_is_left_early_closes_its_connection(transport: str) -> None:
    async with serving(streams_for_ever) as server, client(server.url, transport) as made:
        async with made.stream("/s", BODY, clock()) as stream:
            assert await anext(stream)
        async with asyncio.timeout(2):
            await server.left.wait()
        async with made.stream("/s", BODY, clock()):
            assert server.accepted == 2


async def test_a_stream_that_is_never_read_closes_its_connection(transport: str) -> None:
    async with serving(streams_for_ever) as server, client(server.url, transport) as made:
        async with made.stream("/s", BODY, clock()):
            pass
        async with asyncio.timeout(2):
            await server.left.wait()


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("script", [never_answers, streams_for_ever])
async def test_cancelling_a_call_closes_its_connection(transport: str, streamed: bool, script: Script) -> None:
    async with serving(script) as server, client(server.url, transport) as made:
        call = asyncio.create_task(read(made) if streamed else made.post("/x", BODY, clock()))  # type: ignore[arg-type]
        while not server.requests:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.02)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        async with asyncio.timeout(2):
            await server.left.wait()


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_time_limit_that_passes_closes_the_connection(transport: str, streamed: bool) -> None:
    async with serving(streams_for_ever) as server, client(server.url, transport) as made:
        limits = clock(first_token_s=0.05, total_s=0.1)
        with pytest.raises(ProviderTimeoutError):
            await (read(made, limits) if streamed else made.post("/x", BODY, limits))
        async with asyncio.timeout(2):
            await server.left.wait()


async def test_many_calls_at_once_each_have_a_connection(transport: str) -> None:
    gate = asyncio.Event()

    async def script(connection: Connection) -> None:
        while True:
            await connection.request()
            if len(connection.server.requests) == 105:
                gate.set()
            await gate.wait()
            await connection.send(OK)

    async with serving(script) as server, client(server.url, transport) as made:
        replies = await asyncio.gather(*(made.get("/x", clock()) for _ in range(105)))
        assert {reply.status for reply in replies} == {200}
        assert server.accepted == 105


async def test_closing_the_client_closes_every_idle_connection(transport: str) -> None:
    async with serving(answers()) as server:
        async with client(server.url, transport) as made:
            await asyncio.gather(*(made.get("/x", clock()) for _ in range(8)))
            assert server.open > 0
        assert await server.all_closed()


async def test_a_closed_client_opens_again_when_it_is_asked(transport: str) -> None:
    async with serving(answers()) as server, client(server.url, transport) as made:
        await made.get("/x", clock())
        await made.aclose()
        await made.aclose()
        assert (await made.get("/x", clock())).status == 200
        assert server.accepted == 2


async def test_an_idle_connection_is_given_up_before_the_server_would(
    transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert transport_module.IDLE_CONNECTION_S < 5
    monkeypatch.setattr(transport_module, "IDLE_CONNECTION_S", 0.05)
    async with serving(answers()) as server, client(server.url, transport) as made:
        await made.get("/x", clock())
        await asyncio.sleep(0.1)
        await made.get("/x", clock())
        assert server.accepted == 2


async def test_a_connection_that_the_server_closed_while_idle_is_replaced(transport: str) -> None:
    async with serving(once(OK)) as server, client(server.url, transport) as made:
        for _ in range(4):
            assert (await made.post("/x", BODY, clock())).status == 200
            await asyncio.sleep(0.02)
        assert server.accepted == 4


async def test_a_connection_that_breaks_as_it_is_taken_up_again_is_tried_once_more(transport: str) -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        if connection.server.accepted == 1:
            await connection.send(OK)
            await connection.request()
            connection.reset()
        else:
            await connection.send(OK)

    async with serving(script) as server, client(server.url, transport) as made:
        assert (await made.post("/x", BODY, clock())).status == 200
        assert (await made.post("/y", BODY, clock())).status == 200
        assert [request.split()[1] for request in server.requests] == [b"/x", b"/y", b"/y"]


async def test_a_server_that_breaks_every_connection_is_tried_once_more_only(transport: str) -> None:
    async def script(connection: Connection) -> None:
        await connection.request()
        if len(connection.server.requests) == 1:
            await connection.send(OK)
            await connection.request()
        connection.reset()

    async with serving(script) as server, client(server.url, transport) as made:
        await made.post("/x", BODY, clock())
        with pytest.raises(UnreachableError):
            await made.post("/y", BODY, clock())
        assert len(server.requests) == 3


async def test_the_server_may_ask_to_close(transport: str) -> None:
    answer = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    async with serving(once(answer)) as server, client(server.url, transport) as made:
        for _ in range(3):
            assert (await made.get("/x", clock())).content == b'{"ok":true}'
        assert server.accepted == 3


# Nothing answers


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_refused_connection_is_an_unreachable_provider(transport: str, streamed: bool) -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    async with client(url, transport) as made:
        with pytest.raises(UnreachableError, match="is the server running") as caught:
            await (read(made) if streamed else made.get("/x", clock()))
    assert url in caught.value.message
    assert caught.value.retryable


@pytest.mark.skipif(sys.platform != "linux", reason="other systems answer when their queue of connections is full")
async def test_a_connection_that_is_not_taken_ends_after_its_own_limit(transport: str) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        try:
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(address)
            before = time.monotonic()
            async with client(f"http://127.0.0.1:{address[1]}", transport) as made:
                with pytest.raises(UnreachableError, match=r"no connection to .* within 0\.05 s"):
                    await made.get("/x", clock(connect_s=0.05))
            assert time.monotonic() - before < 2
        finally:
            for filler in fillers:
                filler.close()


async def resets(connection: Connection) -> None:
    await connection.request()
    connection.reset()


async def hangs_up(connection: Connection) -> None:
    await connection.request()


async def hangs_up_in_the_head(connection: Connection) -> None:
    await connection.request()
    await connection.send(b"HTTP/1.1 200 OK\r\nContent-Ty")


async def speaks_something_else(connection: Connection) -> None:
    await connection.request()
    await connection.send(b"220 mail.example.org ESMTP\r\n\x00\xff\r\n\r\n")


async def boasts(connection: Connection) -> None:
    await connection.request()
    await connection.send(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 500_000)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("script", [resets, hangs_up, hangs_up_in_the_head, speaks_something_else, boasts])
async def test_a_server_that_breaks_off_before_its_answer_is_unreachable(
    transport: str, script: Script, streamed: bool
) -> None:
    async with serving(script) as server, client(server.url, transport) as made:
        with pytest.raises(UnreachableError, match="nothing answers at"):
            await (read(made) if streamed else made.post("/x", BODY, clock()))
        assert len(server.requests) == 1, "what was never answered before is not asked again here"


async def test_a_dropped_connection_is_told_as_one_although_a_time_limit_had_passed_before(transport: str) -> None:
    """The next candidate is asked while the error of the last one is still being handled."""
    async with serving(hangs_up) as server, client(server.url, transport) as made:
        try:
            raise TimeoutError
        except TimeoutError:
            with pytest.raises(UnreachableError, match="nothing answers at"):
                await made.post("/x", BODY, clock())


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("refused"),
        httpx.ReadError("reset"),
        httpx.WriteError("pipe"),
        httpx.RemoteProtocolError("no head"),
        httpx.LocalProtocolError("bad header"),
        httpx.UnsupportedProtocol("ftp"),
        OSError(113, "no route"),
        ssl.SSLError("certificate"),
        RuntimeError("the loop is closed"),
        ValueError(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_whatever_a_transport_raises_before_an_answer_is_an_unreachable_provider(error: Exception) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise error

    async with client("http://here", HttpxTransport(httpx.MockTransport(refuse))) as made:
        for call in (made.get("/x", clock()), made.post("/x", BODY, clock()), read(made)):
            with pytest.raises(UnreachableError) as caught:
                await call
            assert (str(error) or type(error).__name__) in caught.value.message


KEY = ConnectionKey("here", 80, False, True, None, None, None)
REFUSED = OSError(111, "refused")
UNREADABLE = aiohttp.ClientResponseError(SimpleNamespace(real_url="/y"), (), status=400, message="Bad status line")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "told", "tries"),
    [
        (aiohttp.ClientConnectorError(KEY, REFUSED), "nothing answers at .*refused", 1),
        (
            aiohttp.ClientConnectorDNSError(KEY, OSError(-2, "Name or service not known")),
            "nothing answers at .*Name",
            1,
        ),
        (aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError(1, "wrong version")), "nothing answers at .*version", 1),
        (aiohttp.ClientConnectorCertificateError(KEY, ssl.CertificateError("expired")), "nothing answers .*expired", 1),
        (aiohttp.ConnectionTimeoutError("slow"), "no connection to http://here within 5 s", 1),
        (TimeoutError(), "no connection to http://here within 5 s", 1),
        (aiohttp.ServerDisconnectedError(), "nothing answers at .*disconnected", 2),
        (aiohttp.ClientOSError(104, "reset by peer"), "nothing answers at .*reset by peer", 2),
        (aiohttp.ClientConnectionResetError("closing transport"), "nothing answers at .*closing", 2),
        (aiohttp.ClientPayloadError("half"), "nothing answers at .*half", 2),
        (UNREADABLE, "nothing answers at .*Bad status", 2),
        (RuntimeError("Session is closed"), "nothing answers at .*Session", 2),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
async def test_each_failure_of_aiohttp_is_an_unreachable_provider_and_only_a_drop_is_tried_again(
    error: Exception, told: str, tries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = 0

    async def fails(session: aiohttp.ClientSession, method: str, url: Any, **rest: Any) -> aiohttp.ClientResponse:
        nonlocal sent
        sent += 1
        raise error

    async with serving(answers()) as server, client(server.url, AiohttpTransport(secure=False)) as made:
        await made.get("/x", clock())
        made.base_url = "http://here"
        monkeypatch.setattr(aiohttp.ClientSession, "_request", fails)
        with pytest.raises(UnreachableError, match=told):
            await made.post("/y", BODY, clock())
    assert sent == tries


async def test_a_host_that_nobody_knows_is_an_unreachable_provider(transport: str) -> None:
    async with client("http://nobody.invalid:1", transport) as made:
        with pytest.raises(UnreachableError, match=r"nothing answers at http://nobody\.invalid:1"):
            await made.get("/x", clock())


async def test_a_server_without_tls_behind_a_tls_address_is_an_unreachable_provider(transport: str) -> None:
    async def greets(connection: Connection) -> None:
        await connection.send(b"220 mail.example.org ESMTP\r\n")
        await connection.until_closed()

    async with serving(greets) as server, client(server.url.replace("http", "https"), transport) as made:
        with pytest.raises(UnreachableError, match="nothing answers at https://"):
            await made.get("/x", clock())
        assert server.requests == []


async def test_the_environment_may_name_the_authorities_that_are_trusted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
    with pytest.raises(FileNotFoundError):
        await open_transport("aiohttp", "https://here").aclose()
    monkeypatch.setenv("SSL_CERT_FILE", "")
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    await open_transport("aiohttp", "https://here").aclose()


def test_the_transport_httpx_is_refused_at_once_where_httpx_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"install turnout\[httpx\]"):
        HttpClient("http://here", transport="httpx")
    assert HttpClient("http://here").base_url == "http://here"


@pytest.mark.parametrize("error", [TimeoutError(), httpx.ConnectTimeout("slow")])
async def test_a_transport_out_of_patience_could_not_connect(error: Exception) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise error

    async with client("http://here", HttpxTransport(httpx.MockTransport(refuse))) as made:
        with pytest.raises(UnreachableError, match="no connection to http://here within 5 s"):
            await made.get("/x", clock())


async def test_the_innermost_reason_is_told() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        try:
            raise OSError(111, "Connect call failed")
        except OSError as reason:
            raise httpx.ConnectError("all attempts failed") from reason

    async with client("http://here", HttpxTransport(httpx.MockTransport(refuse))) as made:
        with pytest.raises(UnreachableError, match="Connect call failed"):
            await made.get("/x", clock())


@pytest.mark.parametrize("error", [asyncio.CancelledError(), KeyboardInterrupt()])
async def test_what_is_no_failure_of_the_provider_passes_through(error: BaseException) -> None:
    def stop(request: httpx.Request) -> httpx.Response:
        raise error

    async with client("http://here", HttpxTransport(httpx.MockTransport(stop))) as made:
        with pytest.raises(type(error)):
            await made.get("/x", clock())


# Answers that break off


def truncated(body: bytes, length: int) -> Script:
    return once(f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n".encode() + body)


async def breaks_in_a_chunk(connection: Connection) -> None:
    await connection.request()
    await connection.send(STREAM_HEAD + b"9\r\ndata: 1\n\n\r\n" + b"9\r\ndata")


async def breaks_between_chunks(connection: Connection) -> None:
    await connection.request()
    await connection.send(STREAM_HEAD + b"9\r\ndata: 1\n\n\r\n")


async def resets_in_mid_body(connection: Connection) -> None:
    await connection.request()
    await connection.send(STREAM_HEAD + b"9\r\ndata: 1\n\n\r\n")
    await asyncio.sleep(0.02)
    connection.reset()


BROKEN_BODIES = [
    pytest.param(truncated(b"data: 1\n\nda", 1000), id="too short"),
    breaks_in_a_chunk,
    breaks_between_chunks,
    resets_in_mid_body,
]


@pytest.mark.parametrize("script", BROKEN_BODIES)
async def test_a_stream_that_breaks_off_is_incomplete_and_what_came_is_handed_on(
    transport: str, script: Script
) -> None:
    pieces = []
    async with serving(script) as server, client(server.url, transport) as made:
        with pytest.raises(IncompleteError, match="broke in mid-answer"):
            async with made.stream("/s", BODY, clock()) as stream:
                async for piece in stream:
                    pieces.append(piece)  # noqa: PERF401
    assert b"".join(pieces).startswith(b"data: 1\n\n")


@pytest.mark.parametrize("script", BROKEN_BODIES)
async def test_an_answer_that_breaks_off_is_incomplete_and_keeps_what_came(transport: str, script: Script) -> None:
    async with serving(script) as server, client(server.url, transport) as made:
        with pytest.raises(IncompleteError, match="broke in mid-answer") as caught:
            await made.post("/x", BODY, clock())
    assert caught.value.partial_text.startswith("data: 1\n\n")


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_chunk_that_cannot_be_read_ends_the_answer_at_the_latest_with_its_time(
    transport: str, streamed: bool
) -> None:
    """aiohttp forgets to tell whoever reads the body; then the clock ends it."""

    async def script(connection: Connection) -> None:
        await connection.request()
        await connection.send(STREAM_HEAD + b"9\r\ndata: 1\n\n\r\n")
        await asyncio.sleep(0.02)
        await connection.send(b"zz\r\nwhat\r\n")
        await connection.until_closed()

    limits = clock(first_token_s=0.2, total_s=0.2)
    async with serving(script) as server, client(server.url, transport) as made:
        with pytest.raises((IncompleteError, ProviderTimeoutError)):
            await (read(made, limits) if streamed else made.post("/x", BODY, limits))
        assert await server.all_closed()


async def test_a_body_without_a_length_ends_with_its_connection(transport: str) -> None:
    async with serving(once(b"HTTP/1.0 200 OK\r\n\r\ndata: 1\n\n")) as server, client(server.url, transport) as made:
        assert (await made.get("/x", clock())).content == b"data: 1\n\n"
        assert await read(made) == b"data: 1\n\n"


class Body(httpx.AsyncByteStream):
    """Pieces and then an error, or for ever the same piece, without ever giving way."""

    def __init__(self, *pieces: bytes, error: BaseException | None = None, endless: bytes = b"") -> None:
        self.pieces, self.error, self.endless = pieces, error, endless
        self.sent = 0
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece
        if self.error is not None:
            raise self.error
        while self.endless:
            self.sent += len(self.endless)
            yield self.endless

    async def aclose(self) -> None:
        self.closed = True


def replying(body: Body, status: int = 200) -> HttpxTransport:
    return HttpxTransport(httpx.MockTransport(lambda request: httpx.Response(status, stream=body)))


@pytest.mark.parametrize(
    "error", [httpx.ReadError("reset"), httpx.RemoteProtocolError("short"), OSError(104, "reset"), RuntimeError("odd")]
)
async def test_whatever_a_transport_raises_in_mid_body_is_an_incomplete_answer(error: Exception) -> None:
    body = Body(b"half ", "é".encode()[:1], error=error)
    async with client("http://here", replying(body)) as made:
        with pytest.raises(IncompleteError) as caught:
            await made.get("/x", clock())
        assert caught.value.partial_text == "half \ufffd"
        assert body.closed
        with pytest.raises(IncompleteError):
            await read(made)


async def test_a_body_beyond_all_measure_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_BODY_BYTES", 10_000)
    body = Body(endless=b"x" * 100)
    async with client("http://here", replying(body)) as made:
        with pytest.raises(IncompleteError, match="larger than 10000 bytes"):
            await made.get("/x", clock())
        assert body.closed and body.sent <= 10_100


async def test_of_an_endless_error_no_more_is_read_than_anybody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "ERROR_BYTES", 10_000)
    body = Body(endless=b"x" * 100)
    async with client("http://here", replying(body)) as made:
        async with made.stream("/s", BODY, clock()) as stream:
            assert len(await stream.read()) == 10_100
        assert body.closed


async def test_a_server_that_floods_is_given_up_and_left(transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_BODY_BYTES", 100_000)

    async def floods(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await connection.send(b"x" * 10_000)

    async with serving(floods) as server, client(server.url, transport) as made:
        with pytest.raises(IncompleteError, match="larger than"):
            await made.get("/x", clock())
        async with made.stream("/s", BODY, clock()) as stream:
            assert await stream.read()
        assert await server.all_closed()


# Time limits, phase by phase


async def test_an_answer_in_one_piece_ends_with_the_total(transport: str) -> None:
    async with serving(never_answers) as server, client(server.url, transport) as made:
        with pytest.raises(ProviderTimeoutError, match=r"not finished within 0\.05 s") as caught:
            await made.post("/x", BODY, clock(total_s=0.05))
    assert caught.value.phase == "total"


async def test_the_callers_deadline_ends_it_too(transport: str) -> None:
    async with serving(never_answers) as server, client(server.url, transport) as made:
        for call in (made.post("/x", BODY, clock(0.05)), read(made, clock(0.05))):
            with pytest.raises(ProviderTimeoutError, match=r"not finished within 0\.05 s") as caught:
                await call
            assert caught.value.phase == "total"


async def test_a_stream_without_a_head_ends_with_the_patience_for_first_content(transport: str) -> None:
    async with serving(never_answers) as server, client(server.url, transport) as made:
        with pytest.raises(ProviderTimeoutError, match=r"no first token within 0\.05 s") as caught:
            await read(made, clock(first_token_s=0.05))
    assert caught.value.phase == "first_token"


async def test_a_head_without_content_does_not_end_that_patience(transport: str) -> None:
    async with serving(streams_for_ever) as server, client(server.url, transport) as made:
        with pytest.raises(ProviderTimeoutError) as caught:
            await read(made, clock(first_token_s=0.05))
    assert caught.value.phase == "first_token"


async def test_silence_after_content_ends_a_stream(transport: str) -> None:
    limits = clock(chunk_s=0.05)
    async with serving(streams_for_ever) as server, client(server.url, transport) as made:
        with pytest.raises(ProviderTimeoutError, match=r"silent for 0\.05 s in mid-answer") as caught:
            async with made.stream("/s", BODY, limits) as stream:
                async for _ in stream:
                    limits.received()
    assert caught.value.phase == "chunk"


async def drips(connection: Connection) -> None:
    """A little every ten milliseconds, for ever."""
    await connection.request()
    await connection.send(STREAM_HEAD)
    while True:
        await connection.chunk(b"x")
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_server_that_drips_does_not_outlive_the_total(transport: str, streamed: bool) -> None:
    limits = clock(total_s=0.5, chunk_s=5, first_token_s=5)
    before = time.monotonic()
    async with serving(drips) as server, client(server.url, transport) as made:
        with pytest.raises(ProviderTimeoutError) as caught:
            if streamed:
                async with made.stream("/s", BODY, limits) as stream:
                    async for _ in stream:
                        limits.received()
            else:
                await made.post("/x", BODY, limits)
    assert caught.value.phase == "total"
    assert time.monotonic() - before < 2


async def test_a_total_that_has_passed_already_ends_the_call_at_once(transport: str) -> None:
    async with serving(never_answers) as server, client(server.url, transport) as made:
        for call in (made.get("/x", clock(-1.0)), read(made, clock(0.0))):
            with pytest.raises(ProviderTimeoutError):
                await call


async def test_a_stream_that_never_pauses_does_not_outlive_the_total() -> None:
    now_s = 0.0
    body = Body(*[b"data: x\n\n"] * 1000)
    limits = CallClock(Timeouts(total_s=10), now=lambda: now_s)
    async with client("http://here", replying(body)) as made, made.stream("/s", BODY, limits) as stream:
        with pytest.raises(ProviderTimeoutError):
            async for _ in stream:
                limits.received()
                now_s += 1.0


async def test_a_transport_that_never_comes_back_is_cut_off() -> None:
    class Stuck(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await asyncio.Event().wait()
            raise AssertionError

    async with client("http://here", HttpxTransport(Stuck())) as made:
        with pytest.raises(ProviderTimeoutError):
            await made.get("/x", clock(total_s=0.02))
        with pytest.raises(ProviderTimeoutError):
            await read(made, clock(first_token_s=0.02))


async def test_a_large_body_that_the_server_refuses_half_way_is_answered_and_its_connection_closed() -> None:
    async def refuses(connection: Connection) -> None:
        await connection.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
        await connection.until_closed()

    async with serving(refuses) as server, client(server.url, "aiohttp") as made:
        reply = await made.post("/x", {"content": "x" * 20_000_000}, clock())
        assert (reply.status, reply.content) == (413, b"big")
        async with asyncio.timeout(2):
            await server.left.wait()


async def test_pieces_that_have_come_together_are_read_together() -> None:
    async def bursts(connection: Connection) -> None:
        await connection.request()
        await connection.send(STREAM_HEAD + b"9\r\ndata: 1\n\n\r\n" * 200 + b"0\r\n\r\n")

    async with (
        serving(bursts) as server,
        client(server.url, "aiohttp") as made,
        made.stream("/s", BODY, clock()) as stream,
    ):
        await asyncio.sleep(0.05)
        pieces = [piece async for piece in stream]
    assert (len(pieces), b"".join(pieces)) == (1, b"data: 1\n\n" * 200)


async def test_a_slow_reader_is_not_held_against_the_server(transport: str) -> None:
    async with serving(streams_pieces) as server, client(server.url, transport) as made:
        limits = clock(chunk_s=0.05)
        async with made.stream("/s", BODY, limits) as stream:
            async for _ in stream:
                await asyncio.sleep(0.1)
                limits.received()


# What must not leak


@pytest.mark.parametrize("url", ["http://here:99999", "http://[::1", "http://a b\x00"])
async def test_an_address_that_is_none_is_a_provider_error(url: str) -> None:
    async with client(url, HttpxTransport(httpx.MockTransport(lambda request: httpx.Response(200)))) as made:
        with pytest.raises(ProviderError):
            await made.get("/x", clock())


@pytest.mark.parametrize(
    "value",
    [MappingProxyType({"type": "object"}), {1, 2}, b"bytes", object()],
    ids=["a read-only mapping", "a set", "bytes", "an object"],
)
async def test_a_schema_that_is_no_json_is_a_provider_error(value: Any) -> None:
    """`Tool.parameters` and `JsonSchema.schema` are any Mapping."""
    async with client("http://here", HttpxTransport(httpx.MockTransport(lambda request: httpx.Response(200)))) as made:
        with pytest.raises(ProviderError):
            await made.post("/x", {"schema": value}, clock())


async def test_a_closed_client_does_not_open_another_transport_than_it_was_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened = []
    given = HttpxTransport(httpx.MockTransport(lambda request: httpx.Response(200)))

    def open_another(name: str, base_url: str) -> Transport:
        opened.append(name)
        return given

    monkeypatch.setattr(http, "open_transport", open_another)
    made = HttpClient("http://here", transport=given)
    await made.aclose()
    with suppress(ProviderError, RuntimeError):
        await made.get("/x", clock())
    assert opened == []


async def test_nothing_is_opened_before_the_first_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "open_transport", pytest.fail)
    await HttpClient("http://here").aclose()


async def test_the_rest_of_a_stream_can_be_read_after_its_first_piece() -> None:
    async with (
        client("http://here", replying(Body(b"a", b"b", b"c"))) as made,
        made.stream("/s", BODY, clock()) as stream,
    ):
        assert await anext(stream) == b"a"
        assert await stream.read() == b"bc"
