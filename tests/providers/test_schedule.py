"""Which request starts next: limits, order within a candidate, few swaps, and an end to every wait."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.providers.fakes import FakeClock

from turnout.config.providers import QueueLimits
from turnout.providers.schedule import Schedule, Ticket

CANDIDATES = ("a", "b", "c", "d")


class Desk:
    """A schedule with its clock, and what a caller does with it."""

    def __init__(self, max_resident: int | None = None, **limits: float) -> None:
        self.clock = FakeClock()
        self.limits = QueueLimits(**limits)  # type: ignore[arg-type]
        self.schedule = Schedule(self.limits, max_resident=max_resident, now=self.clock)
        self.running: list[Ticket] = []
        self.started: list[Ticket] = []

    def ask(self, candidates: str) -> list[Ticket]:
        tickets = [self.schedule.ask(candidate) for candidate in candidates]
        assert None not in tickets
        return tickets  # type: ignore[return-value]

    def start(self) -> str:
        """Start all that may; their candidates, in order."""
        names = ""
        while (ticket := self.schedule.next()) is not None:
            self.running.append(ticket)
            self.started.append(ticket)
            names += ticket.candidate
        return names

    def finish(self, candidate: str | None = None, *, after_s: float = 0.0) -> None:
        """End the request that ran longest, of one candidate or of any."""
        self.clock.advance(after_s)
        ticket = next(t for t in self.running if candidate in (None, t.candidate))
        self.running.remove(ticket)
        self.schedule.leave(ticket)

    def drain(self, *, each_s: float = 0.0) -> str:
        """Start and end everything; the candidates in the order they started."""
        names = self.start()
        while self.running:
            self.finish(after_s=each_s)
            names += self.start()
        return names


def swaps(names: str) -> int:
    return sum(one != two for one, two in pairwise(names))


# Limits


def test_no_more_run_than_the_provider_may() -> None:
    desk = Desk(max_concurrent=3)
    desk.ask("abcdabcd")
    assert desk.start() == "abc"
    desk.finish()
    assert desk.start() == "d"
    assert (desk.schedule.running, desk.schedule.waiting) == (3, 4)


def test_no_more_of_one_candidate_run_than_it_may_and_others_pass() -> None:
    desk = Desk(max_concurrent=4, max_concurrent_per_candidate=2)
    desk.ask("aaabb")
    assert desk.start() == "aabb"
    desk.finish("b")
    assert desk.start() == ""
    desk.finish("a")
    assert desk.start() == "a"


def test_requests_are_counted_by_candidate() -> None:
    desk = Desk(max_concurrent=2)
    desk.ask("aaab")
    desk.start()
    counts = [(desk.schedule.running_for(c), desk.schedule.waiting_for(c)) for c in "abc"]
    assert counts == [(2, 1), (0, 1), (0, 0)]


def test_without_a_limit_on_resident_candidates_the_order_of_arrival_is_kept() -> None:
    desk = Desk(max_concurrent=1)
    desk.ask("abcabc")
    assert desk.drain() == "abcabc"


# Swaps


def test_requests_for_what_is_in_memory_go_first() -> None:
    desk = Desk(max_resident=1, max_concurrent=1)
    desk.schedule.observe(["b"])
    desk.ask("ababab")
    assert desk.drain() == "bbbaaa"


def test_the_configured_number_of_resident_candidates_goes_before_the_providers_own() -> None:
    schedule = Schedule(QueueLimits(max_resident=2), max_resident=1, now=FakeClock())
    for candidate in "abc":
        schedule.ask(candidate)
    assert [schedule.next() is not None for _ in "abc"] == [True, True, False]


def test_a_swap_waits_until_there_is_an_idle_candidate_to_give_up() -> None:
    desk = Desk(max_resident=2, max_concurrent=4)
    desk.schedule.observe("ab")
    desk.ask("abc")
    assert desk.start() == "ab"
    desk.finish("b")
    assert desk.start() == "c"


def test_the_candidate_that_started_longest_ago_makes_room() -> None:
    desk = Desk(max_resident=2, max_concurrent=1)
    for names in ("a", "b", "a", "c"):
        desk.ask(names)
        desk.drain()
    desk.ask("ba")
    assert desk.drain() == "ab", "b made room for c"


def test_all_that_the_provider_has_in_memory_may_run_together_even_if_they_are_more_than_the_limit() -> None:
    desk = Desk(max_resident=1, max_concurrent=4)
    desk.schedule.observe("abc")
    desk.ask("abcd")
    assert desk.start() == "abc"


def test_a_swap_waits_while_as_many_are_at_work_as_the_limit_says_whatever_idles_beside_them() -> None:
    desk = Desk(max_resident=1, max_concurrent=4)
    desk.ask("a")
    desk.start()
    desk.schedule.observe(["a", "embedder"])
    desk.ask("d")
    assert desk.start() == ""


def test_what_runs_here_is_in_memory_whatever_the_provider_says() -> None:
    desk = Desk(max_resident=1, max_concurrent=2)
    desk.ask("ab")
    assert desk.start() == "a"
    desk.schedule.observe([])
    assert desk.start() == ""


def test_what_the_provider_no_longer_has_is_a_swap_again() -> None:
    desk = Desk(max_resident=1, max_concurrent=1)
    desk.schedule.observe(["b"])
    desk.schedule.observe([])
    desk.ask("ab")
    assert desk.start() == "a"


# Starvation


def test_one_that_waited_long_enough_is_no_longer_passed() -> None:
    desk = Desk(max_resident=1, max_concurrent=2, starvation_s=10)
    desk.ask("ab")
    assert desk.start() == "a"
    desk.ask("aa")
    assert desk.start() == "a"
    desk.clock.advance(10)
    desk.finish()
    assert desk.start() == "", "the last a came after b"
    desk.finish()
    assert desk.start() == "b"


def test_those_that_came_before_it_still_go_first_while_it_cannot_start() -> None:
    desk = Desk(max_resident=1, max_concurrent=2, starvation_s=10)
    desk.ask("aaab")
    assert desk.start() == "aa"
    desk.clock.advance(10)
    desk.finish()
    assert desk.start() == "a"
    desk.finish()
    assert desk.start() == ""
    desk.finish()
    assert desk.start() == "b"


def test_just_before_that_it_is_still_passed() -> None:
    desk = Desk(max_resident=1, max_concurrent=1, starvation_s=10)
    desk.schedule.observe(["a"])
    desk.ask("ba")
    desk.clock.advance(9.75)
    assert desk.start() == "a"


@given(slots=st.integers(1, 4), before=st.integers(0, 10), starvation_s=st.sampled_from([0.0, 2.0, 10.0]))
def test_an_endless_stream_for_one_candidate_starves_no_other(slots: int, before: int, starvation_s: float) -> None:
    desk = Desk(max_resident=1, max_concurrent=slots, max_waiting=1000, starvation_s=starvation_s)
    desk.ask("a" * before)
    desk.start()
    (other,) = desk.ask("b")
    while other.started_s is None:
        (late,) = desk.ask("a")
        desk.start()
        waited_s = desk.clock() - other.asked_s
        assert waited_s < starvation_s or late.started_s is None or other.started_s is not None
        assert waited_s <= starvation_s + before + slots
        if desk.running:
            desk.finish(after_s=1.0)


def test_one_that_waited_long_enough_does_not_pass_those_that_waited_longer() -> None:
    desk = Desk(max_resident=1, max_concurrent=1, starvation_s=10)
    desk.schedule.observe(["a"])
    desk.ask("ab")
    desk.clock.advance(10)
    assert desk.start() == "a"


def test_a_long_queue_takes_no_more_swaps_than_the_order_of_arrival_would() -> None:
    desk = Desk(max_resident=1, max_concurrent=1, starvation_s=10)
    desk.schedule.observe(["a"])
    arrivals = "aaaabbbbccccaaaa"
    desk.ask(arrivals)
    desk.clock.advance(10)
    assert swaps(desk.drain(each_s=1.0)) <= swaps(arrivals)


def test_a_backlog_of_two_by_turns_is_not_swapped_at_each_start() -> None:
    desk = Desk(max_resident=1, max_concurrent=1, starvation_s=10)
    desk.schedule.observe(["a"])
    desk.ask("ab" * 20)
    desk.clock.advance(10)
    assert swaps(desk.drain(each_s=2.0)) <= 8


# A full queue


def test_a_full_queue_refuses_at_once() -> None:
    desk = Desk(max_concurrent=1, max_waiting=2)
    desk.ask("a")
    desk.start()
    desk.ask("aa")
    assert desk.schedule.ask("a") is None
    desk.finish()
    assert desk.schedule.ask("a") is None, "the free slot belongs to those that wait"
    desk.start()
    assert desk.schedule.ask("a") is not None


def test_a_queue_of_length_zero_admits_what_can_run_at_once() -> None:
    desk = Desk(max_concurrent=2, max_waiting=0)
    for _ in range(2):
        desk.ask("a")
        assert desk.start() == "a"
    assert desk.schedule.ask("a") is None
    desk.finish()
    desk.ask("a")


def test_a_queue_of_length_zero_refuses_a_swap_that_would_have_to_wait() -> None:
    desk = Desk(max_resident=1, max_concurrent=2, max_waiting=0)
    desk.ask("a")
    desk.start()
    assert desk.schedule.ask("b") is None


def test_giving_up_makes_room_for_another() -> None:
    desk = Desk(max_concurrent=1, max_waiting=1)
    desk.ask("a")
    desk.start()
    (waiting,) = desk.ask("b")
    desk.schedule.leave(waiting)
    desk.ask("c")
    desk.finish()
    assert desk.start() == "c"


def test_the_wait_told_to_the_refused_grows_with_the_queue_and_the_mean_time_of_a_request() -> None:
    desk = Desk(max_concurrent=2, max_waiting=100)
    desk.ask("aa")
    desk.start()
    assert desk.schedule.retry_after_s == 1.0, "a second each until one was measured"
    desk.finish(after_s=8.0)
    desk.ask("aaa")
    assert desk.schedule.retry_after_s == 4 / 2 * 8.0
    desk.finish(after_s=5.0)
    assert desk.schedule.retry_after_s == pytest.approx(3 / 2 * (8 + 0.2 * 5))


def test_the_wait_told_to_the_refused_is_never_zero() -> None:
    desk = Desk(max_concurrent=1, max_waiting=0)
    for _ in range(100):
        desk.ask("a")
        desk.start()
        desk.finish()
    assert desk.schedule.retry_after_s > 0


# Any order of everything


class AnyOrder(RuleBasedStateMachine):
    """Requests come, start, end and give up in any order; a plain list says who waits."""

    @initialize(
        slots=st.integers(1, 4),
        each=st.integers(1, 3),
        length=st.integers(0, 6),
        resident=st.none() | st.integers(1, 3),
        starvation_s=st.sampled_from([0.0, 2.0, 10.0]),
    )
    def open_up(self, slots: int, each: int, length: int, resident: int | None, starvation_s: float) -> None:
        limits = {"max_concurrent_per_candidate": each, "max_waiting": length, "starvation_s": starvation_s}
        self.desk = Desk(resident, max_concurrent=slots, **limits)
        self.waiting: list[Ticket] = []
        self.resident: list[str] = []  # the one that started longest ago first
        self.max_resident = resident
        self.swapped_s = float("-inf")

    def has(self, candidate: str) -> bool:
        return self.max_resident is None or candidate in self.resident

    def runs(self, candidate: str) -> int:
        return sum(ticket.candidate == candidate for ticket in self.desk.running)

    def may_start(self, candidate: str) -> bool:
        limits = self.desk.limits
        if len(self.desk.running) >= limits.max_concurrent:
            return False
        if self.runs(candidate) >= limits.max_concurrent_per_candidate:
            return False
        if self.has(candidate):
            return True
        assert self.max_resident is not None
        return len(self.resident) < self.max_resident or any(not self.runs(name) for name in self.resident)

    def starving(self) -> Ticket | None:
        bound_s = self.desk.clock() - self.desk.limits.starvation_s
        if self.swapped_s > bound_s:
            return None
        return next((t for t in self.waiting if t.asked_s <= bound_s and not self.has(t.candidate)), None)

    @rule(candidate=st.sampled_from(CANDIDATES))
    def ask(self, candidate: str) -> None:
        full = len(self.waiting) >= self.desk.limits.max_waiting
        ticket = self.desk.schedule.ask(candidate)
        if ticket is None:
            assert full and (self.waiting or not self.may_start(candidate))
        else:
            assert not full or (not self.waiting and self.may_start(candidate))
            self.waiting.append(ticket)

    @rule()
    def start_one(self) -> None:
        starving = self.starving()
        able = [ticket for ticket in self.waiting if self.may_start(ticket.candidate)]
        ticket = self.desk.schedule.next()
        if ticket is None:
            ahead = self.waiting if starving is None else self.waiting[: self.waiting.index(starving) + 1]
            assert not set(able) & set(ahead), "a slot stayed free for no reason"
            return
        assert ticket in able, "a limit was passed, or a swap began while every resident candidate is at work"
        first_of_its_candidate = next(t for t in self.waiting if t.candidate == ticket.candidate)
        assert ticket is first_of_its_candidate
        if starving is not None:
            assert self.waiting.index(ticket) <= self.waiting.index(starving), "a starving request was passed"
        else:
            ready = [t for t in able if self.has(t.candidate)]
            assert ticket is (ready or able)[0], "there was a request for a candidate in memory"
        assert ticket.started_s == self.desk.clock()
        self.waiting.remove(ticket)
        self.desk.running.append(ticket)
        self.moves_in(ticket.candidate)

    def moves_in(self, candidate: str) -> None:
        if candidate in self.resident:
            self.resident.remove(candidate)
        elif self.max_resident is not None:
            self.swapped_s = self.desk.clock()
            while len(self.resident) >= self.max_resident:
                idle = next((name for name in self.resident if not self.runs(name)), None)
                if idle is None:
                    break
                self.resident.remove(idle)
        self.resident.append(candidate)

    @precondition(lambda self: self.desk.running)
    @rule(data=st.data(), after_s=st.sampled_from([0.0, 0.5, 3.0]))
    def finish(self, data: st.DataObject, after_s: float) -> None:
        ticket = data.draw(st.sampled_from(self.desk.running))
        self.desk.clock.advance(after_s)
        self.desk.running.remove(ticket)
        self.desk.schedule.leave(ticket)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        ticket = data.draw(st.sampled_from(self.waiting))
        self.waiting.remove(ticket)
        self.desk.schedule.leave(ticket)

    @rule(told=st.sets(st.sampled_from([*CANDIDATES, "of somebody else"])))
    def observe(self, told: set[str]) -> None:
        running = {ticket.candidate for ticket in self.desk.running}
        if self.max_resident is not None:
            told = set(sorted(told - running)[: max(0, self.max_resident - len(running))])
        self.desk.schedule.observe(told)
        told = told | running
        kept = [name for name in self.resident if name in told]
        self.resident = kept + sorted(told - set(kept))

    @rule(seconds=st.sampled_from([0.5, 2.0, 10.0]))
    def pass_time(self, seconds: float) -> None:
        self.desk.clock.advance(seconds)

    @invariant()
    def nothing_is_lost_and_no_limit_passed(self) -> None:
        if not hasattr(self, "desk"):
            return
        schedule, limits = self.desk.schedule, self.desk.limits
        assert (schedule.running, schedule.waiting) == (len(self.desk.running), len(self.waiting))
        assert schedule.running <= limits.max_concurrent
        for candidate in CANDIDATES:
            assert schedule.running_for(candidate) == self.runs(candidate) <= limits.max_concurrent_per_candidate
            assert schedule.waiting_for(candidate) == sum(t.candidate == candidate for t in self.waiting)
        assert 0 < schedule.retry_after_s < math.inf

    def teardown(self) -> None:
        """Whatever happened, all that wait come to an end."""
        if not hasattr(self, "desk"):
            return
        for _ in range(100):
            self.desk.start()
            if not self.desk.running:
                break
            self.desk.finish()
        assert (self.desk.schedule.running, self.desk.schedule.waiting) == (0, 0)


TestAnyOrder = AnyOrder.TestCase
