"""Ranking: best utility first, chances of the unlearned, of follow-ups and of cautious cases. More: `test_choosing.py`."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from turnout.features import extract
from turnout.policy.candidates import Candidate
from turnout.policy.case import Case
from turnout.policy.conversations import Turn, inherited
from turnout.policy.ranking import rank
from turnout.policy.shortlist import Entry
from turnout.policy.tempo import Learned, Tempo
from turnout.predictor import Prediction
from turnout.types import ExpectedSeconds, Hints, Request

ONE, OTHER, NEW = (Candidate(name=name) for name in ("o/one", "o/other", "o/new"))
HARD = "quick question: why does our lock deadlock under failover?"


def case(prompt: str = HARD, novelty: float = 0.0, *, learned: bool = True) -> Case:
    """One that expects .6 and 2 s of `ONE`, .8 and 4 s of `OTHER`, and knows nothing of `NEW`."""
    request = Request.of(prompt)
    predictor = SimpleNamespace(candidates=(ONE.name, OTHER.name), novelty_limit=0.5)
    made = Prediction(np.array([0.6, 0.8]), np.array([2, 4], np.float32), None, novelty)
    return Case(request, extract(request), *((predictor, made) if learned else (None, None)), None, Hints())  # type: ignore[arg-type]


def entries(*candidates: Candidate, expected: ExpectedSeconds | None = None, cost: float | None = None) -> list[Entry]:
    return [Entry(candidate, expected, cost) for candidate in candidates]


def test_the_best_utility_comes_first_and_equals_keep_their_order() -> None:
    assert [each.candidate for each in rank(entries(ONE, OTHER), case(), 0.0)] == [OTHER.name, ONE.name]
    assert [each.candidate for each in rank(entries(ONE, OTHER), case(), 1.0)] == [ONE.name, OTHER.name]
    unlearned = case(learned=False)
    assert [each.candidate for each in rank(entries(OTHER, ONE), unlearned, 1.0)] == [OTHER.name, ONE.name]


def test_what_nobody_learned_of_has_the_mean_chance() -> None:
    found = {each.candidate: each for each in rank(entries(ONE, NEW), case(), "balanced")}
    assert (found[NEW.name].p_success, found[NEW.name].learned) == (pytest.approx(0.7), False)
    assert (found[ONE.name].p_success, found[ONE.name].learned) == (0.6, True)
    assert rank(entries(NEW), case(learned=False), "balanced")[0].p_success == 0.5


def test_without_history_of_its_prompts_what_is_measured_now_counts() -> None:
    now = ExpectedSeconds(1, 2, 3, 4, 0, measured=True)
    (ranked,) = rank(entries(ONE, expected=now, cost=0.5), case(), "balanced")
    assert (ranked.expected, ranked.expected_s, ranked.cost_usd) == (now, 10, 0.5)
    (ranked,) = rank(entries(ONE), case(), "balanced")
    assert (ranked.expected, ranked.expected_s, ranked.cost_usd) == (None, 2, None)


class Steady(Tempo):
    """Everything takes three times as long as history says."""

    def factor(self, candidate: str) -> float | None:
        del candidate
        return 3.0


def test_at_a_known_tempo_history_tells_what_this_prompt_takes() -> None:
    now = ExpectedSeconds(1, 2, 3, 4, 0, measured=True)
    at_tempo = case()._replace(learned=Learned({ONE.name: 2.0}, {}, Steady()))
    (ranked,) = rank(entries(ONE, expected=now), at_tempo, "balanced")
    assert ranked.expected_s == pytest.approx(1 + 2 + 3 * 2)
    assert ranked.expected is not None and ranked.expected.decode_s == pytest.approx(3 * 2 * 4 / 7)
    (shortened,) = rank([Entry(ONE, now, None, 0.5)], at_tempo, "balanced")
    assert shortened.expected_s == pytest.approx(1 + 2 + 3), "half of it is not wanted"
    (unlearned,) = rank(entries(OTHER, expected=now), at_tempo, "balanced")
    assert unlearned.expected == now
    (followed,) = rank(entries(ONE, expected=now), at_tempo, "balanced", Turn(ONE.name, {}, 40, 0))
    assert followed.expected == now, "in a conversation it counts who has read how much"


def test_before_the_tempo_is_known_what_is_measured_goes_before_history() -> None:
    now = ExpectedSeconds(1, 2, 3, 4, 0, measured=True)
    early = case()._replace(learned=Learned({ONE.name: 2.0}, {}, Tempo()))
    (ranked,) = rank(entries(ONE, expected=now), early, "balanced")
    assert (ranked.expected, ranked.expected_s) == (replace(now, learned_s=2.0), 10)
    (guessed,) = rank(entries(ONE, expected=replace(now, measured=False)), early, "balanced")
    assert guessed.expected_s == pytest.approx(1 + 2 + 2)


def test_a_short_follow_up_inherits_chances() -> None:
    turn = Turn(OTHER.name, {ONE.name: 0.1}, 40, 0)
    found = {each.candidate: each for each in rank(entries(ONE, OTHER), case("commit it"), "balanced", turn)}
    share = inherited("commit it")
    assert found[ONE.name].p_success == pytest.approx(share * 0.1 + (1 - share) * 0.6)
    assert found[ONE.name].inherited == pytest.approx(found[ONE.name].p_success - 0.6)
    assert (found[OTHER.name].p_success, found[OTHER.name].inherited) == (pytest.approx(0.8), pytest.approx(0))


def test_a_cautious_case_goes_by_chances_alone() -> None:
    new = case(novelty=0.9)
    assert new.cautious and not case().cautious
    assert [each.candidate for each in rank(entries(ONE, OTHER), new, 100.0)] == [OTHER.name, ONE.name]


def test_nobody_is_ranked_where_nobody_can_serve() -> None:
    assert rank([], case(), "balanced") == []
