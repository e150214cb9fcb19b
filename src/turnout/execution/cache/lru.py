"""Entries in the order of their last use, bounded in number and bytes, each with its end."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeVar

Value = TypeVar("Value")


@dataclass(slots=True)
class Entry(Generic[Value]):
    """One entry. `value` is None where it lies on disk only; `expires_at` is in seconds since the epoch."""

    value: Value | None
    size_bytes: int
    expires_at: float


class Lru(Generic[Value]):
    """The entries; the least recently used give way.

    Args:
        max_entries: how many there may be.
        max_bytes: what their values may take together.
    """

    def __init__(self, max_entries: int, max_bytes: float) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._entries: OrderedDict[str, Entry[Value]] = OrderedDict()
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def get(self, key: str) -> Entry[Value] | None:
        """The entry, which is now the most recently used, whether it has ended or not."""
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def peek(self, key: str) -> Entry[Value] | None:
        """The entry, without using it."""
        return self._entries.get(key)

    def add(self, key: str, entry: Entry[Value]) -> list[tuple[str, Entry[Value]]]:
        """Add or replace as the most recently used; those that gave way, itself among them where it is too large."""
        self.remove(key)
        if entry.size_bytes > self._max_bytes:
            return [(key, entry)]
        self._entries[key] = entry
        self.size_bytes += entry.size_bytes
        gone = []
        while len(self._entries) > self._max_entries or self.size_bytes > self._max_bytes:
            oldest, given = self._entries.popitem(last=False)
            self.size_bytes -= given.size_bytes
            gone.append((oldest, given))
        return gone

    def add_oldest(self, key: str, entry: Entry[Value]) -> bool:
        """Add a new one as the least recently used, if there is room; whether there was."""
        if len(self._entries) >= self._max_entries or self.size_bytes + entry.size_bytes > self._max_bytes:
            return False
        self._entries[key] = entry
        self._entries.move_to_end(key, last=False)
        self.size_bytes += entry.size_bytes
        return True

    def remove(self, key: str) -> Entry[Value] | None:
        """Take one out."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.size_bytes -= entry.size_bytes
        return entry

    def beginning_with(self, prefix: str) -> list[str]:
        """The keys that begin so."""
        return [key for key in self._entries if key.startswith(prefix)]
