"""What both caches keep and how: entries in memory within their bounds, with a file behind them that others may share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

from turnout.execution.cache.disk import Row
from turnout.execution.cache.lru import Entry, Lru
from turnout.execution.cache.mirror import PATIENCE_S, Mirror

Value = TypeVar("Value")

NEWS_S: Final = 1.0
"""Seconds between looks at what other processes wrote and cleared."""


class Kept(Generic[Value]):
    """Entries under keys, the least recently used giving way, each until its end. For one event loop.

    With a path they are in a file too. What it holds becomes known with the first call; nothing waits for it longer
    than `PATIENCE_S`, and nothing in the event loop touches it. Processes that share a file each keep to their bounds
    and see what others wrote and cleared about a second later.

    Args:
        path: the file; None keeps everything in memory only.
        max_entries: how many there may be.
        max_bytes: what they may take in memory.
        overhead_bytes: what an entry takes besides its content.
        now: seconds since the epoch.
        decode: makes a value of what the file holds, None where it cannot be used; without it values stay in the file
            until `value` asks for them.
        added: told of each value that comes in.
        removed: told of each value that goes out.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        max_entries: int,
        max_bytes: float,
        overhead_bytes: int,
        now: Callable[[], float],
        decode: Callable[[bytes], Value | None] | None = None,
        added: Callable[[Value], None] = lambda _: None,
        removed: Callable[[Value], None] = lambda _: None,
    ) -> None:
        self._lru: Lru[Value] = Lru(max_entries, max_bytes)
        self._mirror = Mirror(path, values=decode is not None) if path is not None else None
        self._overhead_bytes = overhead_bytes
        self._now = now
        self._decode = decode
        self._added = added
        self._removed = removed
        self._opening: asyncio.Task[None] | None = None
        self._opened = path is None
        self._patient_until = 0.0
        self._looked_at = now()
        self._looking: asyncio.Task[None] | None = None
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._lru)

    @property
    def size_bytes(self) -> int:
        """What the entries take."""
        return self._lru.size_bytes

    async def ready(self) -> None:
        """Wait until it is known what the file holds, or no longer than a slow disk deserves."""
        if self._opened:
            return
        loop = asyncio.get_running_loop()
        if self._opening is None:
            assert self._mirror is not None
            self._opening = asyncio.create_task(self._load(self._mirror))
            self._patient_until = loop.time() + PATIENCE_S
        await asyncio.wait([self._opening], timeout=max(0.0, self._patient_until - loop.time()))

    def get(self, key: str) -> Entry[Value] | None:
        """The entry, now the most recently used; None where there is none or its time is over."""
        self._look()
        entry = self._lru.get(key)
        if entry is not None and entry.expires_at <= self._now():
            self.drop(key)
            return None
        if entry is not None and self._mirror is not None:
            self._mirror.use(key, self._now())
        return entry

    async def read(self, key: str, entry: Entry[Value]) -> bytes | None:
        """The content of an entry whose value is in the file only; None, and the entry gone, where it cannot be had."""
        assert self._mirror is not None
        content = await self._mirror.read(key)
        if content is None and self._lru.peek(key) is entry:
            self._take_out(key)
        return content

    def put(self, key: str, value: Value, content: bytes, ttl_s: float) -> None:
        """Keep a value for so many seconds at most, `content` in the file; nothing where it is larger than the bounds."""
        now = self._now()
        entry = Entry(value, len(content) + self._overhead_bytes, now + ttl_s)
        self._add(key, entry)
        if self._mirror is not None and key in self._lru:
            self._mirror.put(key, content, expires_at=entry.expires_at, used_at=now)

    def drop(self, key: str) -> None:
        """Forget one, in the file too."""
        self._take_out(key)
        if self._mirror is not None:
            self._mirror.delete(key)

    def clear(self, prefix: str) -> int:
        """Forget every entry whose key begins so, here, in the file and in other processes; how many there were here."""
        if self._mirror is not None:
            self._mirror.clear(prefix)
        return self._clear(prefix)

    async def aclose(self) -> None:
        """Write what is left to be written."""
        tasks = [task for task in (self._opening, self._looking) if task is not None]
        if tasks:
            await asyncio.wait(tasks)
        if self._mirror is not None:
            await self._mirror.aclose()

    async def _load(self, mirror: Mirror) -> None:
        now = self._now()
        for row in await mirror.rows():
            if row.key in self._lru:  # kept while the file was being read
                continue
            entry = self._entry(row)
            if row.expires_at <= now or entry is None or not self._lru.add_oldest(row.key, entry):
                mirror.delete(row.key)
            elif entry.value is not None:
                self._added(entry.value)
        self._opened = True

    def _look(self) -> None:
        """Look at what other processes did, if the last look is long enough ago."""
        now = self._now()
        if self._mirror is None or not self._opened or abs(now - self._looked_at) < NEWS_S:
            return
        if self._looking is None or self._looking.done():
            self._looked_at = now
            self._looking = asyncio.create_task(self._learn(self._mirror))

    async def _learn(self, mirror: Mirror) -> None:
        news = await mirror.news()
        for prefix in news.cleared:
            self._clear(prefix)
        for row in news.rows:
            known = self._lru.peek(row.key)
            if (known is None or known.expires_at != row.expires_at) and (entry := self._entry(row)) is not None:
                self._add(row.key, entry)

    def _entry(self, row: Row) -> Entry[Value] | None:
        value = None
        if self._decode is not None and (row.value is None or (value := self._decode(row.value)) is None):
            return None
        return Entry(value, row.size_bytes + self._overhead_bytes, row.expires_at)

    def _add(self, key: str, entry: Entry[Value]) -> None:
        self._take_out(key)
        if entry.value is not None:
            self._added(entry.value)
        for gone, given in self._lru.add(key, entry):
            self.evicted += 1
            if given.value is not None:
                self._removed(given.value)
            if self._mirror is not None:
                self._mirror.delete(gone)

    def _take_out(self, key: str) -> None:
        entry = self._lru.remove(key)
        if entry is not None and entry.value is not None:
            self._removed(entry.value)

    def _clear(self, prefix: str) -> int:
        keys = self._lru.beginning_with(prefix)
        for key in keys:
            self._take_out(key)
        return len(keys)
