"""The breaker against a simple model of it, in any order of calls, outcomes and time; and each promise by example."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.providers.fakes import FakeClock

from turnout.config.providers import BreakerSettings
from turnout.providers.breaker import Breaker, Permit
from turnout.types import BreakerState

STRICT = BreakerSettings(failure_share=0.5, window=4, minimum_calls=2, open_s=10.0, max_open_s=60.0)


class Watched:
    """A breaker with its clock and the changes it told of."""

    def __init__(self, settings: BreakerSettings = STRICT) -> None:
        self.clock = FakeClock()
        self.changes: list[tuple[BreakerState, BreakerState]] = []
        self.breaker = Breaker(settings, now=self.clock, on_change=lambda *change: self.changes.append(change))

    def take(self) -> Permit:
        permit = self.breaker.admit()
        assert permit is not None
        return permit

    def outcomes(self, told: str) -> None:
        """One call after the other: x failed, . succeeded, - ended without saying anything."""
        for letter in told:
            permit = self.take()
            {"x": permit.failed, ".": permit.succeeded, "-": permit.released}[letter]()


@pytest.fixture
def opened() -> Watched:
    """A breaker that has just opened for 10 s."""
    watched = Watched()
    watched.outcomes("xx")
    assert watched.breaker.state == "open"
    return watched


# When it opens


@pytest.mark.parametrize(
    ("share", "window", "least", "told"),
    [
        (0.5, 4, 2, "xx"),
        (0.5, 4, 4, "x..x"),
        (0.5, 4, 4, "....xx"),
        (0.3, 10, 10, ".......xxx"),
        (0.7, 10, 10, "xxxxxx...x"),
        (1.0, 3, 3, ".xxx"),
        (0.2, 5, 1, "....x"),
        (1.0, 1, 1, "x"),
        (0.5, 4, 2, "-x---x"),
    ],
)
def test_it_opens_exactly_when_the_share_of_failures_is_reached(
    share: float, window: int, least: int, told: str
) -> None:
    watched = Watched(BreakerSettings(failure_share=share, window=window, minimum_calls=least))
    watched.outcomes(told[:-1])
    assert watched.breaker.state == "closed"
    watched.outcomes(told[-1])
    assert watched.breaker.state == "open"


def test_it_stays_closed_below_the_share_however_long_that_goes_on() -> None:
    watched = Watched(BreakerSettings(failure_share=0.5, window=4, minimum_calls=2))
    watched.outcomes("..x." * 100)
    assert watched.breaker.state == "closed" and watched.changes == []


def test_failures_that_left_the_window_no_longer_count() -> None:
    watched = Watched(BreakerSettings(failure_share=0.5, window=4, minimum_calls=4))
    watched.outcomes(".x....x")
    assert watched.breaker.state == "closed"


def test_a_few_failures_are_too_few_to_judge() -> None:
    watched = Watched(BreakerSettings(window=10, minimum_calls=5))
    watched.outcomes("xxxx")
    assert watched.breaker.state == "closed"


def test_calls_that_say_nothing_are_not_among_the_least_number() -> None:
    watched = Watched(BreakerSettings(window=10, minimum_calls=5))
    watched.outcomes("xxxx" + "-" * 20)
    assert watched.breaker.state == "closed"


# While it is open


def test_an_open_breaker_admits_nobody_until_the_wait_is_over(opened: Watched) -> None:
    opened.clock.advance(9.75)
    assert opened.breaker.admit() is None
    opened.clock.advance(0.25)
    assert opened.breaker.admit() is not None


def test_an_open_breaker_says_how_long_it_will_be(opened: Watched) -> None:
    assert opened.breaker.retry_after_s == 10
    opened.clock.advance(4)
    assert opened.breaker.retry_after_s == 6
    opened.clock.advance(6)
    assert opened.breaker.retry_after_s is None


def test_once_the_wait_is_over_it_counts_as_half_open_and_tells_so_with_the_first_probe(opened: Watched) -> None:
    opened.clock.advance(10)
    assert opened.breaker.state == "half_open"
    assert opened.changes == [("closed", "open")]
    opened.take()
    assert opened.changes[-1] == ("open", "half_open")


def test_looking_at_it_changes_nothing(opened: Watched) -> None:
    opened.clock.advance(10)
    looks = {(opened.breaker.state, opened.breaker.retry_after_s) for _ in range(100)}
    assert looks == {("half_open", None)} and opened.changes == [("closed", "open")]


# Probes


@pytest.mark.parametrize("probes", [1, 2, 5])
def test_no_more_probes_are_out_than_configured(probes: int) -> None:
    watched = Watched(BreakerSettings(minimum_calls=1, window=1, probes=probes))
    watched.outcomes("x")
    watched.clock.advance(10)
    for _ in range(probes):
        watched.take()
    assert watched.breaker.admit() is None
    assert watched.breaker.retry_after_s is not None


@pytest.mark.parametrize("probes", [1, 2, 5])
def test_it_closes_when_all_probes_succeeded(probes: int) -> None:
    watched = Watched(BreakerSettings(minimum_calls=1, window=1, probes=probes))
    watched.outcomes("x")
    watched.clock.advance(10)
    watched.outcomes("." * (probes - 1))
    assert watched.breaker.state == "half_open"
    watched.outcomes(".")
    assert watched.breaker.state == "closed"


def test_one_failed_probe_opens_it_again_whatever_the_others_did() -> None:
    watched = Watched(BreakerSettings(minimum_calls=1, window=1, probes=3))
    watched.outcomes("x")
    watched.clock.advance(10)
    first, second, third = watched.take(), watched.take(), watched.take()
    first.succeeded()
    second.failed()
    third.succeeded()
    assert watched.breaker.state == "open"


def test_a_probe_that_says_nothing_makes_room_for_another(opened: Watched) -> None:
    opened.clock.advance(10)
    for _ in range(20):
        opened.take().released()
    assert opened.breaker.state == "half_open"
    opened.take().succeeded()
    assert opened.breaker.state == "closed"


def test_while_every_place_for_a_probe_is_taken_it_says_that_there_is_a_wait() -> None:
    watched = Watched(BreakerSettings(minimum_calls=1, window=1, probes=2))
    watched.outcomes("x")
    watched.clock.advance(10)
    passed, out = watched.take(), watched.take()
    passed.succeeded()
    assert watched.breaker.admit() is None
    assert watched.breaker.retry_after_s is not None
    out.released()


# The wait


def test_the_wait_doubles_with_every_failed_probe_up_to_the_cap() -> None:
    watched = Watched(BreakerSettings(minimum_calls=1, window=1, open_s=10, max_open_s=65))
    watched.outcomes("x")
    waits = []
    for _ in range(6):
        waits.append(watched.breaker.retry_after_s)
        watched.clock.advance(waits[-1] or 0)
        watched.outcomes("x")
    assert waits == [10, 20, 40, 65, 65, 65]


def test_the_wait_starts_anew_after_closing() -> None:
    watched = Watched(BreakerSettings(minimum_calls=1, window=1, open_s=10, max_open_s=1000))
    watched.outcomes("x")
    for _ in range(3):
        watched.clock.advance(watched.breaker.retry_after_s or 0)
        watched.outcomes("x")
    watched.clock.advance(80)
    watched.outcomes(".x")
    assert watched.breaker.retry_after_s == 10


def test_what_failed_before_it_closed_is_forgotten(opened: Watched) -> None:
    opened.clock.advance(10)
    opened.outcomes(".x")
    assert opened.breaker.state == "closed"


# Late and repeated outcomes


def test_a_call_from_before_it_opened_cannot_prolong_the_wait() -> None:
    watched = Watched()
    late = [watched.take() for _ in range(5)]
    watched.outcomes("xx")
    watched.clock.advance(3)
    for permit in late:
        permit.failed()
    assert watched.breaker.retry_after_s == 7


def test_a_call_from_before_it_opened_is_no_probe() -> None:
    watched = Watched()
    late_good, late_bad = watched.take(), watched.take()
    watched.outcomes("xx")
    watched.clock.advance(10)
    probe = watched.take()
    late_good.succeeded()
    late_bad.failed()
    assert watched.breaker.state == "half_open" and watched.breaker.admit() is None
    probe.succeeded()
    assert watched.breaker.state == "closed"


def test_a_probe_that_comes_back_after_another_failed_says_nothing_about_the_next_round() -> None:
    watched = Watched(BreakerSettings(minimum_calls=1, window=1, probes=2))
    watched.outcomes("x")
    watched.clock.advance(10)
    slow, bad = watched.take(), watched.take()
    bad.failed()
    watched.clock.advance(20)
    watched.outcomes(".")
    slow.succeeded()
    assert watched.breaker.state == "half_open"


@pytest.mark.parametrize("first", ["succeeded", "failed", "released"])
@pytest.mark.parametrize("then", ["succeeded", "failed", "released"])
def test_a_permit_counts_once(first: str, then: str) -> None:
    once, often = (Watched(BreakerSettings(window=4, minimum_calls=4)) for _ in range(2))
    for watched, times in ((once, 0), (often, 10)):
        permit = watched.take()
        getattr(permit, first)()
        for _ in range(times):
            getattr(permit, then)()
        watched.outcomes("..")
    for watched in (once, often):
        watched.outcomes("x")
    assert once.breaker.state == often.breaker.state
    assert once.changes == often.changes


def test_a_probe_that_is_told_twice_gives_its_place_back_once() -> None:
    watched = Watched(BreakerSettings(minimum_calls=1, window=1, probes=2))
    watched.outcomes("x")
    watched.clock.advance(10)
    told, out = watched.take(), watched.take()
    told.released()
    told.released()
    watched.take()
    assert watched.breaker.admit() is None
    out.released()


# Events


def test_every_change_is_told_once_and_in_order() -> None:
    watched = Watched()
    watched.outcomes("xx")
    watched.clock.advance(10)
    watched.outcomes("x")
    watched.clock.advance(20)
    watched.outcomes(".")
    assert watched.changes == [
        ("closed", "open"),
        ("open", "half_open"),
        ("half_open", "open"),
        ("open", "half_open"),
        ("half_open", "closed"),
    ]


def test_a_breaker_needs_nobody_to_listen() -> None:
    breaker = Breaker(BreakerSettings(minimum_calls=1), now=FakeClock())
    permit = breaker.admit()
    assert permit is not None
    permit.failed()
    assert breaker.state == "open"


# Any order of everything


@st.composite
def any_settings(draw: st.DrawFn) -> BreakerSettings:
    window = draw(st.integers(1, 6))
    open_s = draw(st.sampled_from([1.0, 2.5]))
    return BreakerSettings(
        failure_share=draw(st.sampled_from([0.2, 0.25, 0.5, 0.75, 1.0])),
        window=window,
        minimum_calls=draw(st.integers(1, window)),
        open_s=open_s,
        max_open_s=open_s * draw(st.sampled_from([1, 2, 3, 8])),
        probes=draw(st.integers(1, 3)),
    )


class AnyOrder(RuleBasedStateMachine):
    """A second breaker, written from the description alone: it keeps every outcome and counts anew each time."""

    @initialize(settings=any_settings())
    def start(self, settings: BreakerSettings) -> None:
        self.settings = settings
        self.watched = Watched(settings)
        self.state: BreakerState = "closed"
        self.told: list[bool] = []  # failures since it last closed
        self.passed = 0
        self.round = 0
        self.wait_s = settings.open_s
        self.opens_until_s = 0.0
        self.changes: list[tuple[BreakerState, BreakerState]] = []
        self.permits: list[tuple[Permit, int]] = []
        self.ended: set[int] = set()

    def out(self) -> int:
        return sum(index not in self.ended for index, (_, of) in enumerate(self.permits) if of == self.round)

    def becomes(self, state: BreakerState) -> None:
        self.changes.append((self.state, state))
        self.state, self.passed = state, 0
        self.round += 1
        if state == "open":
            self.opens_until_s = self.watched.clock() + self.wait_s
        if state == "closed":
            self.told, self.wait_s = [], self.settings.open_s

    @rule()
    def admit(self) -> None:
        if self.state == "open" and self.watched.clock() >= self.opens_until_s:
            self.becomes("half_open")
        admitted = self.state == "closed" or (
            self.state == "half_open" and self.out() + self.passed < self.settings.probes
        )
        permit = self.watched.breaker.admit()
        assert (permit is not None) == admitted
        if permit is not None:
            self.permits.append((permit, self.round))

    @precondition(lambda self: self.permits)
    @rule(data=st.data(), outcome=st.sampled_from(["succeeded", "failed", "released"]))
    def end(self, data: st.DataObject, outcome: str) -> None:
        back = data.draw(st.integers(1, min(len(self.permits), 8)))  # mostly late ones, some told twice
        self.tell(len(self.permits) - back, outcome)

    @precondition(lambda self: self.permits)
    @rule(outcome=st.sampled_from(["succeeded", "succeeded", "failed"]))
    def end_the_last(self, outcome: str) -> None:
        self.tell(len(self.permits) - 1, outcome)

    def tell(self, index: int, outcome: str) -> None:
        permit, admitted_in = self.permits[index]
        getattr(permit, outcome)()
        counts = index not in self.ended and admitted_in == self.round
        self.ended.add(index)
        if not counts or outcome == "released":
            return
        if self.state == "half_open":
            if outcome == "failed":
                self.wait_s = min(2 * self.wait_s, self.settings.max_open_s)
                self.becomes("open")
            else:
                self.passed += 1
                if self.passed == self.settings.probes:
                    self.becomes("closed")
            return
        self.told.append(outcome == "failed")
        seen = self.told[-self.settings.window :]
        share = Fraction(sum(seen), len(seen))
        enough = len(seen) >= self.settings.minimum_calls and share >= Fraction(str(self.settings.failure_share))
        if outcome == "failed" and enough:
            self.becomes("open")

    @rule(seconds=st.sampled_from([0.0, 0.25, 1.0, 2.5, 8.0]))
    def pass_time(self, seconds: float) -> None:
        self.watched.clock.advance(seconds)

    @precondition(lambda self: self.state == "open")
    @rule()
    def wait_until_it_may_be_tried(self) -> None:
        self.watched.clock.advance(max(0.0, self.opens_until_s - self.watched.clock()))

    @invariant()
    def both_agree(self) -> None:
        if not hasattr(self, "watched"):
            return
        breaker, now = self.watched.breaker, self.watched.clock()
        waiting = self.state == "open" and now < self.opens_until_s
        assert breaker.state == ("half_open" if self.state == "open" and not waiting else self.state)
        assert self.watched.changes == self.changes
        if waiting:
            assert breaker.retry_after_s == self.opens_until_s - now
            assert breaker.retry_after_s <= self.settings.max_open_s
        if self.state == "closed" or (self.state == "open" and not waiting):
            assert breaker.retry_after_s is None
        if self.state == "half_open":
            assert self.out() <= self.settings.probes


TestAnyOrder = AnyOrder.TestCase
