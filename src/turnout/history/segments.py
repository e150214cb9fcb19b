"""One file of the journal, from the side that writes it and from the side that drains it.

The drainer reads through a handle of its own that was opened with the file: records can still be read after somebody
has deleted the file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, TypeAlias

SUFFIX: Final = ".jsonl"
_BLOCK_BYTES: Final = 1 << 18  # so that to split it keeps nobody from the interpreter for long
_FLAGS: Final = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0)

Write: TypeAlias = Callable[[int, bytes], int]


class Segment:
    """A file that this process appends to.

    `drained` is how far everything is settled, `begun_s` when its oldest record may have been written; a `torn` one
    ends with half a line and takes no more.
    """

    def __init__(self, path: Path, begun_s: float) -> None:
        self.path = path
        self.begun_s = begun_s
        self.size = 0
        self.drained = 0
        self.torn = False
        self._handle = os.open(path, _FLAGS, 0o600)
        try:
            self.reading: BinaryIO = path.open("rb", buffering=0)
        except OSError:
            os.close(self._handle)
            raise

    def append(self, lines: bytes, write: Write) -> None:
        """Append all of some whole lines or nothing.

        Raises:
            OSError: it could not be written, or not all of it.
        """
        try:
            written = write(self._handle, lines)
            if written != len(lines):
                raise OSError(f"only {written} of {len(lines)} bytes could be written to {self.path}")
        except OSError:
            self.torn = True
            os.ftruncate(self._handle, max(self.size, self.drained))
            self.torn = False
            raise
        self.size += written

    def true_size(self) -> int:
        """What the file holds; more than `size` where an interrupt came between writing and counting."""
        return os.fstat(self._handle).st_size

    def is_there(self) -> bool:
        """Whether the file still has a name."""
        return os.fstat(self._handle).st_nlink > 0

    def empty(self, now_s: float) -> None:
        """Begin anew in the same file."""
        os.ftruncate(self._handle, 0)
        self.size = self.drained = 0
        self.begun_s = now_s

    def close(self) -> None:
        """Close both handles; the file stays."""
        os.close(self._handle)
        self.reading.close()


class Line(NamedTuple):
    """One line without its newline, and where the next one begins. A `torn` one has no end."""

    content: bytes
    end: int
    torn: bool = False


def read_lines(file: BinaryIO, start: int, end: int | None = None) -> Iterator[Line]:
    """The lines of an unbuffered file between two places (None: to its end); a half line at the end is torn."""
    file.seek(start)
    rest, place, unread = b"", start, end - start if end is not None else None
    while unread is None or unread > 0:
        block = file.read(_BLOCK_BYTES if unread is None else min(_BLOCK_BYTES, unread))
        if not block:
            break
        if unread is not None:
            unread -= len(block)
        *whole, last = block.split(b"\n")
        if whole:
            whole[0] = rest + whole[0]
            rest = last
        else:
            rest += last
        for content in whole:
            place += len(content) + 1
            yield Line(content, place)
    if rest:
        yield Line(rest, place + len(rest), torn=True)
