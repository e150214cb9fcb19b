"""What feedback comes to: bounded, fading, explained, and of no effect before there is enough of it."""

from __future__ import annotations

from dataclasses import replace
from sys import float_info

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.config.rules import ExchangeRates
from turnout.errors import RequestError
from turnout.execution.leaning import (
    HALF_LIFE,
    KINDS,
    LEAST_EVENTS,
    MOST_FACTOR,
    MOST_OFFSET,
    NEUTRAL,
    WINDOW,
    Heard,
    Kind,
    Leaning,
    leaning_of,
    preference_for,
)

SMALL, LARGE = "lms/small", "ollama/large"


def heard(kind: Kind, value: float | None = None, candidate: str = SMALL, *, strong: bool = False) -> Heard:
    return Heard(kind, value, candidate, 2.0, strong, 0.0)


def factor(*events: Heard) -> float:
    return leaning_of(events).rate_factor


@st.composite
def events(draw: st.DrawFn) -> Heard:
    kind = draw(st.sampled_from(KINDS))
    value = draw(st.floats(0, 1)) if kind in ("score", "edit_kept") else None
    seconds = draw(st.none() | st.floats(0, 1e300))
    return Heard(kind, value, draw(st.sampled_from([SMALL, LARGE, ""])), seconds, draw(st.booleans()), 0.0)


@given(st.lists(events(), max_size=30))
def test_factor_and_offsets_keep_to_their_bounds(told: list[Heard]) -> None:
    leaning = leaning_of(told)
    assert 1 / MOST_FACTOR < leaning.rate_factor < MOST_FACTOR
    assert all(abs(offset) < MOST_OFFSET for offset in leaning.offsets.values())
    assert leaning.told.isprintable() and leaning.events == min(len(told), WINDOW)


@given(st.lists(events(), max_size=LEAST_EVENTS - 1))
def test_nothing_changes_before_three_events(told: list[Heard]) -> None:
    leaning = leaning_of(told)
    assert (leaning.rate_factor, dict(leaning.offsets)) == (1.0, {})


@given(st.lists(events(), min_size=LEAST_EVENTS, max_size=20))
def test_another_complaint_about_a_fast_answer_never_moves_towards_speed(told: list[Heard]) -> None:
    assert factor(*told, heard("bad")) <= factor(*told, heard("regenerate")) + 1e-9
    assert factor(*told, heard("bad")) < factor(*told, heard("good"))


@pytest.mark.parametrize("kind", ["bad", "regenerate"])
def test_bad_fast_answers_ask_for_quality(kind: Kind) -> None:
    assert factor(*[heard(kind)] * 5) < 0.6
    assert leaning_of([heard(kind)] * 5).offsets[SMALL] < -0.05


def test_bad_strong_answers_speak_against_the_candidate_only() -> None:
    leaning = leaning_of([heard("bad", candidate=LARGE, strong=True)] * 5)
    assert leaning.rate_factor == 1.0 and leaning.offsets[LARGE] < -0.05


def test_slow_answers_ask_for_speed() -> None:
    leaning = leaning_of([heard("too_slow", candidate=LARGE, strong=True)] * 5)
    assert leaning.rate_factor > 2 and leaning.offsets[LARGE] < 0
    assert "found answers of about 2.0 s too slow (5 times)" in leaning.told


def test_whom_the_user_picks_by_hand_shows_what_they_want() -> None:
    quality = leaning_of([heard("choose", candidate=LARGE, strong=True)] * 4)
    speed = leaning_of([heard("choose")] * 4)
    assert quality.rate_factor < 0.5 and quality.offsets[LARGE] > 0.08
    assert speed.rate_factor > 2 and speed.offsets[SMALL] > 0.08


@pytest.mark.parametrize("kind", ["score", "edit_kept"])
def test_scores_and_kept_edits_count_by_how_far_they_are_from_the_middle(kind: Kind) -> None:
    low, middling, half = (factor(*[heard(kind, value)] * 5) for value in (0.0, 0.3, 0.5))
    assert low < middling < half == 1.0 < factor(*[heard(kind, 1.0)] * 5)
    assert leaning_of([heard(kind, 0.5)] * 5).offsets == {}
    assert low == factor(*[heard("bad")] * 5)


def test_one_bad_answer_outweighs_a_few_good_ones() -> None:
    assert factor(heard("good"), heard("good"), heard("bad"), heard("good")) < 1
    assert factor(*[heard("good")] * 10) > 1


def test_a_change_of_mind_wins_within_a_half_life() -> None:
    told = [heard("bad")] * 40 + [heard("too_slow")] * HALF_LIFE
    assert factor(*told[:40]) < 0.4 and factor(*told) > 1


def test_the_candidate_may_be_unknown() -> None:
    assert leaning_of([heard("bad", candidate="")] * 3).offsets == {}


def test_what_lies_beyond_the_window_counts_for_nothing() -> None:
    recent = [heard("bad"), heard("good", candidate=LARGE)] * (WINDOW // 2)
    assert leaning_of([heard("too_slow"), heard("choose"), *recent]) == leaning_of(recent)


def test_a_person_reads_where_they_lean() -> None:
    assert leaning_of([]).told == "nothing was heard of this user yet"
    assert leaning_of([heard("bad")]).told == "1 of 3 events were heard before anything changes"
    assert leaning_of([heard("bad")] * 10).told == (
        "after 10 events this user leans to quality: seconds and money count 0.36 times as much as configured; "
        "utility of lms/small -0.11"
    )
    neutral = leaning_of([heard("bad", candidate=LARGE, strong=True)] * 3).told
    assert neutral.startswith("after 3 events this user weighs speed and quality as configured")


# The preference that goes with it

HALF = Leaning(rate_factor=0.5)


def test_the_rate_of_the_asked_preference_is_scaled() -> None:
    assert preference_for(HALF, "fast", "quality") == pytest.approx(0.2)
    assert preference_for(HALF, 0.3, "quality") == pytest.approx(0.15)


def test_where_none_is_asked_for_the_configured_one_is_scaled() -> None:
    assert preference_for(HALF, None, "balanced") == pytest.approx(0.075)


def test_what_a_second_and_a_cent_are_worth_are_both_scaled() -> None:
    rates = ExchangeRates(success_per_second=0.02, success_per_cent=0.1)
    assert preference_for(HALF, rates, "fast") == ExchangeRates(success_per_second=0.01, success_per_cent=0.05)


def test_a_neutral_user_keeps_the_name_of_the_preference() -> None:
    assert preference_for(NEUTRAL, None, "balanced") == "balanced"
    assert preference_for(NEUTRAL, "fast", "balanced") == "fast"
    assert preference_for(NEUTRAL, 0.0, "balanced") == 0.0


def test_nothing_is_worth_nothing_and_the_most_stays_finite() -> None:
    assert preference_for(HALF, 0.0, "fast") == 0.0
    assert preference_for(replace(HALF, rate_factor=3.9), 1.7e308, "fast") == float_info.max


def test_an_unknown_preference_is_refused() -> None:
    with pytest.raises(RequestError):
        preference_for(HALF, "cheap", "fast")
