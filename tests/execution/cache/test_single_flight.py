"""Identical requests in flight: one run, no lost waiter, no herd, whatever ends in whatever order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.providers.fakes import ticks

from turnout.execution.cache.single_flight import Flights, SingleFlight

pytestmark = pytest.mark.anyio


class FlightsMachine(RuleBasedStateMachine):
    """The state machine against a list for each key: the first leads, the others follow in order."""

    def __init__(self) -> None:
        super().__init__()
        self.flights: Flights[int] = Flights()
        self.expected: dict[str, list[int]] = {}
        self.next = 0

    @rule(key=st.sampled_from("ab"))
    def join(self, key: str) -> None:
        self.next += 1
        flight = self.expected.setdefault(key, [])
        flight.append(self.next)
        assert self.flights.join(key, self.next) == (len(flight) == 1)

    @precondition(lambda self: self.expected)
    @rule(data=st.data())
    def land(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.expected)))
        ticket = data.draw(st.sampled_from(self.expected[key]))
        followers = self.flights.land(key, ticket)
        if ticket == self.expected[key][0]:
            assert followers == self.expected.pop(key)[1:], "everybody hears of it, in order"
        else:
            assert followers == [], "only the leader lands"

    @precondition(lambda self: self.expected)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.expected)))
        ticket = data.draw(st.sampled_from(self.expected[key]))
        flight = self.expected[key]
        led = flight[0] == ticket
        flight.remove(ticket)
        assert self.flights.leave(key, ticket) == (flight[0] if led and flight else None)
        if not flight:
            del self.expected[key]

    @rule(key=st.sampled_from("abc"))
    def leave_a_flight_one_is_not_in(self, key: str) -> None:
        assert self.flights.leave(key, -1) is None and self.flights.land(key, -1) == []

    @invariant()
    def one_leads_each_flight(self) -> None:
        assert len(self.flights) == len(self.expected)
        for key, flight in self.expected.items():
            assert [ticket for ticket in flight if self.flights.leads(key, ticket)] == flight[:1]


TestFlights = FlightsMachine.TestCase


class Work:
    """Runs that end when told to; how many there were and are."""

    def __init__(self) -> None:
        self.begun = self.running = self.most = 0
        self.ends: list[asyncio.Future[str]] = []

    async def __call__(self) -> str:
        self.begun += 1
        self.running += 1
        self.most = max(self.most, self.running)
        end: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.ends.append(end)
        try:
            return await end
        finally:
            self.running -= 1


async def started(
    flights: SingleFlight[str], work: Callable[[], Awaitable[str]], count: int, key: str | None = "k"
) -> list[asyncio.Task[tuple[str, bool]]]:
    tasks = [asyncio.create_task(flights.run(key, work)) for _ in range(count)]
    await ticks()
    return tasks


async def test_many_share_one_run() -> None:
    flights, work = SingleFlight[str](), Work()
    tasks = await started(flights, work, 50)
    assert (work.begun, len(flights)) == (1, 1)
    work.ends[0].set_result("answer")
    assert await asyncio.gather(*tasks) == [("answer", False)] + [("answer", True)] * 49
    assert len(flights) == 0


async def test_other_keys_and_no_key_share_nothing() -> None:
    flights, work = SingleFlight[str](), Work()
    tasks = await started(flights, work, 2, key=None) + await started(flights, work, 1, key="other")
    assert work.begun == 3
    for number, end in enumerate(work.ends):
        end.set_result(str(number))
    assert await asyncio.gather(*tasks) == [(str(number), False) for number in range(3)]


async def test_a_later_request_begins_anew() -> None:
    flights, work = SingleFlight[str](), Work()
    for answer in ("one", "two"):
        tasks = await started(flights, work, 2)
        work.ends[-1].set_result(answer)
        assert [result for result, _ in await asyncio.gather(*tasks)] == [answer] * 2
    assert work.begun == 2


async def test_when_the_leader_fails_one_follower_leads_and_only_the_leader_hears_of_it() -> None:
    flights, work = SingleFlight[str](), Work()
    tasks = await started(flights, work, 10)
    work.ends[0].set_exception(ValueError("no luck"))
    await ticks()
    assert (work.begun, work.running) == (2, 1), "no herd"
    work.ends[1].set_result("answer")
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(ends[0], ValueError)
    assert ends[1:] == [("answer", False)] + [("answer", True)] * 8


async def test_when_every_run_fails_everybody_has_had_a_try() -> None:
    flights, work = SingleFlight[str](), Work()
    tasks = await started(flights, work, 5)
    for number in range(5):
        assert work.running == 1
        work.ends[number].set_exception(ValueError(str(number)))
        await ticks()
    assert [str(end) for end in await asyncio.gather(*tasks, return_exceptions=True)] == list("01234")
    assert work.most == 1 and len(flights) == 0


async def test_a_cancelled_leader_hands_over() -> None:
    flights, work = SingleFlight[str](), Work()
    tasks = await started(flights, work, 3)
    tasks[0].cancel()
    await ticks()
    assert work.begun == 2 and tasks[0].cancelled() and work.running == 1
    work.ends[1].set_result("answer")
    assert await asyncio.gather(*tasks[1:]) == [("answer", False), ("answer", True)]


async def test_a_cancelled_follower_disturbs_nobody() -> None:
    flights, work = SingleFlight[str](), Work()
    tasks = await started(flights, work, 3)
    tasks[1].cancel()
    await ticks()
    assert work.begun == 1
    work.ends[0].set_result("answer")
    assert await tasks[0] == ("answer", False) and await tasks[2] == ("answer", True)


@pytest.mark.parametrize("after", range(5))
async def test_a_follower_cancelled_around_the_moment_it_begins_to_lead_hands_over(after: int) -> None:
    flights, work = SingleFlight[str](), Work()
    tasks = await started(flights, work, 3)
    work.ends[0].set_exception(ValueError)
    await ticks(after)
    tasks[1].cancel()
    await ticks()
    assert work.running == 1, "the third leads"
    work.ends[-1].set_result("answer")
    assert await tasks[2] == ("answer", False)
    assert isinstance(tasks[0].exception(), ValueError) and tasks[1].cancelled() and len(flights) == 0


async def test_a_follower_cancelled_in_the_moment_the_result_comes_leaves_nothing_behind() -> None:
    flights, work = SingleFlight[str](), Work()
    tasks = await started(flights, work, 2)
    work.ends[0].set_result("answer")
    await asyncio.sleep(0)
    tasks[1].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert len(flights) == 0


async def test_a_stream_lands_when_it_is_whole_and_may_go_on() -> None:
    flights: SingleFlight[str] = SingleFlight()
    follower: asyncio.Task[tuple[str, bool]] | None = None
    async with flights.join("k") as seat:
        follower = asyncio.create_task(flights.run("k", Work()))
        await ticks()
        assert not follower.done() and not seat.landed
        seat.land("whole")
        assert await follower == ("whole", True), "nobody waits for what the leader does afterwards"
        async with flights.join("k") as next_seat:
            assert not next_seat.landed, "and whoever comes now begins a flight of its own"
            seat.land("twice")
            assert len(flights) == 1
    assert len(flights) == 0


async def test_a_stream_that_is_left_before_its_end_hands_over() -> None:
    flights, work = SingleFlight[str](), Work()
    async with flights.join("k"):
        tasks = await started(flights, work, 2)
        assert work.begun == 0
    await ticks()
    assert work.begun == 1
    work.ends[0].set_result("answer")
    assert await asyncio.gather(*tasks) == [("answer", False), ("answer", True)]


async def test_patience_ends_the_wait_for_a_leader_that_is_held_up() -> None:
    flights: SingleFlight[str] = SingleFlight()
    async with flights.join("k") as leader:
        async with flights.join("k", patience_s=0.01) as seat:
            assert not seat.landed
            seat.land("my own")
            assert len(flights) == 1, "it lands nothing for others"
        leader.land("late")
    assert len(flights) == 0


async def test_nothing_is_a_result_too() -> None:
    flights: SingleFlight[None] = SingleFlight()

    async def nothing() -> None:
        await asyncio.sleep(0.001)

    assert await asyncio.gather(flights.run("k", nothing), flights.run("k", nothing)) == [(None, False), (None, True)]


@pytest.mark.parametrize("seed", range(4))
async def test_thousands_that_end_in_every_way_lose_no_waiter(seed: int) -> None:
    chance = random.Random(seed)
    flights: SingleFlight[str] = SingleFlight()
    running: dict[str | None, int] = {}
    runs = 0

    async def request(key: str | None) -> str:
        async def work() -> str:
            nonlocal runs
            runs += 1
            running[key] = running.get(key, 0) + 1
            try:
                assert key is None or running[key] == 1, "one run at a time"
                await ticks(chance.randrange(8))
                if chance.random() < 0.3:
                    raise ValueError
                return f"answer to {key}"
            finally:
                running[key] -= 1

        result, _ = await flights.run(key, work)
        assert result == f"answer to {key}"
        return "answered"

    tasks: list[asyncio.Task[str]] = []
    for _ in range(2000):
        tasks.append(asyncio.create_task(request(chance.choice(["a", "a", "b", "c", None]))))
        await ticks(chance.choice([0, 0, 0, 1, 4]))
        if chance.random() < 0.2:
            chance.choice(tasks[-20:]).cancel()
    ends = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 60)
    seen = {end if isinstance(end, str) else type(end).__name__ for end in ends}
    assert seen == {"answered", "ValueError", "CancelledError"}
    assert runs < 2000 and len(flights) == 0 and not any(running.values())
