"""Lines that wait in memory, up to a number and a size."""

from __future__ import annotations

from collections import deque
from itertools import islice


class Buffer:
    """First in, first out. To be guarded by the lock of whoever has it."""

    def __init__(self, most_records: int, most_bytes: int) -> None:
        self._most_records = most_records
        self._most_bytes = most_bytes
        self._lines: deque[bytes] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._lines)

    def offer(self, lines: bytes) -> bool:
        """Take whole lines, all or none; whether there was room."""
        added = [line + b"\n" for line in lines.split(b"\n")[:-1]]
        if len(self._lines) + len(added) > self._most_records or self._bytes + len(lines) > self._most_bytes:
            return False
        self._lines += added
        self._bytes += len(lines)
        return True

    def oldest(self, count: int) -> list[bytes]:
        """The first lines in, at most so many."""
        return list(islice(self._lines, count))

    def remove(self, count: int) -> None:
        """Let go of as many of the oldest."""
        for _ in range(count):
            self._bytes -= len(self._lines.popleft())
