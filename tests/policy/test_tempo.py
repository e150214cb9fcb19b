"""Tempo: what today's answers take against history, how it is shared between candidates, and what does not count."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.policy.tempo import Tempo
from turnout.types import Answer, Attempt, ExpectedSeconds, Ranked, Tried

FAST, STRONG, RARE = "local/fast", "local/strong", "local/rare"


def ranked(candidate: str, learned_s: float | None = 2.0, load_s: float = 0.0) -> Ranked:
    expected = ExpectedSeconds(load_s, 0.0, 0.5, 1.5, 0.0, True, learned_s)
    return Ranked(candidate, 0.9, expected.total_s, None, 0.5, expected)


def took(candidate: str, seconds: float, **fields: Any) -> Tried:
    answer = Answer(candidate, candidate, "yes")
    attempt = Attempt(candidate=candidate, started_at=0.0, total_s=seconds)
    return Tried(**{"candidate": candidate, "role": "first", "attempts": (attempt,), "answer": answer, **fields})


def after(*answers: tuple[str, float], tempo: Tempo | None = None) -> Tempo:
    """A tempo that took in so many times what history expected of these, one after the other."""
    tempo = tempo or Tempo()
    for candidate, times in answers:
        tempo.took([ranked(candidate)], [took(candidate, 2.0 * times)])
    return tempo


def test_nothing_is_said_before_a_few_answers() -> None:
    assert Tempo().factor(FAST) is None
    assert after((FAST, 3.0), (FAST, 3.0)).factor(FAST) is None
    assert after(*[(FAST, 3.0)] * 3).factor(FAST) == pytest.approx(3.0)


def test_whoever_was_not_asked_is_taken_to_be_as_slow_as_the_others() -> None:
    tempo = after(*[(FAST, 2.0), (STRONG, 2.0)] * 5)
    assert tempo.factor(RARE) == pytest.approx(2.0)


def test_each_candidate_has_its_own_tempo_once_it_was_asked_often() -> None:
    tempo = after(*[(FAST, 1.0), (STRONG, 4.0)] * 40)
    fast, strong = tempo.factor(FAST), tempo.factor(STRONG)
    assert fast is not None and strong is not None
    assert 1.0 < fast < 1.3 and 3.0 < strong < 4.0


def test_a_bad_minute_is_forgotten_while_others_answer() -> None:
    slow = after(*[(FAST, 5.0), (STRONG, 5.0)] * 10)
    later = after(*[(STRONG, 1.0)] * 100, tempo=slow)
    factor = later.factor(FAST)
    assert factor is not None and factor == pytest.approx(1.0, abs=0.25), "though it was not asked again"


def test_a_slower_machine_shows_within_a_few_dozen_answers() -> None:
    tempo = after(*[(FAST, 1.0)] * 200)
    factor = after(*[(FAST, 3.0)] * 36, tempo=tempo).factor(FAST)
    assert factor is not None and 1.8 < factor < 3.0


@given(st.lists(st.tuples(st.sampled_from([FAST, STRONG, RARE]), st.floats(0.02, 50.0)), min_size=3, max_size=60))
def test_factors_lie_within_what_was_measured(answers: list[tuple[str, float]]) -> None:
    tempo = after(*answers)
    low, high = min(times for _, times in answers), max(times for _, times in answers)
    for candidate in (FAST, STRONG, RARE):
        factor = tempo.factor(candidate)
        assert factor is not None and low * 0.999 <= factor <= high * 1.001


def test_waiting_and_loading_are_not_the_answer() -> None:
    waited = Attempt(candidate=FAST, started_at=0.0, queue_s=30.0, load_s=10.0, total_s=44.0)
    tempo = Tempo()
    for _ in range(3):
        tempo.took([ranked(FAST)], [took(FAST, 0.0, attempts=(waited,))])
    assert tempo.factor(FAST) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("entry", "tried"),
    [
        (ranked(FAST), took(FAST, 9.0, answer=None, error="timeout")),
        (ranked(FAST), took(FAST, 9.0, attempts=())),
        (ranked(FAST), took(FAST, 0.0)),
        (ranked(FAST), took(FAST, math.inf)),
        (ranked(FAST), took(STRONG, 9.0)),
        (ranked(FAST, learned_s=None), took(FAST, 9.0)),
        (ranked(FAST, load_s=4.0), took(FAST, 9.0)),
        (replace(ranked(FAST), expected=None), took(FAST, 9.0)),
    ],
    ids=["failed", "no call", "no time", "for ever", "not ranked", "not learned", "was loading", "not watched"],
)
def test_what_tells_nothing_of_the_tempo_does_not_count(entry: Ranked, tried: Tried) -> None:
    tempo = Tempo()
    for _ in range(5):
        tempo.took([entry], [tried])
    assert tempo.factor(FAST) is None


def test_one_answer_says_no_more_than_a_hundred_times() -> None:
    assert after(*[(FAST, 1e6)] * 3).factor(FAST) == pytest.approx(100.0)
    assert after(*[(FAST, 1e-6)] * 3).factor(FAST) == pytest.approx(0.01)
