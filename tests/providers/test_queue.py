"""Slots under the event loop: each comes back, however the request that held or wanted it ends."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from tests.providers.fakes import FakeClock, ticks

from turnout.config.providers import QueueLimits
from turnout.errors import QueueFullError
from turnout.providers.queue import Queue

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def one_slot(**changes: float) -> Queue:
    return Queue("local", QueueLimits(**{"max_concurrent": 1, **changes}), now=FakeClock())  # type: ignore[arg-type]


def counts(queue: Queue) -> tuple[int, int]:
    return queue.schedule.running, queue.schedule.waiting


@asynccontextmanager
async def held(queue: Queue, model: str = "a") -> AsyncIterator[asyncio.Event]:
    """A slot held until the event is set or the block ends."""
    release = asyncio.Event()

    async def hold() -> None:
        async with queue.slot(model):
            await release.wait()

    task = asyncio.create_task(hold())
    await ticks()
    assert queue.schedule.running_for(model) > 0
    try:
        yield release
    finally:
        release.set()
        await task


async def enter(queue: Queue, model: str = "a", deadline_s: float | None = None) -> float:
    async with queue.slot(model, deadline_s=deadline_s) as waited_s:
        return waited_s


# Slots come back


async def test_a_slot_comes_back_after_success() -> None:
    queue = one_slot()
    for _ in range(3):
        assert await enter(queue) == 0
    assert counts(queue) == (0, 0)


async def test_a_slot_comes_back_after_an_error() -> None:
    queue = one_slot()
    with pytest.raises(ValueError, match="inside"):
        async with queue.slot("a"):
            raise ValueError("inside")
    assert counts(queue) == (0, 0)


async def test_a_slot_comes_back_when_its_holder_is_cancelled() -> None:
    queue = one_slot()
    async with held(queue):
        waiter = asyncio.create_task(enter(queue))
        await ticks()
        assert counts(queue) == (1, 1)
    assert await waiter >= 0
    holder = asyncio.create_task(hold_forever(queue))
    await ticks()
    holder.cancel()
    await asyncio.gather(holder, return_exceptions=True)
    assert counts(queue) == (0, 0)


async def hold_forever(queue: Queue, model: str = "a") -> None:
    async with queue.slot(model):
        await asyncio.Event().wait()


async def test_a_request_cancelled_while_it_waits_leaves_the_queue() -> None:
    queue = one_slot()
    async with held(queue):
        waiter = asyncio.create_task(enter(queue))
        await ticks()
        waiter.cancel()
        await asyncio.gather(waiter, return_exceptions=True)
        assert waiter.cancelled() and counts(queue) == (1, 0)
    assert counts(queue) == (0, 0)


async def test_a_request_cancelled_in_the_tick_it_gets_its_turn_gives_the_turn_to_the_next() -> None:
    queue = one_slot()
    async with held(queue) as release:
        first, second = (asyncio.create_task(enter(queue)) for _ in range(2))
        await ticks()
        release.set()
        await asyncio.sleep(0)  # the holder leaves and hands its slot to the first, which has not woken yet
        first.cancel()
        await asyncio.gather(first, second, return_exceptions=True)
        assert first.cancelled() and second.result() >= 0
    assert counts(queue) == (0, 0)


@pytest.mark.parametrize("after", range(6))
async def test_a_request_cancelled_around_the_tick_it_gets_its_turn_loses_no_slot(after: int) -> None:
    queue = one_slot()
    async with held(queue) as release:
        waiter = asyncio.create_task(enter(queue))
        await ticks()
        release.set()
        await ticks(after)
        waiter.cancel()
        await asyncio.gather(waiter, return_exceptions=True)
    assert counts(queue) == (0, 0)
    assert await enter(queue) == 0


async def test_a_request_cancelled_before_it_began_takes_no_slot() -> None:
    queue = one_slot()
    task = asyncio.create_task(enter(queue))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert counts(queue) == (0, 0)


# Waiting


async def test_turns_come_in_the_order_of_asking() -> None:
    queue, order = one_slot(), []

    async def ask(number: int) -> None:
        async with queue.slot("a"):
            order.append(number)

    async with held(queue):
        tasks = [asyncio.create_task(ask(number)) for number in range(10)]
        await ticks()
    await asyncio.gather(*tasks)
    assert order == list(range(10))


async def test_the_seconds_waited_are_told() -> None:
    clock = FakeClock()
    queue = Queue("local", QueueLimits(max_concurrent=1), now=clock)
    async with held(queue):
        waiter = asyncio.create_task(enter(queue))
        await ticks()
        clock.advance(7.5)
    assert await waiter == 7.5


async def test_a_wait_that_is_too_long_is_refused_and_leaves_the_queue() -> None:
    queue = one_slot(max_wait_s=0.02)
    async with held(queue):
        with pytest.raises(QueueFullError, match=r"^local/a: no slot came free within 0.02 s") as caught:
            await enter(queue)
        assert counts(queue) == (1, 0)
    assert caught.value.retryable is False
    assert caught.value.retry_after_s is not None and caught.value.retry_after_s > 0


async def test_a_deadline_shorter_than_the_longest_wait_is_kept() -> None:
    queue = one_slot(max_wait_s=60)
    async with held(queue):
        begun_s = time.monotonic()
        with pytest.raises(QueueFullError, match=r"within 0.02 s"):
            await enter(queue, deadline_s=0.02)
        assert 0.015 < time.monotonic() - begun_s < 1
        assert counts(queue) == (1, 0)


async def test_a_deadline_longer_than_the_longest_wait_does_not_prolong_it() -> None:
    queue = one_slot(max_wait_s=0.02)
    async with held(queue):
        with pytest.raises(QueueFullError, match=r"within 0.02 s"):
            await enter(queue, deadline_s=60)


async def test_a_deadline_that_is_over_still_takes_a_free_slot_but_waits_for_none() -> None:
    queue = one_slot()
    assert await enter(queue, deadline_s=0) == 0
    async with held(queue):
        with pytest.raises(QueueFullError):
            await enter(queue, deadline_s=0)
    assert counts(queue) == (0, 0)


async def test_a_turn_that_comes_in_the_moment_the_wait_is_over_is_taken() -> None:
    queue = one_slot(max_wait_s=0.01)
    async with held(queue) as release:
        waiter = asyncio.create_task(enter(queue))
        await ticks()
        time.sleep(0.02)  # the wait ends while the loop is busy, and the slot comes free in the same tick
        release.set()
        assert await waiter == 0
    assert counts(queue) == (0, 0)


async def test_a_full_queue_refuses_at_once_and_says_when_to_come_back() -> None:
    queue = one_slot(max_waiting=2)
    async with held(queue):
        waiters = [asyncio.create_task(enter(queue)) for _ in range(2)]
        await ticks()
        begun_s = time.monotonic()
        with pytest.raises(QueueFullError, match=r"^local/b: 2 requests wait already") as caught:
            await enter(queue, "b")
        assert time.monotonic() - begun_s < 0.5
        assert caught.value.retry_after_s == 3.0
    await asyncio.gather(*waiters)
    assert counts(queue) == (0, 0)


async def test_a_candidate_that_came_into_memory_gets_the_turns_that_waited_for_it() -> None:
    queue = Queue("local", QueueLimits(max_concurrent=4), max_resident=1)
    async with held(queue, "a"):
        waiter = asyncio.create_task(enter(queue, "b"))
        await ticks()
        assert not waiter.done()
        queue.observe(["a", "b"])
        await ticks()
        assert waiter.done()


async def test_a_swap_that_waited_starts_when_the_last_request_of_the_other_ends() -> None:
    queue = Queue("local", QueueLimits(max_concurrent=4), max_resident=1)
    async with held(queue, "a"), held(queue, "a"):
        waiter = asyncio.create_task(enter(queue, "b"))
        await ticks()
        assert counts(queue) == (2, 1)
    await waiter
    assert counts(queue) == (0, 0)


# Thousands in any order


@pytest.mark.parametrize("max_resident", [None, 1, 2])
@pytest.mark.parametrize("seed", range(3))
async def test_thousands_of_requests_that_end_in_every_way_leave_nothing_behind(
    seed: int, max_resident: int | None
) -> None:
    chance = random.Random(seed)
    limits = QueueLimits(
        max_concurrent=3, max_concurrent_per_candidate=2, max_waiting=40, max_wait_s=0.05, starvation_s=5
    )
    clock = FakeClock()
    queue = Queue("local", limits, max_resident=max_resident, now=clock)
    running: dict[str, int] = dict.fromkeys("abc", 0)

    async def request() -> str:
        model = chance.choice("aaabc")
        deadline_s = chance.choice([None, None, 0.0, 0.001, 0.02])
        ticks_inside, fails = chance.randrange(6), chance.random() < 0.1
        try:
            async with queue.slot(model, deadline_s=deadline_s):
                running[model] += 1
                try:
                    assert sum(running.values()) <= 3 and running[model] <= 2
                    await ticks(ticks_inside)
                    if fails:
                        raise ValueError("inside")
                finally:
                    running[model] -= 1
        except QueueFullError as refusal:
            assert refusal.retry_after_s is not None and refusal.retry_after_s > 0
            return "refused"
        except ValueError:
            return "failed"
        return "served"

    tasks: list[asyncio.Task[str]] = []
    for _ in range(2000):
        tasks.append(asyncio.create_task(request()))
        await ticks(chance.choice([0, 0, 1, 2, 5]))
        if chance.random() < 0.3:
            chance.choice(tasks[-30:]).cancel()
        clock.advance(chance.random())
        if chance.random() < 0.02:
            queue.observe(chance.sample("abc", chance.randrange(3)))
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    seen = {end if isinstance(end, str) else type(end).__name__ for end in ends}
    assert seen == {"served", "failed", "refused", "CancelledError"}
    assert counts(queue) == (0, 0)
    assert not queue._turns, "nobody is left to be told"
    assert await enter(queue) == 0


async def test_as_many_as_wait_are_all_cancelled_at_once() -> None:
    queue = one_slot(max_waiting=400)
    async with held(queue) as release:
        tasks = [asyncio.create_task(enter(queue)) for _ in range(400)]
        await ticks()
        release.set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert counts(queue) == (0, 0)
