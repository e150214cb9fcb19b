"""A cache's file as the event loop sees it: changes are collected and written by a thread, reads wait a little at most."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from turnout.execution.cache.disk import Batch, Disk, News, Row

Result = TypeVar("Result")

BATCH_S: Final = 0.05
"""Seconds that changes are collected for: what a crash may lose."""

PATIENCE_S: Final = 0.25
"""Seconds that a request waits for the file; a disk that takes longer is as good as none."""


class Mirror:
    """The file and its thread; for one event loop."""

    def __init__(self, path: Path, *, values: bool) -> None:
        self._disk = Disk(path)
        self._values = values
        self._batch = Batch()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="turnout-cache")
        self._timer: asyncio.TimerHandle | None = None
        self._writing: Future[None] | None = None
        self._closed = False

    async def rows(self) -> tuple[Row, ...]:
        """Every entry of the file, the most recently used first; takes as long as it takes."""
        return await self._run(lambda: self._disk.rows(values=self._values))

    async def news(self) -> News:
        """What other processes wrote and cleared since the last look."""
        return await self._run(lambda: self._disk.news(values=self._values))

    async def read(self, key: str) -> bytes | None:
        """The value of one entry; None where there is none, or the disk takes longer than `PATIENCE_S`."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._run(lambda: self._disk.read(key))
        except TimeoutError:
            return None

    def put(self, key: str, value: bytes, *, expires_at: float, used_at: float) -> None:
        """Write an entry soon."""
        self._batch.deleted.discard(key)
        self._batch.put[key] = (value, expires_at, used_at)
        self._soon()

    def use(self, key: str, used_at: float) -> None:
        """Note when an entry was last used; written with the next change, for it is no loss."""
        self._batch.used[key] = used_at

    def delete(self, key: str) -> None:
        """Delete an entry soon."""
        self._batch.put.pop(key, None)
        self._batch.used.pop(key, None)
        self._batch.deleted.add(key)
        self._soon()

    def clear(self, prefix: str) -> None:
        """Delete every entry whose key begins so, those of other processes too."""
        for changes in (self._batch.put, self._batch.used):
            for key in [key for key in changes if key.startswith(prefix)]:
                del changes[key]
        self._batch.cleared.append(prefix)
        self._soon()

    async def aclose(self) -> None:
        """Write what is left and close the file."""
        if self._closed:
            return
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        try:
            await self._run(self._finish)
        finally:
            self._thread.shutdown(wait=False)

    def _finish(self) -> None:
        if self._batch:
            self._disk.write(self._batch)
        self._disk.close()

    def _soon(self) -> None:
        if self._timer is None and not self._closed:
            self._timer = asyncio.get_running_loop().call_later(BATCH_S, self._write)

    def _write(self) -> None:
        self._timer = None
        if self._writing is not None and not self._writing.done():
            self._soon()  # a slow disk gets larger batches, not a longer queue
            return
        batch, self._batch = self._batch, Batch()
        self._writing = self._thread.submit(self._disk.write, batch)

    async def _run(self, work: Callable[[], Result]) -> Result:
        return await asyncio.wrap_future(self._thread.submit(work))
