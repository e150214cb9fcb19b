"""Clients that take their time: what they hold is let go, and nobody else notices."""

from __future__ import annotations

import time

import pytest
from tests.gateway.raw import connected, receive, request, send
from tests.gateway.world import World

from turnout.gateway import connections

BODY = b'{"model": "auto", "messages": [{"role": "user", "content": "what is a mutex?"}]}'


@pytest.fixture
def impatient(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A gateway that waits for nobody."""
    monkeypatch.setattr(connections, "COMPLETE_S", 0.4)
    return world


def test_who_says_nothing_is_sent_away(impatient: World) -> None:
    assert send(impatient.url).status == 0


def test_headers_that_never_end_are_not_waited_for(impatient: World) -> None:
    told = send(impatient.url, b"GET /healthz HTTP/1.1\r\n", b"Host: localhost\r\n")
    assert (told.status, told.code, told.headers["connection"]) == (408, "too_slow", "close")


def test_headers_that_come_letter_by_letter_are_not_waited_for(impatient: World) -> None:
    with connected(impatient.url) as sock:
        sock.settimeout(0.05)
        for letter in b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 10_000:
            try:
                sock.sendall(bytes([letter]))
                content = sock.recv(1000)
            except TimeoutError:
                continue
            except ConnectionError:
                content = b""
            assert not content or content.startswith(b"HTTP/1.1 408")
            return
    raise AssertionError("it would wait for ever")


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/chat"])
def test_a_body_that_never_ends_is_not_waited_for(impatient: World, path: str) -> None:
    told = send(impatient.url, request("POST", path, [f"Content-Length: {len(BODY)}"]), BODY[:-1])
    assert (told.status, told.headers["connection"]) == (408, "close")
    assert "too_slow" in str(told.json)
    assert not impatient.chats


def test_nor_one_in_chunks(impatient: World) -> None:
    told = send(impatient.url, request("POST", "/v1/responses", ["Transfer-Encoding: chunked"], b"2\r\n{}\r\n"))
    assert told.code == "too_slow"


def test_an_answer_may_take_longer_than_its_request(impatient: World) -> None:
    impatient.slow()
    asked = BODY.replace(b"what is a mutex?", b"write 60 words about locks")
    with connected(impatient.url) as sock:
        sock.sendall(request("POST", "/v1/chat/completions", (), asked))
        time.sleep(0.6)
        # The beginning of the next request may lie there meanwhile.
        sock.sendall(b"GET /healthz HT")
        impatient.slow(0.0)
        assert receive(sock).status == 200


def test_many_slow_clients_keep_nobody_else_waiting(impatient: World) -> None:
    socks = [connected(impatient.url) for _ in range(100)]
    try:
        for sock in socks:
            sock.sendall(request("POST", "/v1/responses", ["Content-Length: 100"], b"{"))
        assert send(impatient.url, request("GET", "/healthz")).status == 200
        assert all(receive(sock).status == 408 for sock in socks)
    finally:
        for sock in socks:
            sock.close()


def test_a_connection_is_used_again(impatient: World) -> None:
    with connected(impatient.url) as sock:
        for _ in range(3):
            sock.sendall(request("POST", "/v1/chat/completions", (), BODY))
            assert receive(sock).status == 200
            time.sleep(0.5)  # longer than a request may take: between two nobody is late
        sock.sendall(request("GET", "/healthz") * 5)
        content = b""
        while content.count(b'{"status":"ok"}') < 5:
            content += sock.recv(65_536)
