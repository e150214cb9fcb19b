"""The semantic cache: who gets whose answer, and that nothing about it is ever worth an error."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.providers.fakes import FakeClock

from turnout.errors import UnreachableError
from turnout.execution.cache.entry import CachedAnswer
from turnout.execution.cache.minilm import Floats
from turnout.execution.cache.semantic import SemanticCache
from turnout.types import Answer, Image, Message, Request, Sampling, Tool

pytestmark = pytest.mark.anyio

THRESHOLD = 0.9


class Embedder:
    """Every text is as similar to every other as it is told; counts what it was asked."""

    def __init__(self, name: str = "fake", similarity: float = 1.0, dimensions: int = 3) -> None:
        self.name = name
        self.similarity = similarity
        self.dimensions = dimensions
        self.asked: list[str] = []
        self.error: Exception | None = None

    async def embed(self, texts: Sequence[str]) -> Floats:
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        self.asked += texts
        rows = np.zeros((len(texts), self.dimensions), np.float32)
        for row, text in zip(rows, texts, strict=True):
            row[0] = 1.0 if text.islower() else self.similarity
            row[1] = np.sqrt(1 - row[0] ** 2)
        return rows


@asynccontextmanager
async def opened(embedder: Any = None, **settings: Any) -> AsyncIterator[SemanticCache]:
    cache = SemanticCache(embedder or Embedder(), **{"threshold": THRESHOLD, **settings})
    try:
        yield cache
    finally:
        await cache.aclose()


def asked(prompt: str, **changes: Any) -> Request:
    return replace(Request((Message("system", "Be brief."), Message("user", prompt))), **changes)


def answer(text: str) -> CachedAnswer:
    return CachedAnswer(Answer("local/small", "small", text), 0.9, 1.0, 2.0)


async def keep(cache: SemanticCache, prompt: str, text: str = "kept", scope: str = "ann", **changes: Any) -> None:
    await cache.keep(asked(prompt, **changes), answer(text), scope=scope)


async def find(cache: SemanticCache, prompt: str, scope: str = "ann", **changes: Any) -> str | None:
    hit = await cache.find(asked(prompt, **changes), scope=scope)
    return None if hit is None else hit.cached.answer.text


async def test_a_prompt_that_says_the_same_gets_the_answer() -> None:
    async with opened() as cache:
        await keep(cache, "how do i sort a list")
        hit = await cache.find(asked("Please, how do I sort a list?"), scope="ann")
        assert hit is not None and hit.cached == answer("kept")
        assert hit.prompt == "how do i sort a list" and hit.similarity == pytest.approx(1)
        assert ((await cache.stats()).hits, (await cache.stats()).misses) == (1, 0)


async def test_similarity_under_the_threshold_is_no_hit() -> None:
    for similarity, expected in [(0.89, None), (0.91, "kept")]:
        async with opened(Embedder(similarity=similarity)) as cache:
            await keep(cache, "how do i sort a list")
            assert await find(cache, "How do I sort a list?") == expected


@pytest.mark.parametrize(
    ("kept", "prompt"),
    [
        ("sort 3 rows", "sort 4 rows"),
        ("sort it in java", "sort it in javascript"),
        ("should i sort", "should i not sort"),
        ("from a1 to b1", "from b1 to a1"),
        ('translate "a"', 'translate "b"'),
    ],
)
async def test_the_guards_decide_whatever_the_similarity(kept: str, prompt: str) -> None:
    async with opened() as cache:
        await keep(cache, kept)
        assert await find(cache, prompt) is None and await find(cache, kept) == "kept"


@pytest.mark.parametrize(
    "changes",
    [
        {"messages": (Message("system", "Be long."), Message("user", "sort it"))},
        {"messages": (Message("user", "sort it"),)},
        {"messages": (Message("system", "Be brief."), Message("user", "sort it", (Image("a"),)))},
        {"sampling": Sampling(temperature=1)},
        {"tools": (Tool("f"),)},
        {"answer_format": "json"},
        {"files": ("a.py",)},
        {"reasoning": "high"},
    ],
)
async def test_everything_around_the_question_has_to_be_equal(changes: dict[str, Any]) -> None:
    async with opened() as cache:
        await keep(cache, "sort it")
        assert await find(cache, "sort it", **changes) is None
        assert await cache.find(asked("sort it"), scope="ann", target="other") is None


async def test_nothing_is_shared_across_scopes() -> None:
    async with opened() as cache:
        await keep(cache, "sort it", "ann's", scope="ann")
        await keep(cache, "sort it", "bob's", scope="bob")
        assert [await find(cache, "Sort it!", scope=scope) for scope in ("ann", "bob", "", "a")] == [
            "ann's",
            "bob's",
            None,
            None,
        ]
        assert await cache.clear("ann") == 1
        assert [await find(cache, "Sort it!", scope=scope) for scope in ("ann", "bob")] == [None, "bob's"]
        assert await cache.clear() == 1 and await find(cache, "sort it", scope="bob") is None


async def test_the_last_turn_has_to_be_a_users() -> None:
    async with opened() as cache:
        messages = (Message("user", "sort it"), Message("assistant", "", tool_calls=()), Message("tool", "rows"))
        await cache.keep(Request(messages), answer("kept"), scope="ann")
        assert await cache.find(Request(messages), scope="ann") is None and (await cache.stats()).entries == 0


async def test_an_answer_ends_with_its_time_to_live() -> None:
    clock = FakeClock()
    async with opened(ttl_s=10, now=clock) as cache:
        await keep(cache, "sort it")
        clock.advance(9.9)
        assert await find(cache, "sort it") == "kept"
        clock.advance(0.1)
        assert await find(cache, "sort it") is None and (await cache.stats()).entries == 0


async def test_answers_that_are_over_do_not_hide_those_that_are_not() -> None:
    clock = FakeClock()
    async with opened(ttl_s=10, now=clock) as cache:
        await keep(cache, "sort it", "old")
        clock.advance(5)
        await keep(cache, "please sort it", "new")
        clock.advance(5)
        assert await find(cache, "sort it, thanks") == "new"


async def test_the_least_recently_used_gives_way() -> None:
    async with opened(max_entries=2) as cache:
        for prompt in ("sort it", "print it"):
            await keep(cache, prompt, prompt)
        await find(cache, "sort it")
        await keep(cache, "count it", "count it")
        assert [await find(cache, prompt) for prompt in ("sort it", "print it", "count it")] == [
            "sort it",
            None,
            "count it",
        ]
        assert (await cache.stats()).entries == 2


async def test_a_later_answer_to_the_same_prompt_replaces_the_first() -> None:
    async with opened() as cache:
        await keep(cache, "sort it", "one")
        await keep(cache, "sort it", "two")
        assert await find(cache, "sort it") == "two" and (await cache.stats()).entries == 1


# Restarts


async def test_it_survives_a_restart(tmp_path: Path) -> None:
    clock = FakeClock()
    async with opened(path=tmp_path / "similar.db", ttl_s=10, now=clock) as cache:
        await keep(cache, "sort it")
        await keep(cache, "print it", scope="bob")
        await cache.clear("bob")
    async with opened(path=tmp_path / "similar.db", ttl_s=10, now=clock) as cache:
        assert await find(cache, "Sort it, please.") == "kept" and await find(cache, "print it", scope="bob") is None
        clock.advance(10)
        assert await find(cache, "sort it") is None


async def test_vectors_of_another_maker_are_never_compared(tmp_path: Path) -> None:
    async with opened(Embedder("one"), path=tmp_path / "similar.db") as cache:
        await keep(cache, "sort it")
    async with opened(Embedder("other"), path=tmp_path / "similar.db") as cache:
        assert await find(cache, "sort it") is None


async def test_a_maker_that_makes_other_vectors_now_begins_anew(tmp_path: Path) -> None:
    async with opened(Embedder(dimensions=3), path=tmp_path / "similar.db") as cache:
        await keep(cache, "sort it", "old")
    async with opened(Embedder(dimensions=5), path=tmp_path / "similar.db") as cache:
        assert await find(cache, "sort it") is None
        await keep(cache, "print it", "new")
        assert await find(cache, "print it") == "new" and await find(cache, "sort it") is None
        await cache.clear()
        assert await find(cache, "print it") is None


async def test_rows_that_are_none_of_its_own_are_left_out(tmp_path: Path) -> None:
    async with opened(path=tmp_path / "similar.db") as cache:
        await keep(cache, "sort it")
        await keep(cache, "print it")
    connection = sqlite3.connect(tmp_path / "similar.db")
    rows = connection.execute("SELECT seq FROM entries ORDER BY seq").fetchall()
    connection.execute("UPDATE entries SET value = x'00ff' WHERE seq = ?", rows[0])
    connection.commit()
    connection.close()
    async with opened(path=tmp_path / "similar.db") as cache:
        assert [await find(cache, prompt) for prompt in ("sort it", "print it")] == [None, "kept"]
        assert (await cache.stats()).entries == 1


# What it costs and what fails


async def test_the_encoder_is_asked_only_where_there_is_something_to_compare_with() -> None:
    embedder = Embedder()
    async with opened(embedder) as cache:
        await find(cache, "sort it")
        assert embedder.asked == []
        await keep(cache, "sort it")
        await find(cache, "the of")
        await find(cache, "sort it", scope="bob")
        assert embedder.asked == ["sort it"]
        await find(cache, "Print it")
        await keep(cache, "Print it")
        assert embedder.asked == ["sort it", "Print it"], "looking and keeping need one vector"


@pytest.mark.parametrize(
    "error", [UnreachableError("nobody there"), OSError("no weights"), ValueError("strange vectors")]
)
async def test_an_encoder_that_fails_costs_a_miss_and_one_line(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    embedder = Embedder()
    async with opened(embedder) as cache:
        await keep(cache, "sort it")
        embedder.error = error
        for prompt in ("print it", "count it"):
            assert await find(cache, prompt) is None
            await keep(cache, prompt)
        assert len(caplog.records) == 1 and str(error) in caplog.text
        embedder.error = None
        await keep(cache, "print it")
        assert await find(cache, "print it") == "kept"


async def test_a_prompt_with_nothing_to_be_found_by_is_not_kept() -> None:
    async with opened() as cache:
        for prompt in ("", "the of", "a b " * 5000):
            await keep(cache, prompt)
        assert (await cache.stats()).entries == 0


async def test_callers_at_once_get_what_they_asked() -> None:
    async with opened() as cache:

        async def caller(number: int) -> bool:
            await keep(cache, f"sort {number} rows", str(number))
            return await find(cache, f"please sort {number} rows") == str(number)

        assert all(await asyncio.gather(*map(caller, range(200))))
