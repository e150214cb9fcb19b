"""The door: who may come in by which name, from which page, by which method, and how much they may bring."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.raw import Answered, connected, receive, request, send
from tests.gateway.world import SETTINGS, World, opened

from turnout.gateway.hosts import host_name

CHAT = b'{"model": "auto", "messages": [{"role": "user", "content": "what is a mutex?"}]}'
PAGE = "https://page.example"


def get(
    world: World, target: str = "/healthz", *headers: str, method: str = "GET", host: str | None = "localhost"
) -> Answered:
    return send(world.url, request(method, target, headers, host=host))


def post(world: World, body: bytes, *headers: str, target: str = "/v1/chat/completions") -> Answered:
    return send(world.url, request("POST", target, headers, body))


# Names

GOOD_NAMES = (
    "localhost",
    "LocalHost:8787",
    "localhost.",
    "localhost.:8787",
    "127.0.0.1:1",
    "[::1]",
    "[::1]:8787",
    "[0:0:0:0:0:0:0:1]:80",
)
BAD_NAMES = (
    "evil.example",
    "",
    "localhost:port",
    "localhost:80:80",
    "[::1",
    "::1",
    "[::2]",
    "127.0.0.1.evil.example",
    "localhost@evil.example",
    "localhost..",
    "evil.example:localhost",
    "0.0.0.0",
)


@pytest.mark.parametrize("host", GOOD_NAMES)
def test_a_name_of_the_gateway_is_answered(world: World, host: str) -> None:
    assert get(world, host=host).status == 200
    assert get(world, f"http://{host}/healthz", host=host).status == 200


@pytest.mark.parametrize("host", [name for name in BAD_NAMES if name != "::1"])
def test_another_name_is_refused(world: World, host: str) -> None:
    refused = get(world, host=host)
    assert (refused.status, refused.code) == (421, "unknown_host")


def test_the_name_in_the_target_counts_too(world: World) -> None:
    refused = get(world, "http://evil.example/healthz")
    assert (refused.status, refused.code) == (421, "unknown_host")


def test_without_a_name_there_is_no_answer(world: World) -> None:
    assert get(world, host=None).code == "bad_http"
    assert send(world.url, b"GET /healthz HTTP/1.0\r\n\r\n").code == "unknown_host"
    assert get(world, "/healthz", "Host: localhost").code == "bad_http"  # two of them


@given(st.text(alphabet=st.sampled_from("[]:.aLo1%@ \x00é٣"), max_size=12))
def test_whatever_is_sent_as_a_name_is_read(named: str) -> None:
    name = host_name(named)
    assert host_name(name) == name


# Other sites


def test_a_page_of_another_site_may_not_ask(world: World) -> None:
    refused = post(world, CHAT, f"Origin: {PAGE}")
    assert (refused.status, refused.code) == (403, "foreign_origin")
    assert "access-control-allow-origin" not in refused.headers
    assert not world.chats


@pytest.mark.parametrize(
    "origin", ["null", "http://localhost.evil.example", "http://localhost:1", "https://localhost@x"]
)
def test_what_only_looks_like_our_page_may_not_either(world: World, origin: str) -> None:
    assert get(world, "/v1/models", f"Origin: {origin}").status == 403


def test_our_own_page_may_ask(world: World) -> None:
    assert get(world, "/v1/models", "Origin: http://LOCALHOST:8787", host="localhost:8787").status == 200


def test_a_preflight_of_another_site_is_refused(world: World) -> None:
    refused = get(world, "/v1/models", f"Origin: {PAGE}", "Access-Control-Request-Method: POST", method="OPTIONS")
    assert refused.status == 403


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A gateway that one page may ask, with small limits."""
    settings = f"{{cors_origins: ['{PAGE}'], limits: {{max_body_mb: 0.5, max_header_kb: 4}}}}"
    with opened(tmp_path_factory.mktemp("narrow"), SETTINGS, settings) as world:
        yield world


def test_a_configured_page_may_ask_and_read(narrow: World) -> None:
    told = post(narrow, CHAT, f"Origin: {PAGE}")
    assert (told.status, told.headers["access-control-allow-origin"], told.headers["vary"]) == (200, PAGE, "Origin")
    assert "x-turnout-decision" in told.headers["access-control-expose-headers"]
    assert post(narrow, b"", f"Origin: {PAGE}").headers["access-control-allow-origin"] == PAGE  # errors too
    assert get(narrow, "/v1/models").headers["vary"] == "Origin"


def test_its_preflight_is_answered_with_the_headers_it_wants(narrow: World) -> None:
    wanted = "authorization,content-type,x-stainless-os"
    asked = (f"Origin: {PAGE}", "Access-Control-Request-Method: POST", f"Access-Control-Request-Headers: {wanted}")
    told = get(narrow, "/v1/chat/completions", *asked, method="OPTIONS")
    assert (told.status, told.headers["access-control-allow-headers"]) == (204, wanted)
    odd = get(narrow, "/v1/models", f"Origin: {PAGE}", "Access-Control-Request-Headers: a b; c", method="OPTIONS")
    assert odd.headers["access-control-allow-headers"] == "authorization, content-type"


