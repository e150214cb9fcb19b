"""Bodies and requests that are made to break something, or to be read in two ways."""

from __future__ import annotations

import pytest
from tests.gateway.raw import Answered, connected, receive, request, send
from tests.gateway.world import World

CHAT = b'{"model": "auto", "messages": [{"role": "user", "content": "what is a mutex?"}]}'


def post(world: World, body: bytes, *headers: str, target: str = "/v1/chat/completions") -> Answered:
    return send(world.url, request("POST", target, headers, body))


# Bodies

HOSTILE = {
    "nothing": b"",
    "invalid UTF-8": b'{"model": "\xff\xfe\xfa"}',
    "half a character": b'{"model": "\xe2\x82',
    "not an object": b"[]",
    "not a number": b'{"temperature": NaN}',
    "infinity": b'{"temperature": -Infinity}',
    "a number without bounds": b'{"temperature": 1e999}',
    "a number of 5,000 digits": b'{"seed": ' + b"9" * 5000 + b"}",
    "a hundred thousand levels": b'{"messages": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "levels as many as can just be read": b'{"temperature": ' + b'{"a":' * 970 + b"1" + b"}" * 970 + b"}",
    "two objects": b"{}{}",
    "a byte order mark only": b"\xef\xbb\xbf",
}


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/api/chat", "/turnout/route"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_body_is_refused_in_the_dialect(world: World, name: str, path: str) -> None:
    refused = post(world, HOSTILE[name], target=path)
    assert refused.status == 400
    assert ("code" in refused.json) == (path == "/api/chat") == isinstance(refused.json["error"], str)


def test_of_two_fields_of_one_name_the_last_counts(world: World) -> None:
    twice = CHAT.replace(b'"model": "auto"', b'"model": "nobody", "model": "auto"')
    assert post(world, twice).status == 200


def test_halves_of_characters_do_no_harm(world: World) -> None:
    assert post(world, CHAT.replace(b"what", b"\\ud800 \\udfff \\u0000")).status == 200


# Rules of HTTP

BROKEN = {
    "two lengths": (["Content-Length: 2", "Content-Length: 3"], b"{}"),
    "a length and chunks": (["Content-Length: 2", "Transfer-Encoding: chunked"], b"0\r\n\r\n"),
    "chunks and a length": (["Transfer-Encoding: chunked", "Content-Length: 2"], b"0\r\n\r\n"),
    "an encoding that is none": (["Transfer-Encoding: xchunked"], b"0\r\n\r\n"),
    "two encodings": (["Transfer-Encoding: chunked", "Transfer-Encoding: identity"], b"0\r\n\r\n"),
    "a negative length": (["Content-Length: -2"], b"{}"),
    "a signed length": (["Content-Length: +2"], b"{}"),
    "a length in words": (["Content-Length: two"], b"{}"),
    "a space before the colon": (["Content-Length : 2"], b"{}"),
    "a header over two lines": (["X: a\r\n b: c"], b"{}"),
    "a NUL in a header": (["X: a\0b"], b"{}"),
    "a chunk without a length": (["Transfer-Encoding: chunked"], b"zz\r\n{}\r\n"),
    "a chunk with more than it says": (["Transfer-Encoding: chunked"], b"1\r\n{}\r\n0\r\n\r\n"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_two_servers_might_read_differently_is_refused(world: World, name: str) -> None:
    headers, body = BROKEN[name]
    refused = post(world, body, *headers)
    assert (refused.status, refused.code) == (400, "bad_http")
    assert not world.chats


def test_a_chunk_that_breaks_the_rules_later_is_refused_at_once(world: World) -> None:
    with connected(world.url) as sock:
        sock.sendall(request("POST", "/v1/chat/completions", ["Transfer-Encoding: chunked"], b"2\r\n{}\r\n"))
        sock.sendall(b"zz\r\n")
        assert receive(sock).code == "bad_http"


@pytest.mark.parametrize(
    "content", [b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"GET /a\0b HTTP/1.1\r\n\r\n", b"hello\r\n\r\n"]
)
def test_what_is_no_http_is_told_so(world: World, content: bytes) -> None:
    refused = send(world.url, content)
    assert (refused.status, refused.code, refused.headers["server"]) == (400, "bad_http", "turnout")
    assert b"hello" not in refused.body


def test_an_expectation_that_nobody_meets_is_refused(world: World) -> None:
    refused = post(world, CHAT, "Expect: a-miracle")
    assert (refused.status, refused.json["error"]["type"]) == (417, "invalid_request_error")
