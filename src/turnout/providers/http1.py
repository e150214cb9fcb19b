"""HTTP/1.1 as bytes: the head of an answer, and what its body is wrapped in. Knows neither sockets nor time."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import Final, Protocol

from multidict import CIMultiDict

MOST_HEAD_BYTES: Final = 64 * 1024
_MOST_LINE_BYTES: Final = 8 * 1024
_INFLATED_BYTES: Final = 1024 * 1024

_STATUS_LINE: Final = re.compile(r"HTTP/1\.([01]) ([1-5]\d\d)(?: .*)?")
_FIELD: Final = re.compile(r"^([!#$%&'*+.^_`|~0-9A-Za-z-]+):(.*)$", re.MULTILINE)
_SIZE: Final = re.compile(rb"[0-9A-Fa-f]{1,15}")
_DIGITS: Final = re.compile(r"[0-9]{1,18}")
_EMPTY: Final = frozenset({204, 304})


class HttpError(Exception):
    """What came is no HTTP/1.1."""


@dataclass(slots=True)
class Head:
    """The head of an answer. `length` is None where the body ends otherwise than after so many bytes."""

    status: int
    headers: CIMultiDict[str]
    length: int | None
    is_chunked: bool
    keeps_connection: bool


def read_head(data: bytes) -> Head:
    """The head of an answer, without the empty line.

    Raises:
        HttpError: it breaks the rules.
    """
    first, _, lines = data.decode("utf-8", "surrogateescape").partition("\n")
    found = _STATUS_LINE.fullmatch(first.rstrip("\r"))
    if found is None:
        raise HttpError("no HTTP/1.1 status line")
    fields = _FIELD.findall(lines)
    if len(fields) != (lines.count("\n") + 1 if lines else 0) or "\0" in lines:
        raise HttpError("a header that is none")
    headers = CIMultiDict([(name, value.strip(" \t\r")) for name, value in fields])
    status = int(found[2])
    coding = headers.get("transfer-encoding")
    is_chunked = coding is not None and coding.lower().rpartition(",")[2].strip() == "chunked"
    length = _length(headers) if coding is None else None
    if status in _EMPTY:
        is_chunked, length = False, 0
    ends_somewhere = is_chunked or length is not None
    keeps = ends_somewhere and found[1] == "1" and "close" not in headers.get("connection", "").lower()
    return Head(status, headers, length, is_chunked, keeps)


def _length(headers: CIMultiDict[str]) -> int | None:
    said = set(headers.getall("content-length", ()))
    if not said:
        return None
    length = said.pop()
    if said or not _DIGITS.fullmatch(length):
        raise HttpError("a Content-Length that is none")
    return int(length)


class Framing(Protocol):
    """How a body ends. `surplus` is what came behind its end."""

    is_over: bool
    surplus: bytes

    def feed(self, data: bytes) -> bytes:
        """What of the body these bytes hold.

        Raises:
            HttpError: they break the rules.
        """
        ...


def framing_of(head: Head) -> Framing:
    """How the body behind a head ends."""
    if head.is_chunked:
        return Chunked()
    return UntilClosed() if head.length is None else Counted(head.length)


class Counted:
    """A body of so many bytes."""

    def __init__(self, length: int) -> None:
        self.is_over = length == 0
        self.surplus = b""
        self._left = length

    def feed(self, data: bytes) -> bytes:
        """What of the body these bytes hold."""
        self._left -= len(data)
        if self._left > 0:
            return data
        self.is_over = True
        if self._left < 0:
            data, self.surplus = data[: self._left], data[self._left :]
        return data


class UntilClosed:
    """A body that ends with its connection."""

    def __init__(self) -> None:
        self.is_over = False
        self.surplus = b""

    def feed(self, data: bytes) -> bytes:
        """All of it."""
        return data


class Chunked:
    """A body in chunks."""

    def __init__(self) -> None:
        self.is_over = False
        self.surplus = b""
        self._left = 0
        self._line = b""
        self._read_line = self._size

    def feed(self, data: bytes) -> bytes:
        """What of the body these bytes hold."""
        pieces, at = [], 0
        data, self._line = self._line + data, b""
        while not self.is_over:
            if self._left:
                piece = data[at : at + self._left]
                pieces.append(piece)
                self._left -= len(piece)
                at += len(piece)
                if self._left:
                    break
            end = data.find(b"\n", at)
            if (len(data) if end < 0 else end) - at > _MOST_LINE_BYTES:
                raise HttpError("a line between chunks is too long")
            if end < 0:
                self._line = data[at:]
                break
            self._read_line(data[at:end].rstrip(b"\r"))
            at = end + 1
        else:
            self.surplus = data[at:]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _size(self, line: bytes) -> None:
        size = line.partition(b";")[0].strip()
        if not _SIZE.fullmatch(size):
            raise HttpError("a chunk without a size")
        self._left = int(size, 16)
        self._read_line = self._end if self._left else self._trailer

    def _end(self, line: bytes) -> None:
        if line:
            raise HttpError("a chunk that is longer than its size")
        self._read_line = self._size

    def _trailer(self, line: bytes) -> None:
        self.is_over = not line


class Inflated:
    """A body that is packed although nobody asked for it; a piece of it at a time, since little may hold much."""

    def __init__(self, encoding: str) -> None:
        self.is_over = False
        self._is_deflate = encoding == "deflate"
        self._inner = zlib.decompressobj(wbits=47)  # gzip or zlib, whichever it begins like
        self._packed = b""

    def feed(self, data: bytes) -> bytes:
        """What these bytes hold, or a beginning of it: then nothing more asks for the next piece."""
        if self._is_deflate and data:
            if data[0] & 0x0F != 8:  # without the head that it should have
                self._inner = zlib.decompressobj(wbits=-15)
            self._is_deflate = False
        try:
            found = self._inner.decompress(self._packed + data, _INFLATED_BYTES)
        except zlib.error as error:
            raise HttpError(f"the body is not what its Content-Encoding says ({error})") from error
        self._packed = self._inner.unconsumed_tail
        self.is_over = self._inner.eof
        return found
