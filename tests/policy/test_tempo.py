"""Tempo: what today's answers take against history, how it is shared between candidates, and what does not count."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.policy.tempo import Tempo
from turnout.types import Answer, Attempt, ExpectedSeconds, Ranked, Timings, Tried

FAST, STRONG, RARE = "local/fast", "local/strong", "local/rare"


def ranked(candidate: str, learned_s: float | None = 2.0, load_s: float = 0.0) -> Ranked:
    expected = ExpectedSeconds(load_s, 0.0, 0.5, 1.5, 0.0, True, learned_s)
    return Ranked(candidate, 0.9, expected.total_s, None, 0.5, expected)


def took(candidate: str, seconds: float, **fields: Any) -> Tried:
    answer = Answer(candidate, candidate, "yes")
    attempt = Attempt(candidate=candidate, started_at=0.0, total_s=seconds)
    return Tried(**{"candidate": candidate, "role": "first", "attempts": (attempt,), "answer": answer, **fields})


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def after(*answers: tuple[str, float], tempo: Tempo | None = None) -> Tempo:
    """A tempo that took in so many times what history expected of these, one after the other."""
    tempo = tempo or Tempo(Clock())
    for candidate, times in answers:
        tempo.took([ranked(candidate)], [took(candidate, 2.0 * times)])
    return tempo


def of(tempo: Tempo, candidate: str) -> float:
    factor = tempo.factor(candidate)
    assert factor is not None
    return factor


def test_nothing_is_said_before_a_few_answers() -> None:
    assert Tempo().factor(FAST) is None
    assert after((FAST, 3.0), (FAST, 3.0)).factor(FAST) is None
    assert after(*[(FAST, 3.0)] * 3).factor(FAST) == pytest.approx(3.0)


def test_whoever_was_not_asked_is_taken_to_be_as_slow_as_the_others() -> None:
    assert of(after(*[(FAST, 2.0), (STRONG, 2.0)] * 5), RARE) == pytest.approx(2.0)


def test_each_candidate_has_its_own_tempo_once_it_was_asked_often() -> None:
    tempo = after(*[(FAST, 1.0), (STRONG, 4.0)] * 40)
    assert 1.0 < of(tempo, FAST) < 1.3 and 3.0 < of(tempo, STRONG) < 4.0


def test_who_is_slower_than_history_says_does_not_have_to_prove_it_again() -> None:
    clock = Clock()
    tempo = after(*[(STRONG, 5.0)] * 20, *[(FAST, 1.0)] * 20, tempo=Tempo(clock))
    before = of(tempo, STRONG)
    for _ in range(500):
        clock.now_s += 60.0
        after((FAST, 1.0), tempo=tempo)
    assert of(tempo, STRONG) == pytest.approx(before, rel=0.1) and before > 3.5


def test_a_bad_minute_is_forgotten_though_nobody_asks_again() -> None:
    clock = Clock()
    tempo = after(*[(FAST, 1.0), (STRONG, 1.0)] * 50, tempo=Tempo(clock))
    in_it = of(after(*[(FAST, 6.0)] * 8, tempo=tempo), FAST)
    clock.now_s += 120.0
    assert in_it > 2.5 and of(tempo, FAST) < 1.6


def test_a_slower_machine_shows_within_a_dozen_answers_and_for_good_after_some_dozens() -> None:
    clock = Clock()
    tempo = after(*[(FAST, 1.0)] * 200, tempo=Tempo(clock))
    assert of(after(*[(FAST, 3.0)] * 12, tempo=tempo), FAST) > 2.2
    after(*[(FAST, 3.0)] * 60, tempo=tempo)
    clock.now_s += 3600.0
    assert of(tempo, FAST) > 1.8


def test_threads_share_it() -> None:
    tempo = Tempo()
    names = [f"local/{number}" for number in range(40)]

    def work(number: int) -> None:
        for at in range(200):
            after((names[(number * 7 + at) % 40], 2.0), tempo=tempo)
            tempo.factor(names[at % 40])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert all(of(tempo, name) == pytest.approx(2.0) for name in names)


@given(st.lists(st.tuples(st.sampled_from([FAST, STRONG, RARE]), st.floats(0.02, 50.0)), min_size=3, max_size=60))
def test_factors_stay_near_what_was_measured(answers: list[tuple[str, float]]) -> None:
    tempo = after(*answers)
    low, high = min(times for _, times in answers), max(times for _, times in answers)
    for candidate in (FAST, STRONG, RARE):
        assert low * low / high * 0.999 <= of(tempo, candidate) <= high * high / low * 1.001


def test_waiting_loading_and_a_slow_reader_are_not_the_answer() -> None:
    waited = Attempt(candidate=FAST, started_at=0.0, queue_s=30.0, load_s=10.0, total_s=64.0, held_s=15.0)
    loaded = Answer(FAST, FAST, "yes", timings=Timings(load_s=5.0))
    tempo = Tempo(Clock())
    for _ in range(3):
        tempo.took([ranked(FAST)], [took(FAST, 0.0, attempts=(waited,), answer=loaded)])
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
