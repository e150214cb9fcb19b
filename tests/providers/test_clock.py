"""How long a call may still take, phase by phase, in time that the tests move."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.config.providers import Timeouts
from turnout.errors import ProviderTimeoutError
from turnout.providers.clock import CallClock

LIMITS = Timeouts(first_token_s=60, chunk_s=20, total_s=600, load_s=300)


class Time:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s

    def advance(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def time() -> Time:
    return Time()


def test_before_any_content_a_stream_waits_as_long_as_configured(time: Time) -> None:
    clock = CallClock(LIMITS, now=time)
    assert clock.left_s(streaming=True) == (60, "first_token")
    time.advance(59)
    assert clock.left_s(streaming=True) == (1, "first_token")
    time.advance(30)
    assert clock.left_s(streaming=True) == (0, "first_token")


def test_what_load_and_prefill_should_take_replaces_the_configured_patience(time: Time) -> None:
    clock = CallClock(LIMITS, first_token_s=250, now=time)
    assert clock.left_s(streaming=True) == (250, "first_token")
    assert str(clock.expired("first_token")) == "no first token within 250 s"


def test_content_starts_the_limit_between_pieces(time: Time) -> None:
    clock = CallClock(LIMITS, now=time)
    time.advance(50)
    clock.received()
    assert clock.left_s(streaming=True) == (20, "chunk")
    time.advance(19)
    clock.received()
    assert clock.left_s(streaming=True) == (20, "chunk")


def test_progress_before_content_shows_life_and_shortens_the_patience(time: Time) -> None:
    clock = CallClock(LIMITS, now=time)
    for _ in range(10):
        time.advance(15)
        clock.progressed()
        assert clock.left_s(streaming=True) == (20, "first_token")
    assert clock.first_token_s is None


def test_progress_does_not_extend_the_whole(time: Time) -> None:
    clock = CallClock(LIMITS, now=time)
    time.advance(590)
    clock.progressed()
    assert clock.left_s(streaming=True) == (10, "total")


def test_an_answer_in_one_piece_has_only_the_total(time: Time) -> None:
    clock = CallClock(LIMITS, now=time)
    time.advance(100)
    assert clock.left_s(streaming=False) == (500, "total")


@pytest.mark.parametrize(("deadline_s", "left_s"), [(5, 5), (1000, 600), (0, 0), (-3, 0)])
def test_the_callers_deadline_counts_where_it_is_earlier(time: Time, deadline_s: float, left_s: float) -> None:
    clock = CallClock(LIMITS, deadline_s=deadline_s, now=time)
    assert clock.left_s(streaming=False) == (left_s, "total")
    assert clock.left_s(streaming=True)[0] == min(left_s, 60)


def test_the_first_content_is_remembered(time: Time) -> None:
    clock = CallClock(LIMITS, now=time)
    time.advance(3)
    clock.received()
    time.advance(4)
    clock.received()
    assert (clock.first_token_s, clock.elapsed_s) == (3, 7)


@pytest.mark.parametrize(
    ("phase", "told"),
    [
        ("load", "not loaded within 300 s"),
        ("first_token", "no first token within 60 s"),
        ("chunk", "silent for 20 s in mid-answer"),
        ("total", "not finished within 600 s"),
    ],
)
def test_the_error_says_which_limit_passed(time: Time, phase: str, told: str) -> None:
    error = CallClock(LIMITS, now=time).expired(phase)  # type: ignore[arg-type]
    assert isinstance(error, ProviderTimeoutError)
    assert (error.phase, error.message) == (phase, told)


def test_the_total_that_passed_is_the_callers_where_that_was_shorter(time: Time) -> None:
    assert CallClock(LIMITS, deadline_s=2.5, now=time).expired("total").message == "not finished within 2.5 s"


STEPS = st.lists(st.tuples(st.floats(0, 100), st.sampled_from(["wait", "progress", "content"])), max_size=30)


@given(STEPS, st.none() | st.floats(-10, 1000), st.booleans())
def test_no_order_of_events_outlives_the_total(
    steps: list[tuple[float, str]], deadline_s: float | None, streaming: bool
) -> None:
    time = Time()
    clock = CallClock(LIMITS, deadline_s=deadline_s, now=time)
    for seconds, event in steps:
        time.advance(seconds)
        if event == "content":
            clock.received()
        elif event == "progress":
            clock.progressed()
        left_s, phase = clock.left_s(streaming=streaming)
        ends_s = 1000 + min(600, 600 if deadline_s is None else deadline_s)
        assert 0 <= left_s <= max(ends_s - time.now_s, 0)
        assert phase in ("first_token", "chunk", "total") if streaming else phase == "total"
