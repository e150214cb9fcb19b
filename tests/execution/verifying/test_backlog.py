"""Work for later has bounds, and what is beyond them is counted."""

from __future__ import annotations

import asyncio
import logging

import pytest

from turnout.execution.verifying.backlog import Backlog


def test_jobs_are_done_in_order_and_only_so_many_at_once() -> None:
    async def scene() -> tuple[list[int], int]:
        backlog, done, busy, most = Backlog("test"), [], 0, 0

        async def job(number: int) -> None:
            nonlocal busy, most
            busy += 1
            most = max(most, busy)
            await asyncio.sleep(0.001)
            busy -= 1
            done.append(number)

        for number in range(10):
            assert backlog.add(lambda number=number: job(number), at_once=2, most=100)  # type: ignore[misc]
        await backlog.join()
        return done, most

    assert asyncio.run(scene()) == (list(range(10)), 2)


def test_what_finds_no_place_is_counted_and_told(caplog: pytest.LogCaptureFixture) -> None:
    async def scene() -> Backlog:
        backlog = Backlog("test")
        taken = [backlog.add(lambda: asyncio.sleep(0), at_once=1, most=3) for _ in range(15)]
        assert taken == [True] * 4 + [False] * 11
        await backlog.join()
        return backlog

    with caplog.at_level(logging.WARNING):
        assert asyncio.run(scene()).dropped == 11
    assert [record.message.split(": ")[1].split()[0] for record in caplog.records] == ["1", "10"]


def test_one_that_fails_does_not_end_the_others() -> None:
    async def scene() -> tuple[int, list[int]]:
        backlog, done = Backlog("test"), []

        async def broken() -> None:
            raise RuntimeError("no")

        async def fine() -> None:
            done.append(1)

        backlog.add(broken, at_once=1, most=5)
        backlog.add(fine, at_once=1, most=5)
        await backlog.join()
        return backlog.failed, done

    assert asyncio.run(scene()) == (1, [1])


def test_the_end_does_not_wait_and_takes_nothing_more() -> None:
    async def scene() -> Backlog:
        backlog = Backlog("test")
        for _ in range(3):
            backlog.add(lambda: asyncio.sleep(600), at_once=1, most=5)
        await asyncio.sleep(0)
        await backlog.aclose()
        assert not backlog.add(lambda: asyncio.sleep(0), at_once=1, most=5)
        return backlog

    backlog = asyncio.run(asyncio.wait_for(scene(), 10))
    assert backlog.dropped == 3 and len(backlog) == 0
