"""The store in this process: time to live, bounds, restarts, damage, scopes, and other processes on the same file."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.providers.fakes import FakeClock

from turnout.execution.cache import kept as kept_module
from turnout.execution.cache.keys import exact_key
from turnout.execution.cache.store import _OVERHEAD_BYTES, LocalStore
from turnout.types import Message, Request

pytestmark = pytest.mark.anyio


def key(text: str, scope: str = "") -> str:
    return exact_key(Request((Message("user", text),)), scope=scope)


@asynccontextmanager
async def opened(path: Path | None = None, **settings: Any) -> AsyncIterator[LocalStore]:
    store = LocalStore(path, **settings)
    try:
        yield store
    finally:
        await store.aclose()


@pytest.fixture(params=["memory", "file"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "cache.db" if request.param == "file" else None


# What holds with a file and without


async def test_what_is_put_is_got(path: Path | None) -> None:
    async with opened(path) as store:
        assert await store.get("a") is None
        await store.put("a", b"1", 10)
        await store.put("b", b"", 10)
        assert (await store.get("a"), await store.get("b")) == (b"1", b"")
        await store.put("a", b"2", 10)
        assert await store.get("a") == b"2"


async def test_an_entry_ends_with_its_time_to_live(path: Path | None) -> None:
    clock = FakeClock()
    async with opened(path, now=clock) as store:
        await store.put("a", b"1", 10)
        await store.put("b", b"1", 100)
        clock.advance(9.9)
        assert await store.get("a") == b"1"
        clock.advance(0.1)
        assert await store.get("a") is None
        assert await store.get("b") == b"1"
        assert (await store.stats()).entries == 1


async def test_using_an_entry_does_not_prolong_it(path: Path | None) -> None:
    clock = FakeClock()
    async with opened(path, now=clock) as store:
        await store.put("a", b"1", 10)
        for _ in range(9):
            clock.advance(1)
            assert await store.get("a") == b"1"
        clock.advance(1)
        assert await store.get("a") is None


async def test_the_least_recently_used_gives_way(path: Path | None) -> None:
    async with opened(path, max_entries=2) as store:
        await store.put("a", b"1", 10)
        await store.put("b", b"1", 10)
        await store.get("a")
        await store.put("c", b"1", 10)
        assert [await store.get(key) for key in "abc"] == [b"1", None, b"1"]
        assert (await store.stats()).evicted == 1


async def test_bytes_are_bounded(path: Path | None) -> None:
    async with opened(path, max_bytes=3 * (_OVERHEAD_BYTES + 100)) as store:
        for name in "abcd":
            await store.put(name, bytes(100), 10)
        assert [await store.get(name) is not None for name in "abcd"] == [False, True, True, True]
        await store.put("large", bytes(5000), 10)
        assert await store.get("large") is None and (await store.stats()).entries == 3


async def test_a_value_that_grew_too_large_takes_the_old_one_along(path: Path | None) -> None:
    async with opened(path, max_bytes=1000) as store:
        await store.put("a", b"old", 10)
        await store.put("a", bytes(5000), 10)
        assert await store.get("a") is None


async def test_a_scope_is_cleared_and_no_other(path: Path | None) -> None:
    async with opened(path) as store:
        for scope in ("ann", "bob"):
            for text in "xy":
                await store.put(key(text, scope), b"1", 10)
        assert await store.clear("ann") == 2
        assert await store.get(key("x", "ann")) is None and await store.get(key("x", "bob")) == b"1"
        assert await store.clear() == 2
        assert await store.get(key("x", "bob")) is None and (await store.stats()).size_bytes == 0


async def test_hits_and_misses_are_counted(path: Path | None) -> None:
    async with opened(path) as store:
        await store.put("a", b"1", 10)
        for name in "aab":
            await store.get(name)
        stats = await store.stats()
        assert (stats.hits, stats.misses, stats.entries, stats.evicted) == (2, 1, 1, 0)
        assert stats.size_bytes == 1 + _OVERHEAD_BYTES


# Restarts


async def test_it_survives_a_restart(tmp_path: Path) -> None:
    clock = FakeClock()
    async with opened(tmp_path / "cache.db", now=clock) as store:
        await store.put("short", b"1", 10)
        await store.put("long", b"2", 100)
    clock.advance(50)
    async with opened(tmp_path / "cache.db", now=clock) as store:
        assert await store.get("long") == b"2", "the very first call finds it"
        assert await store.get("short") is None and (await store.stats()).entries == 1
        clock.advance(50)
        assert await store.get("long") is None


async def test_a_clear_survives_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path / "cache.db") as store:
        await store.put(key("x", "ann"), b"1", 10)
    async with opened(tmp_path / "cache.db") as store:
        assert await store.clear("ann") == 1
    async with opened(tmp_path / "cache.db") as store:
        assert await store.get(key("x", "ann")) is None


async def test_the_order_of_use_survives_a_restart(tmp_path: Path) -> None:
    clock = FakeClock()
    async with opened(tmp_path / "cache.db", now=clock) as store:
        for name in "abc":
            clock.advance(1)
            await store.put(name, b"1", 1000)
        clock.advance(1)
        await store.get("a")
    async with opened(tmp_path / "cache.db", now=clock, max_entries=2) as store:
        assert [await store.get(name) for name in "abc"] == [b"1", None, b"1"], "smaller bounds keep what was used last"


async def test_the_file_keeps_to_the_bounds_too(tmp_path: Path) -> None:
    async with opened(tmp_path / "cache.db", max_entries=10) as store:
        for number in range(100):
            await store.put(str(number), bytes(100), 10)
    async with opened(tmp_path / "cache.db", max_entries=1000) as store:
        assert (await store.stats()).entries == 10


async def test_a_value_is_read_from_the_file_once(tmp_path: Path) -> None:
    async with opened(tmp_path / "cache.db") as store:
        await store.put("a", b"1", 10)
    async with opened(tmp_path / "cache.db") as store:
        assert await store.get("a") == b"1"
        store._kept._mirror = None  # a second look at the file would fail
        assert await store.get("a") == b"1"


async def test_what_is_put_while_the_file_is_being_read_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_module, "PATIENCE_S", 0.01)
    async with opened(tmp_path / "cache.db") as store:
        await store.put("a", b"old", 10)
        await store.put("b", b"old", 10)
    go = threading.Event()
    async with opened(tmp_path / "cache.db") as store:
        mirror = store._kept._mirror
        assert mirror is not None
        rows = mirror._disk.rows
        monkeypatch.setattr(mirror._disk, "rows", lambda values: go.wait(10) and rows(values=values))
        assert await store.get("a") is None, "a slow disk is waited for a little and then is as good as none"
        await store.put("a", b"new", 10)
        assert await store.get("a") == b"new"
        go.set()
        assert store._kept._opening is not None
        await store._kept._opening
        assert (await store.get("a"), await store.get("b")) == (b"new", b"old")
    async with opened(tmp_path / "cache.db") as store:
        assert await store.get("a") == b"new"


async def test_a_caller_that_is_cancelled_does_not_stop_the_reading_for_others(tmp_path: Path) -> None:
    async with opened(tmp_path / "cache.db") as store:
        await store.put("a", b"1", 10)
    async with opened(tmp_path / "cache.db") as store:
        first, second = (asyncio.create_task(store.get("a")) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert await second == b"1" and first.cancelled()


async def test_a_damaged_file_begins_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "cache.db").write_bytes(b"nonsense" * 1000)
    async with opened(tmp_path / "cache.db") as store:
        assert await store.get("a") is None
        await store.put("a", b"1", 10)
    async with opened(tmp_path / "cache.db") as store:
        assert await store.get("a") == b"1"
    assert caplog.text.count("begins anew") == 1


async def test_without_a_disk_it_works_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    async with opened(tmp_path / "file" / "cache.db") as store:
        await store.put("a", b"1", 10)
        assert await store.get("a") == b"1"


# Several processes on one file


@pytest.fixture
def now() -> FakeClock:
    return FakeClock()


async def learned(store: LocalStore, clock: FakeClock) -> None:
    """Let a second pass, and the store look at what others did."""
    clock.advance(kept_module.NEWS_S)
    await store.get("nothing")
    looking = store._kept._looking
    assert looking is not None
    await looking


async def written(store: LocalStore) -> None:
    """Wait until everything put so far is in the file."""
    mirror = store._kept._mirror
    assert mirror is not None
    if mirror._timer is not None:
        mirror._timer.cancel()
        mirror._write()
    await mirror.read("")  # the thread works in order


async def test_entries_of_another_process_are_found_a_second_later(tmp_path: Path, now: FakeClock) -> None:
    async with opened(tmp_path / "c.db", now=now) as one, opened(tmp_path / "c.db", now=now) as other:
        assert await other.get("a") is None
        await one.put("a", b"1", 1000)
        await written(one)
        await learned(other, now)
        assert await other.get("a") == b"1"
        await one.put("a", b"2", 2000)
        await written(one)
        await learned(other, now)
        assert await other.get("a") == b"2"


async def test_what_another_process_cleared_is_not_served_from_memory(tmp_path: Path, now: FakeClock) -> None:
    async with opened(tmp_path / "c.db", now=now) as one, opened(tmp_path / "c.db", now=now) as other:
        await other.put(key("x", "ann"), b"1", 1000)
        await other.put(key("x", "bob"), b"1", 1000)
        await written(other)
        await one.clear("ann")
        await written(one)
        await learned(other, now)
        assert await other.get(key("x", "ann")) is None and await other.get(key("x", "bob")) == b"1"


async def test_an_entry_that_another_process_deleted_is_a_miss(tmp_path: Path, now: FakeClock) -> None:
    async with opened(tmp_path / "c.db", now=now) as one:
        await one.put("a", b"1", 1000)
        await written(one)
        async with opened(tmp_path / "c.db", now=now) as other:
            await other.stats()
            await one.clear()
            await written(one)
            assert await other.get("a") is None and (await other.stats()).entries == 0


# Any order of anything


steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from("abcde"), st.integers(0, 3)),
        st.tuples(st.just("get"), st.sampled_from("abcde"), st.just(0)),
        st.tuples(st.just("wait"), st.just(""), st.integers(1, 40)),
        st.tuples(st.just("restart"), st.just(""), st.just(0)),
        st.tuples(st.just("clear"), st.sampled_from(["ann", "bob"]), st.just(0)),
    ),
    max_size=25,
)


@given(steps)
def test_it_never_serves_what_was_not_put_or_is_over(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, int]]
) -> None:
    path = tmp_path_factory.mktemp("store") / "cache.db"

    async def play() -> None:
        clock = FakeClock()
        store = LocalStore(path, max_entries=3, now=clock)
        valid: dict[str, tuple[bytes, float]] = {}
        for number, (step, name, size) in enumerate(steps):
            scope = "ann" if name < "c" else "bob"
            if step == "put":
                value = f"{number}".encode() * (size + 1)
                await store.put(key(name, scope), value, 50)
                valid[name] = (value, clock() + 50)
            elif step == "get":
                found = await store.get(key(name, scope))
                value, end = valid.get(name, (None, 0.0))
                assert found is None or (found == value and clock() < end)
            elif step == "wait":
                clock.advance(size)
            elif step == "clear":
                await store.clear(name)
                valid = {other: kept for other, kept in valid.items() if (other < "c") != (name == "ann")}
            else:
                await store.aclose()
                store = LocalStore(path, max_entries=3, now=clock)
            assert ((await store.stats()).entries or 0) <= 3
        await store.aclose()

    asyncio.run(play())


async def test_a_thousand_callers_at_once_get_what_they_put(path: Path | None) -> None:
    async with opened(path, max_entries=5000) as store:

        async def caller(number: int) -> bool:
            await store.put(str(number), str(number).encode(), 100)
            await asyncio.sleep(0)
            return await store.get(str(number)) == str(number).encode()

        assert all(await asyncio.gather(*map(caller, range(1000))))


@pytest.mark.parametrize("entries", [10, 1000])
async def test_reading_from_memory_never_leaves_the_event_loop(entries: int, tmp_path: Path) -> None:
    async with opened(tmp_path / "cache.db") as store:
        for number in range(entries):
            await store.put(str(number), b"1", 100)
        submitted: list[Callable[[], object]] = []
        mirror = store._kept._mirror
        assert mirror is not None
        mirror._run = lambda work: submitted.append(work)  # type: ignore[assignment, method-assign, return-value, func-returns-value]
        for number in range(entries):
            coroutine = store.get(str(number))
            with pytest.raises(StopIteration) as done:
                coroutine.send(None)  # would stop at the first await that waits for anything
            assert done.value.value == b"1"
        del mirror._run
        assert not submitted
