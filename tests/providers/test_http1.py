"""Heads and bodies of HTTP/1.1 as bytes, cut in every place, and what breaks the rules."""

from __future__ import annotations

import gzip
import zlib

import pytest

from turnout.providers.http1 import Chunked, Counted, HttpError, Inflated, UntilClosed, framing_of, read_head

CHUNKED = b"4;name=value\r\nWiki\r\n6\r\npedia \r\nA\nin chunks.\r\n0\r\nX-Trailer: 1\r\n\r\n"


def test_a_head_is_read_with_its_names_in_any_case() -> None:
    head = read_head(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\nX-A:  b c \r\nset-cookie: a\r\nset-cookie: b")
    assert (head.status, head.length, head.is_chunked, head.keeps_connection) == (200, 12, False, True)
    assert (head.headers["CONTENT-length"], head.headers["x-a"]) == ("12", "b c")
    assert head.headers.getall("Set-Cookie") == ["a", "b"]


def test_a_status_may_come_without_words_and_lines_may_end_with_a_line_feed_only() -> None:
    head = read_head(b"HTTP/1.1 404\nContent-Length: 0")
    assert (head.status, head.length) == (404, 0)


@pytest.mark.parametrize(
    ("data", "keeps"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", True),
        (b"HTTP/1.1 204 No Content", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: Close", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 1", False),
        (b"HTTP/1.1 200 OK", False),
    ],
)
def test_a_connection_is_kept_where_the_end_of_the_body_is_told(data: bytes, keeps: bool) -> None:
    assert read_head(data).keeps_connection is keeps


@pytest.mark.parametrize(
    ("data", "framing"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1", Counted),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1", Counted),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked", Chunked),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked", Chunked),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip", UntilClosed),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7", Counted),
        (b"HTTP/1.1 200 OK", UntilClosed),
    ],
)
def test_how_a_body_ends_is_read_off_its_head(data: bytes, framing: type) -> None:
    assert type(framing_of(read_head(data))) is framing


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"220 mail.example.org ESMTP",
        b"HTTP/2 200 OK",
        b"HTTP/1.1 099 Odd",
        b"HTTP/1.1 20 OK",
        b"HTTP/1.1 200 OK\r\nno colon",
        b"HTTP/1.1 200 OK\r\nA: b\r\n folded: c",
        b"HTTP/1.1 200 OK\r\nName : value",
        b"HTTP/1.1 200 OK\r\nA: b\0c",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1_0",
        b"HTTP/1.1 200 OK\r\nContent-Length: \xc2\xb2",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2",
    ],
)
def test_a_head_that_breaks_the_rules_is_an_error(data: bytes) -> None:
    with pytest.raises(HttpError):
        read_head(data)


def test_chunks_are_the_same_wherever_they_are_cut() -> None:
    for cut in range(len(CHUNKED)):
        framing = Chunked()
        pieces = [framing.feed(CHUNKED[:cut]), framing.feed(CHUNKED[cut:])]
        assert b"".join(pieces) == b"Wikipedia in chunks."
        assert (framing.is_over, framing.surplus) == (True, b"")
    framing = Chunked()
    assert b"".join(framing.feed(bytes([byte])) for byte in CHUNKED) == b"Wikipedia in chunks."
    assert framing.is_over


def test_what_comes_behind_the_end_is_told_apart() -> None:
    chunked, counted = Chunked(), Counted(3)
    assert (chunked.feed(b"1\r\nx\r\n0\r\n\r\nHTTP"), chunked.surplus) == (b"x", b"HTTP")
    assert (counted.feed(b"a"), counted.feed(b"bcd"), counted.is_over, counted.surplus) == (b"a", b"bc", True, b"d")


@pytest.mark.parametrize(
    "data", [b"zz\r\n", b"-1\r\n", b"\r\n", b"1_0\r\n", b"1\r\nab\r\n", b"1" * 9000, b"f" * 16 + b"\r\n"]
)
def test_chunks_that_break_the_rules_are_an_error(data: bytes) -> None:
    with pytest.raises(HttpError):
        Chunked().feed(data)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "raw deflate"])
def test_a_packed_body_is_unpacked_wherever_it_is_cut(encoding: str) -> None:
    body = b'{"ok":true}' * 9
    bare = zlib.compressobj(wbits=-15)
    packed = {
        "gzip": gzip.compress(body),
        "deflate": zlib.compress(body),
        "raw deflate": bare.compress(body) + bare.flush(),
    }[encoding]
    for cut in range(len(packed)):
        inflated = Inflated(encoding.split()[-1])
        assert inflated.feed(packed[:cut]) + inflated.feed(packed[cut:]) == body
        assert inflated.is_over


def test_a_small_body_that_unpacks_to_a_large_one_is_handed_out_in_pieces() -> None:
    inflated, packed, size = Inflated("gzip"), gzip.compress(bytes(10_000_000)), 0
    piece = inflated.feed(packed)
    while piece:
        assert len(piece) <= 1024 * 1024
        size += len(piece)
        piece = inflated.feed(b"")
    assert (size, inflated.is_over) == (10_000_000, True)


def test_a_body_that_is_not_packed_as_it_says_is_an_error() -> None:
    with pytest.raises(HttpError):
        Inflated("gzip").feed(b"nope")
