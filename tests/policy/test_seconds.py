"""Expected seconds: load, wait, prefill, decode; measured where it was measured, likely where not."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.descriptors.speed import Likely
from turnout.policy.candidates import TYPICAL_ANSWER_TOKENS, Candidate, Needs
from turnout.policy.seconds import Pace, likely_load_s, moved, waits_s
from turnout.types import CandidateState, ExpectedSeconds, LanguageModel, Speeds

GB = 10**9
NEEDS = Needs(prompt_tokens=1000, least_prompt_tokens=500, answer_tokens=400, capabilities=frozenset())
MEASURED = Speeds(first_token_s=0.2, prefill_tokens_per_s=500, decode_tokens_per_s=40, load_s=6, measurements=9)
ONE = Candidate(name="a/one")


def state(speeds: Speeds = MEASURED, *, running: int = 0, waiting: int = 0, **model: Any) -> CandidateState:
    known = LanguageModel(name="one", **{"loaded": True, **model})
    return CandidateState(candidate="a/one", model=known, speeds=speeds, running=running, waiting=waiting)


def expected_seconds(
    candidate: Candidate, seen: CandidateState | None, needs: Needs, *, known_tokens: int = 0, **now: float
) -> ExpectedSeconds:
    """What is expected of a candidate at a request; `now` is what else goes on (see `Pace.of`)."""
    return Pace.of(candidate, seen, **now).expected(needs, known_tokens)


# Measured


def test_a_loaded_and_idle_candidate_takes_prefill_and_decode() -> None:
    expected = expected_seconds(ONE, state(), NEEDS)
    assert expected == ExpectedSeconds(0, 0, pytest.approx(0.2 + 1000 / 500), pytest.approx(400 / 40), 0, True)


def test_the_parts_add_up_to_the_whole() -> None:
    expected = expected_seconds(ONE, state(running=2, loaded=False), NEEDS, evict_s=3, ahead_s=2)
    parts = (expected.load_s, expected.queue_s, expected.prefill_s, expected.decode_s, expected.evict_s)
    assert all(part > 0 for part in parts)
    assert expected.total_s == pytest.approx(sum(parts))


def test_speeds_count_as_measured_once_decoding_was() -> None:
    assert expected_seconds(ONE, state(), NEEDS).measured
    assert not expected_seconds(ONE, state(replace(MEASURED, decode_tokens_per_s=None)), NEEDS).measured
    assert not expected_seconds(ONE, None, NEEDS).measured


def test_a_first_token_that_was_never_seen_alone_comes_no_later_than_whole_answers_do() -> None:
    whole = Speeds(decode_tokens_per_s=2000, prefill_tokens_per_s=1e6, service_s=0.02, measurements=9)
    assert expected_seconds(ONE, state(whole), NEEDS).prefill_s < 0.03


# Load


def test_a_cold_candidate_takes_its_measured_load() -> None:
    assert expected_seconds(ONE, state(loaded=False), NEEDS).load_s == 6


def test_one_that_is_loading_already_takes_half_of_it() -> None:
    assert expected_seconds(ONE, state(loaded=False, loading=True), NEEDS).load_s == 3


@pytest.mark.parametrize("loaded", [True, None])
def test_one_that_is_loaded_or_of_which_nobody_knows_takes_none(loaded: bool | None) -> None:
    assert expected_seconds(ONE, state(loaded=loaded), NEEDS).load_s == 0


def test_a_load_that_was_never_measured_grows_with_the_size() -> None:
    small, large = (likely_load_s(ONE, state(Speeds(), size_bytes=size * GB)) for size in (1, 40))
    assert 1 < small < 5 < 20 < large < 60


def test_a_load_of_unknown_size_is_some_seconds() -> None:
    assert 1 < likely_load_s(ONE, None) < 10


# Waiting


def busy(candidate: Candidate, running: int, waiting: int, **known: Any) -> CandidateState:
    return replace(state(running=running, waiting=waiting, **known), candidate=candidate.name)


@pytest.mark.parametrize(
    ("running", "waiting", "slots", "answers"),
    [(0, 0, 1, 0), (1, 0, 1, 0.5), (1, 1, 1, 1.5), (1, 4, 1, 4.5), (3, 0, 4, 0), (4, 0, 4, 2 / 4), (4, 3, 4, 5 / 4)],
)
def test_waiting_is_half_an_answer_of_what_runs_and_a_whole_one_of_what_waits(
    running: int, waiting: int, slots: int, answers: float
) -> None:
    candidate = replace(ONE, slots=slots, provider_slots=slots)
    timed = replace(MEASURED, service_s=10.0)
    seen = replace(busy(candidate, running, waiting), speeds=timed)
    assert waits_s([(candidate, seen)])[candidate.name] == pytest.approx(answers * 10)


def test_what_runs_at_the_provider_for_others_is_waited_for_where_its_slots_are_taken() -> None:
    one, other = replace(ONE, provider_slots=1), replace(ONE, name="a/other", provider_slots=1)
    timed = replace(MEASURED, service_s=8.0)
    pairs = [(one, replace(busy(one, 0, 0), speeds=timed)), (other, replace(busy(other, 1, 2), speeds=timed))]
    assert waits_s(pairs) == {one.name: pytest.approx(20), other.name: pytest.approx(20)}


def test_a_cold_one_waits_until_one_at_work_makes_room() -> None:
    cold, other = replace(ONE, slots=4, provider_slots=4), replace(ONE, name="a/other", slots=4, provider_slots=4)
    timed = replace(MEASURED, service_s=8.0)
    pairs = [
        (cold, replace(busy(cold, 0, 0, loaded=False), speeds=timed)),
        (other, replace(busy(other, 1, 0), speeds=timed)),
    ]
    assert waits_s(pairs)[cold.name] == pytest.approx(4)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 8))
def test_more_ahead_never_shorten_the_wait_and_more_slots_never_lengthen_it(
    running: int, waiting: int, slots: int
) -> None:
    def wait(ahead: int, places: int) -> float:
        candidate = replace(ONE, slots=places, provider_slots=places)
        return waits_s([(candidate, busy(candidate, running, ahead))])[candidate.name]

    assert wait(waiting + 1, slots) >= wait(waiting, slots) >= wait(waiting, slots + 1)


def test_what_a_candidate_was_seen_to_write_shifts_the_guess_and_never_beyond_the_limit() -> None:
    short = replace(MEASURED, answer_tokens=TYPICAL_ANSWER_TOKENS / 2, measurements=9)
    usual, brief = expected_seconds(ONE, state(), NEEDS), expected_seconds(ONE, state(short), NEEDS)
    assert brief.decode_s == pytest.approx(usual.decode_s / 2)
    long = replace(short, answer_tokens=TYPICAL_ANSWER_TOKENS * 10)
    bound = replace(NEEDS, most_answer_tokens=NEEDS.answer_tokens)
    assert expected_seconds(ONE, state(long), bound).decode_s == pytest.approx(usual.decode_s)


def test_a_learned_length_stands_for_itself_within_the_limit() -> None:
    wordy = Pace.of(ONE, state(replace(MEASURED, answer_tokens=9000, measurements=9)))
    rate = MEASURED.decode_tokens_per_s
    assert rate is not None
    assert wordy.expected(NEEDS, answer_tokens=50).decode_s == pytest.approx(50 / rate)
    assert wordy.expected(replace(NEEDS, most_answer_tokens=20), answer_tokens=50).decode_s == pytest.approx(20 / rate)


# Prefill and decode


def test_a_long_prompt_takes_its_prefill() -> None:
    long = replace(NEEDS, prompt_tokens=30_000)
    assert expected_seconds(ONE, state(), long).prefill_s == pytest.approx(0.2 + 60)


def test_what_it_has_read_before_needs_no_prefill() -> None:
    assert expected_seconds(ONE, state(), NEEDS, known_tokens=900).prefill_s == pytest.approx(0.2 + 100 / 500)
    assert expected_seconds(ONE, state(), NEEDS, known_tokens=5000).prefill_s == pytest.approx(0.2)


def test_prefill_that_was_never_measured_is_several_times_as_fast_as_decoding() -> None:
    seen = state(replace(MEASURED, prefill_tokens_per_s=None))
    expected = expected_seconds(ONE, seen, NEEDS)
    assert expected.prefill_s - 0.2 == pytest.approx(1000 / 400)


def test_a_busy_machine_stretches_prefill_and_decode_but_no_load() -> None:
    seen = state(loaded=False)
    usual, slow = expected_seconds(ONE, seen, NEEDS), expected_seconds(ONE, seen, NEEDS, slower=1.5)
    assert slow.prefill_s == pytest.approx(1.5 * usual.prefill_s)
    assert slow.decode_s == pytest.approx(1.5 * usual.decode_s)
    assert slow.load_s == usual.load_s


# Never measured


def test_a_larger_language_model_is_slower_than_a_smaller_one() -> None:
    seconds = [expected_seconds(ONE, state(Speeds(), size_bytes=size * GB), NEEDS).total_s for size in (1, 4, 20, 40)]
    assert seconds == sorted(seconds)


def test_one_on_the_card_is_faster_than_one_in_main_memory() -> None:
    here = state(Speeds(), memory_bytes=4 * GB, vram_bytes=0)
    card = state(Speeds(), memory_bytes=4 * GB, vram_bytes=4 * GB)
    assert expected_seconds(ONE, card, NEEDS).total_s < expected_seconds(ONE, here, NEEDS).total_s / 4


def test_what_is_passed_on_to_somebody_else_is_as_fast_as_one_far_away() -> None:
    passed = expected_seconds(ONE, state(Speeds(), size_bytes=300, remote=True), NEEDS)
    assert passed.decode_s == expected_seconds(replace(ONE, local=False), None, NEEDS).decode_s


def test_one_far_away_does_not_depend_on_its_size() -> None:
    away = replace(ONE, local=False)
    small, large = (expected_seconds(away, state(Speeds(), size_bytes=size), NEEDS) for size in (GB, 400 * GB))
    assert small == large
    assert 1 < small.total_s < 30


# From what is expected to what was measured


def seen_to_decode(rate: float | None, count: int) -> float:
    known = state(Speeds(decode_tokens_per_s=rate, decode_count=count), size_bytes=5 * GB)
    return NEEDS.answer_tokens / expected_seconds(ONE, known, NEEDS).decode_s


@pytest.mark.parametrize("times", [0.2, 5.0])
def test_measurements_replace_what_was_expected_step_by_step(times: float) -> None:
    cold = seen_to_decode(None, 0)
    away = [abs(math.log(seen_to_decode(times * cold, count) / (times * cold))) for count in (1, 2, 5, 20, 1000)]
    assert away == sorted(away, reverse=True)
    assert 0.1 * math.log(5) < away[0] < 0.9 * math.log(5)
    assert away[-1] < 0.01


def test_a_measurement_that_agrees_changes_nothing() -> None:
    cold = seen_to_decode(None, 0)
    assert seen_to_decode(cold, 3) == pytest.approx(cold)


def test_a_narrow_expectation_gives_way_later_than_a_wide_one() -> None:
    narrow, wide = (moved(Likely(10.0, factor), 40.0, 1) for factor in (1.3, 4.0))
    assert 10 < narrow < wide < 40
    assert moved(Likely(10.0, 2.0), None, 0) == 10 and moved(Likely(10.0, 2.0), 40.0, 0) == 40


def test_a_machine_that_writes_faster_than_expected_is_thought_to_read_faster() -> None:
    slow, fast = (
        expected_seconds(
            ONE, state(Speeds(decode_tokens_per_s=rate, decode_count=50), size_bytes=5 * GB), NEEDS
        ).prefill_s
        for rate in (5, 50)
    )
    assert fast < slow / 5


def test_a_measured_load_moves_the_expected_one() -> None:
    cold = likely_load_s(ONE, state(Speeds(), size_bytes=30 * GB))
    once, often = (likely_load_s(ONE, state(Speeds(load_s=3.0, load_count=n), size_bytes=30 * GB)) for n in (1, 50))
    assert 3 < often < 3.5 < once < cold


@given(
    st.one_of(st.none(), st.integers(1, 10**12)),
    st.one_of(st.none(), st.floats(0.1, 1e4)),
    st.integers(0, 200_000),
    st.integers(0, 10_000),
    st.booleans(),
)
def test_every_part_is_a_finite_time(
    size: int | None, rate: float | None, prompt: int, answer: int, loaded: bool
) -> None:
    needs = Needs(prompt, 0, answer, frozenset())
    seen = state(Speeds(decode_tokens_per_s=rate), size_bytes=size, loaded=loaded)
    expected = expected_seconds(ONE, seen, needs)
    parts = (expected.load_s, expected.queue_s, expected.prefill_s, expected.decode_s)
    assert all(0 <= part < 1e9 for part in parts)
    assert expected.total_s > 0