# Sizes


def test_a_body_that_says_it_is_too_large_is_not_waited_for(narrow: World) -> None:
    head = request("POST", "/api/chat", ["Content-Length: 600000", "Expect: 100-continue"])
    refused = send(narrow.url, head)
    assert (refused.status, refused.json["code"]) == (413, "body_too_large")


def test_a_body_in_chunks_is_bounded(narrow: World) -> None:
    head = request("POST", "/v1/responses", ["Transfer-Encoding: chunked"])
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    assert send(narrow.url, head, *[chunk] * 12).code == "body_too_large"


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_packed_body_is_unpacked_no_further_than_the_limit(narrow: World, encoding: str) -> None:
    pack = gzip.compress if encoding == "gzip" else zlib.compress
    bomb = pack(b" " * 50_000_000)
    assert len(bomb) < 60_000
    assert post(narrow, bomb, f"Content-Encoding: {encoding}").code == "body_too_large"
    assert post(narrow, pack(CHAT), f"Content-Encoding: {encoding}").status == 200


def test_what_is_not_packed_as_it_says_is_refused(narrow: World) -> None:
    assert post(narrow, CHAT, "Content-Encoding: gzip").code == "invalid_encoding"
    assert post(narrow, gzip.compress(CHAT)[:30], "Content-Encoding: gzip").status == 400
    refused = post(narrow, CHAT, "Content-Encoding: rot13")
    assert (refused.status, refused.headers["accept-encoding"]) == (415, "gzip, deflate")


def test_headers_are_bounded_together(narrow: World) -> None:
    many = [f"X-{number}: {'a' * 100}" for number in range(60)]
    assert get(narrow, "/healthz", *many).code == "headers_too_large"
    assert get(narrow, "/healthz", f"X: {'a' * 5000}").status == 431
    assert get(narrow, "/healthz", *["X: a"] * 200).status == 431
    pieces = [f"X-{number}: {'a' * 500}\r\n".encode() for number in range(40)]
    assert send(narrow.url, b"GET /healthz HTTP/1.1\r\n", *pieces).status in (431, 0)
    assert get(narrow).status == 200


# Paths and methods


@pytest.mark.parametrize(
    "target",
    [
        "//v1/models",
        "/v1//models",
        "/v1/%2e%2e/healthz",
        "/v1/../healthz",
        "/%00",
        "/page/..%2f..%2fapp.py",
        "/V1/models",
    ],
)
def test_a_path_with_tricks_leads_nowhere(world: World, target: str) -> None:
    refused = get(world, target)
    assert (refused.status, refused.code) == (404, "not_found")


def test_unknown_paths_and_methods_are_told_in_the_dialect(world: World) -> None:
    assert get(world, "/api/nothing").json["code"] == "not_found"
    assert get(world, "/v1/nothing").code == "not_found"
    refused = get(world, "/v1/models", method="DELETE")
    assert (refused.status, refused.code, refused.headers["allow"]) == (405, "method_not_allowed", "GET,HEAD")
    refused = get(world, "/api/chat", method="PATCH")
    assert (refused.status, refused.json["code"], refused.headers["allow"]) == (405, "method_not_allowed", "POST")
    assert get(world, method="TRACE").status == 405
    assert get(world, "localhost:80", method="CONNECT").status == 404


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/readyz", "/v1/models", "/v1/models/auto", "/api/tags", "/turnout/status"]
)
def test_head_works_where_get_does(world: World, path: str) -> None:
    with connected(world.url) as sock:
        sock.sendall(request("HEAD", path))
        told = receive(sock, bodiless=True)
        assert told.status == 200 and int(told.headers["content-length"]) > 0
        sock.sendall(request("GET", "/healthz"))  # nothing of a body is in between
        assert receive(sock).json == {"status": "ok"}


@pytest.mark.parametrize(("path", "methods"), [("/v1/models", "GET,HEAD,OPTIONS"), ("/api/chat", "POST,OPTIONS")])
def test_options_tell_what_is_understood(world: World, path: str, methods: str) -> None:
    told = get(world, path, method="OPTIONS")
    assert (told.status, told.headers["allow"], told.body) == (204, methods, b"")
    assert get(world, "*", method="OPTIONS").status == 204


def test_every_answer_is_guarded_and_tells_no_version(world: World) -> None:
    for told in (get(world), get(world, "/nothing"), send(world.url, b"\r\nx\r\n\r\n"), post(world, CHAT)):
        assert told.headers["server"] == "turnout"
        assert "aiohttp" not in str(told) and "Python" not in str(told)
    assert get(world).headers["x-content-type-options"] == "nosniff"
