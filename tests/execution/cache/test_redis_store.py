"""Answers shared through a real Redis, and what happens when it is slow, silent, gone or full of other things."""

from __future__ import annotations

import asyncio
import builtins
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.providers.fakes import FakeClock

from turnout.errors import ConfigurationError, MissingExtraError
from turnout.execution.cache import redis_store
from turnout.execution.cache.keys import exact_key
from turnout.execution.cache.redis_store import REST_S, RedisStore
from turnout.types import Message, Request

pytestmark = pytest.mark.anyio

PATIENT_S = 10.0  # a busy machine is no outage here
_prefixes = itertools.count()


def key(text: str, scope: str = "") -> str:
    return exact_key(Request((Message("user", text),)), scope=scope)


@asynccontextmanager
async def opened(url: str, **settings: Any) -> AsyncIterator[RedisStore]:
    settings = {"prefix": f"test{next(_prefixes)}:", "patience_s": PATIENT_S, **settings}
    store = RedisStore(url, **settings)
    try:
        yield store
    finally:
        await store.aclose()


# With a real Redis


async def test_what_is_put_is_got_by_everybody(redis_url: str) -> None:
    async with opened(redis_url, prefix="team:") as one, opened(redis_url, prefix="team:") as other:
        assert await one.get("a") is None
        await one.put("a", b"\x00\n1", 10)
        assert await other.get("a") == b"\x00\n1"
        await other.put("a", b"", 10)
        assert await one.get("a") == b""
        assert ((await one.stats()).hits, (await one.stats()).misses) == (1, 1)


async def test_the_time_to_live_is_redis_own(redis_url: str) -> None:
    async with opened(redis_url) as store:
        await store.put("a", b"1", 12.5)
        left_ms = await store._redis.pttl(store._prefix + "a")
        assert 2_000 < left_ms <= 12_500
        await store.put("a", b"1", 0.0001)
        for _ in range(200):
            if await store.get("a") is None:
                return
            await asyncio.sleep(0.005)
        pytest.fail("it is still there")


async def test_a_scope_is_cleared_and_no_other(redis_url: str) -> None:
    async with opened(redis_url) as store, opened(redis_url) as stranger:
        for number in range(600):
            await store.put(key(str(number), "ann"), b"1", 10)
        await store.put(key("x", "bob"), b"1", 10)
        await stranger.put(key("x", "ann"), b"1", 10)
        assert await store.clear("ann") == 600
        assert await store.get(key("x", "bob")) == b"1"
        assert await store.clear() == 1
        assert await stranger.get(key("x", "ann")) == b"1", "another prefix is somebody else's"


async def test_a_prefix_is_no_pattern(redis_url: str) -> None:
    async with opened(redis_url, prefix="*[a]?\\:") as store, opened(redis_url, prefix="xa-y:") as other:
        await store.put("k", b"1", 10)
        await other.put("k", b"1", 10)
        assert await store.clear() == 1
        assert await other.get("k") == b"1"


async def test_the_value_of_another_key_or_another_program_is_a_miss(redis_url: str) -> None:
    async with opened(redis_url) as store:
        await store.put("a", b"answer of a", 10)
        content = await store._redis.get(store._prefix + "a")
        await store._redis.set(store._prefix + "b", content)
        await store._redis.set(store._prefix + "c", b"")
        await store._redis.lpush(store._prefix + "d", b"a list")
        assert [await store.get(name) for name in "bc"] == [None, None]
        assert await store.get("d") is None


async def test_callers_that_are_cancelled_mix_up_no_answers(redis_url: str) -> None:
    async with opened(redis_url) as store:
        for number in range(50):
            await store.put(str(number), str(number).encode(), 60)

        async def caller(number: int) -> None:
            assert await store.get(str(number % 50)) in (str(number % 50).encode(), None)

        for round_ in range(20):
            tasks = [asyncio.create_task(caller(number)) for number in range(20)]
            for _ in range(round_ % 5):
                await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            assert not [end for end in ends if isinstance(end, Exception)]
        store._rest_until = -1.0
        assert [await store.get(str(number)) for number in range(50)] == [str(number).encode() for number in range(50)]


# Without one


@asynccontextmanager
async def server(answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[str]:
    """Something that listens where a Redis should."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await answer(reader, writer)

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()
        for writer in writers:
            writer.close()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(1000):
        pass


async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await writer.drain()
    writer.close()


async def hanging_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


@pytest.mark.parametrize("answer", [silent, rude, hanging_up])
async def test_an_outage_is_a_miss_and_told_once(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    async with server(answer) as url, opened(url, patience_s=0.05, now=clock) as store:
        for _ in range(4):
            assert await store.get("a") is None
            await store.put("a", b"1", 10)
            clock.advance(REST_S)
        if answer is not silent:  # clearing waits longer than a test should
            assert await store.clear("ann") is None
    assert len(caplog.records) == 1 and "does not answer" in caplog.text


async def test_an_address_where_nobody_listens_is_a_miss(caplog: pytest.LogCaptureFixture) -> None:
    async with opened("unix:///nowhere/redis.sock") as store:
        assert await store.get("a") is None and await store.clear() is None
    assert len(caplog.records) == 1


async def test_after_a_failure_it_is_left_alone_for_a_while() -> None:
    clock, came = FakeClock(), 0

    async def counting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal came
        came += 1
        writer.close()

    async with server(counting) as url, opened(url, now=clock) as store:
        for _ in range(5):
            await store.get("a")
        assert came == 1
        clock.advance(REST_S)
        await store.get("a")
        assert came == 2


async def test_it_is_told_when_it_answers_again(redis_url: str, caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    async with opened(redis_url, now=clock) as store:
        whole = store._redis

        class Broken:
            async def get(self, key: str) -> bytes:
                raise ConnectionError("gone")

        store._redis = Broken()
        assert await store.get("a") is None
        store._redis = whole
        clock.advance(REST_S)
        await store.put("a", b"1", 10)
        assert await store.get("a") == b"1"
    assert [record.message.partition(",")[0] for record in caplog.records] == [
        "the shared cache does not answer",
        "the shared cache answers again",
    ]


async def test_a_cancelled_caller_is_no_outage(caplog: pytest.LogCaptureFixture) -> None:
    async with server(silent) as url, opened(url) as store:
        task = asyncio.create_task(store.get("a"))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not caplog.records


async def test_the_password_is_never_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with server(hanging_up) as url, opened(url.replace("//", "//ann:geheim@")) as store:
        await store.get("a")
    assert caplog.records and "geheim" not in caplog.text


@pytest.mark.parametrize(
    "url", ["", "nonsense", "http://host:1", "redis://host:port", "redis://h/0?socket_timeout=soon"]
)
def test_an_address_that_is_none_is_told_without_repeating_it(url: str) -> None:
    with pytest.raises(ConfigurationError, match="redis://HOST:PORT") as caught:
        RedisStore(url)
    assert not url or url not in str(caught.value)


def test_without_the_client_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "redis":
            raise ImportError(name)
        return original(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(MissingExtraError, match=r"turnout\[team\]"):
        RedisStore("redis://localhost")


def test_the_patience_is_short() -> None:
    assert redis_store.PATIENCE_S == 0.05
