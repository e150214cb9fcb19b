"""The file as the event loop sees it: nothing waits for it, nothing is written twice, nothing is lost on closing."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from turnout.execution.cache import mirror as mirror_module
from turnout.execution.cache.disk import Batch
from turnout.execution.cache.mirror import Mirror

pytestmark = pytest.mark.anyio


async def reopened(path: Path) -> dict[str, bytes | None]:
    mirror = Mirror(path, values=True)
    found = {row.key: row.value for row in await mirror.rows()}
    await mirror.aclose()
    return found


async def test_closing_writes_what_was_collected(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path / "cache.db", values=False)
    mirror.put("a", b"1", expires_at=9, used_at=1)
    mirror.put("b", b"2", expires_at=9, used_at=1)
    mirror.put("a", b"3", expires_at=9, used_at=1)
    mirror.delete("b")
    mirror.delete("c")
    mirror.put("c", b"4", expires_at=9, used_at=1)
    await mirror.aclose()
    await mirror.aclose()
    assert await reopened(tmp_path / "cache.db") == {"a": b"3", "c": b"4"}


async def test_a_clear_takes_along_what_was_not_written_yet(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path / "cache.db", values=False)
    mirror.put("a1", b"", expires_at=9, used_at=1)
    mirror.use("a1", 2)
    mirror.put("b1", b"", expires_at=9, used_at=1)
    mirror.clear("a")
    mirror.put("a2", b"", expires_at=9, used_at=1)
    await mirror.aclose()
    assert set(await reopened(tmp_path / "cache.db")) == {"a2", "b1"}


async def test_changes_are_written_soon_without_being_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror_module, "BATCH_S", 0.0)
    mirror = Mirror(tmp_path / "cache.db", values=False)
    mirror.put("a", b"1", expires_at=9, used_at=1)
    for _ in range(1000):
        if await mirror.read("a") == b"1":
            break
    else:
        pytest.fail("never written")
    await mirror.aclose()


async def test_a_slow_disk_gets_one_larger_batch_and_no_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror_module, "BATCH_S", 0.0)
    go, written = threading.Event(), []
    mirror = Mirror(tmp_path / "cache.db", values=False)

    def write(batch: Batch) -> None:
        go.wait(10)
        written.append(sorted(batch.put))

    monkeypatch.setattr(mirror._disk, "write", write)
    for number in range(30):
        mirror.put(f"{number:02}", b"", expires_at=9, used_at=1)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    go.set()
    await mirror.aclose()
    assert [key for batch in written for key in batch] == [f"{number:02}" for number in range(30)] and len(written) <= 3


async def test_a_request_does_not_wait_long_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror_module, "PATIENCE_S", 0.01)
    go = threading.Event()
    mirror = Mirror(tmp_path / "cache.db", values=False)
    monkeypatch.setattr(mirror._disk, "read", lambda key: go.wait(10))
    assert await mirror.read("a") is None
    go.set()
    await mirror.aclose()


async def test_the_event_loop_is_free_while_the_disk_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror = Mirror(tmp_path / "cache.db", values=False)
    go = threading.Event()
    monkeypatch.setattr(mirror._disk, "rows", lambda values: go.wait(10) and ())
    waiting = asyncio.create_task(mirror.rows())
    await asyncio.sleep(0)
    go.set()  # would never be reached if the loop waited for the disk
    assert await waiting == ()
    await mirror.aclose()
