"""What the leaner transport does on its own account; what all transports have in common is in test_http.py."""

from __future__ import annotations

import asyncio

import pytest
from tests.providers.test_http import OK, Connection, Script, answers, client, clock, serving
from yarl import URL

from turnout.errors import IncompleteError, UnreachableError
from turnout.providers.direct import DirectTransport, is_direct
from turnout.providers.transport import open_transport

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def after_a_request(*answer: bytes) -> Script:
    """Sends these bytes, a moment apart, for each request."""

    async def script(connection: Connection) -> None:
        while True:
            await connection.request()
            for piece in answer:
                await connection.send(piece)
                await asyncio.sleep(0.005)

    return script


@pytest.mark.parametrize(
    ("url", "is_ours"),
    [
        ("http://127.0.0.1:8080/v1", True),
        ("http://192.168.1.5", True),
        ("http://[::1]:8080", True),
        ("http://localhost:8080", True),
        ("https://127.0.0.1:8080", False),
        ("http://ollama:11434", False),
        ("http://user@127.0.0.1", False),
    ],
)
def test_an_address_without_tls_and_without_a_name_is_reached_directly(url: str, is_ours: bool) -> None:
    assert is_direct(url) is is_ours


async def test_aiohttp_serves_where_more_is_needed() -> None:
    for url, is_ours in (("http://127.0.0.1", True), ("http://here", False)):
        transport = open_transport("aiohttp", url)
        assert isinstance(transport, DirectTransport) is is_ours
        await transport.aclose()


async def test_informational_heads_are_passed_over() -> None:
    script = after_a_request(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", OK)
    async with serving(script) as server, client(server.url, "aiohttp") as made:
        assert (await made.get("/x", clock())).content == b'{"ok":true}'
        assert (await made.get("/x", clock())).status == 200
        assert server.accepted == 1


async def test_an_answer_may_come_byte_by_byte() -> None:
    script = after_a_request(*(bytes([byte]) for byte in OK))
    async with serving(script) as server, client(server.url, "aiohttp") as made:
        assert (await made.get("/x", clock())).content == b'{"ok":true}'


@pytest.mark.parametrize("surplus", [b"x", OK])
async def test_a_connection_on_which_more_came_than_was_asked_for_serves_no_more(surplus: bytes) -> None:
    async with serving(after_a_request(OK + surplus)) as server, client(server.url, "aiohttp") as made:
        for _ in range(2):
            assert (await made.get("/x", clock())).content == b'{"ok":true}'
        assert server.accepted == 2
    async with serving(after_a_request(OK, surplus)) as server, client(server.url, "aiohttp") as made:
        for _ in range(2):
            assert (await made.get("/x", clock())).content == b'{"ok":true}'
            await asyncio.sleep(0.02)
        assert server.accepted == 2


async def test_another_protocol_is_refused() -> None:
    answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
    async with serving(answers(answer)) as server, client(server.url, "aiohttp") as made:
        with pytest.raises(UnreachableError, match="another protocol"):
            await made.get("/x", clock())


async def test_a_packed_body_that_ends_too_early_is_incomplete() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 10\r\n\r\n"
    packed = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"
    async with serving(answers(head + packed)) as server, client(server.url, "aiohttp") as made:
        with pytest.raises(IncompleteError, match="ends too early"):
            await made.get("/x", clock())


async def test_a_header_with_a_line_end_is_not_sent() -> None:
    async with serving(answers()) as server, client(server.url, "aiohttp", headers={"x": "a\r\nb: c"}) as made:
        with pytest.raises(UnreachableError, match="line end"):
            await made.get("/x", clock())
        assert server.requests == []


async def test_a_caller_that_leaves_in_the_moment_of_the_answer_disturbs_nobody() -> None:
    async with serving(answers()) as server:
        transport = DirectTransport(idle_s=4.0)
        url, headers = URL(server.url), {"a": "b"}
        for _ in range(20):
            leaving = asyncio.create_task(transport.send("GET", url, headers, None, 1.0))
            while not transport._idle:  # the answer is whole, its caller was not told yet
                await asyncio.sleep(0)
                if leaving.done():
                    break
            leaving.cancel()
            body = await transport.send("GET", url, headers, None, 1.0)
            assert await body.read() == b'{"ok":true}'
            await asyncio.gather(leaving, return_exceptions=True)
        await transport.aclose()


async def test_a_reader_that_takes_its_time_holds_the_server_up() -> None:
    size = 8 * 1024 * 1024
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode()
    async with serving(answers(head + bytes(size))) as server:
        transport = DirectTransport(idle_s=4.0)
        body = await transport.send("GET", URL(server.url), {}, None, 1.0)
        await asyncio.sleep(0.1)
        first = body.at_hand()
        assert 0 < len(first) < size // 2
        got = len(first)
        while data := await body.read():
            got += len(data)
        assert got == size
        await (await transport.send("GET", URL(server.url), {}, None, 1.0)).aclose()
        assert server.accepted == 1, "the connection reads on for its next request"
        await transport.aclose()


async def test_connections_that_wait_in_vain_are_closed() -> None:
    async with serving(answers()) as server:
        transport = DirectTransport(idle_s=0.05)
        bodies = await asyncio.gather(*(transport.send("GET", URL(server.url), {}, None, 1.0) for _ in range(3)))
        assert [await body.read() for body in bodies] == [b'{"ok":true}'] * 3
        assert server.open == 3
        await asyncio.sleep(0.15)
        assert server.open == 0
        assert not transport._all
        await transport.aclose()
