"""What is written down of one attempt, whichever way it ends."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from tests.providers.fakes import FakeClock, answer

from turnout.config.providers import Timeouts
from turnout.errors import BusyError, ProviderTimeoutError
from turnout.providers.clock import CallClock
from turnout.providers.meter import Meter
from turnout.types import Attempt, Timings, Usage


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def meter_of(clock: FakeClock, candidate: str = "local/small", *, number: int = 1, streamed: bool = True) -> Meter:
    return Meter(candidate, number, streamed=streamed, now=clock)


def test_a_streamed_answer_is_measured_phase_by_phase(clock: FakeClock) -> None:
    meter = meter_of(clock, number=2)
    clock.advance(4)
    meter.queue_s, meter.load_s = 1.0, 3.0
    meter.clock = CallClock(Timeouts(), now=clock)
    clock.advance(0.5)
    meter.clock.received()
    clock.advance(2)
    meter.answer = answer(prompt_tokens=30, completion_tokens=41)
    attempt = meter.attempt()
    assert replace(attempt, started_at=0.0) == Attempt(
        candidate="local/small",
        started_at=0.0,
        queue_s=1.0,
        load_s=3.0,
        first_token_s=0.5,
        total_s=6.5,
        usage=Usage(prompt_tokens=30, completion_tokens=41),
        tokens_per_s=20.0,
        streamed=True,
        number=2,
    )


def test_the_start_is_told_in_wall_clock_time(clock: FakeClock) -> None:
    before = time.time()
    attempt = meter_of(clock).attempt()
    assert before <= attempt.started_at <= time.time()


def test_a_candidate_keeps_every_slash_after_the_first(clock: FakeClock) -> None:
    assert meter_of(clock, "ollama/hf.co/maker/name:q4").model == "hf.co/maker/name:q4"


def test_an_attempt_that_never_came_to_a_call_has_no_first_token(clock: FakeClock) -> None:
    meter = meter_of(clock)
    meter.failed(BusyError("no slot", provider="local", model="small"))
    clock.advance(2)
    attempt = meter.attempt()
    assert (attempt.error, attempt.message) == ("busy", "no slot")
    assert (attempt.first_token_s, attempt.tokens_per_s, attempt.total_s) == (None, None, 2)


def test_a_cancelled_attempt_is_called_so_whatever_else_went_wrong(clock: FakeClock) -> None:
    meter = meter_of(clock)
    meter.cancelled = True
    assert meter.attempt().error == "cancelled"
    meter.failed(ProviderTimeoutError("late", phase="total"))
    assert meter.attempt().error == "cancelled"


def test_a_failure_after_the_first_token_keeps_its_time(clock: FakeClock) -> None:
    meter = meter_of(clock)
    meter.clock = CallClock(Timeouts(), now=clock)
    clock.advance(1)
    meter.clock.received()
    meter.failed(ProviderTimeoutError("silent", phase="chunk"))
    assert (meter.attempt().first_token_s, meter.attempt().error) == (1, "timeout")


def test_the_providers_own_seconds_give_the_rate_where_it_tells_them(clock: FakeClock) -> None:
    meter = meter_of(clock, streamed=False)
    meter.clock = CallClock(Timeouts(), now=clock)
    clock.advance(60)
    meter.answer = replace(answer(completion_tokens=41), timings=Timings(decode_s=4.0))
    assert meter.attempt().tokens_per_s == 10


@pytest.mark.parametrize("made", [{}, {"completion_tokens": 0}, {"completion_tokens": 1}])
def test_too_few_tokens_give_no_rate(clock: FakeClock, made: dict[str, int]) -> None:
    meter = meter_of(clock)
    meter.clock = CallClock(Timeouts(), now=clock)
    clock.advance(1)
    meter.answer = answer(**made)
    assert meter.attempt().tokens_per_s is None


def test_no_time_at_all_gives_no_rate(clock: FakeClock) -> None:
    meter = meter_of(clock)
    meter.clock = CallClock(Timeouts(), now=clock)
    meter.answer = answer(completion_tokens=50)
    assert meter.attempt().tokens_per_s is None
