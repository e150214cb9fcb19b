"""Exploration: a small share of requests goes elsewhere, more where less is known, and each probability is exact."""

from __future__ import annotations

import math
import random
from collections import Counter
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.config.routing import Exploration
from turnout.policy.exploring import EVENLY, LEAST, MOST, Explorer, explored, shares, uncertainty
from turnout.types import Decision, Ranked, Task

TASK = Task("general", {"general": 1.0}, "simple", 1.0, {"simple": 1.0, "medium": 0.0, "complex": 0.0}, "fast", 0.1)
RATE = 0.02

chances = st.floats(0.01, 0.99)
utilities = st.lists(st.floats(-100, 1), min_size=2, max_size=8)
rates = st.floats(0.0001, 1)


def decision(*worths: float, p: float = 0.8, novelty: float = 0.1, learned: bool = True) -> Decision:
    """A decision among candidates of these utilities, in their order."""
    ranking = tuple(Ranked(f"a/{at}", p, 1.0, 0.0, worth, learned=learned) for at, worth in enumerate(worths))
    return Decision("a/0", p, "the best", ranking, TASK, novelty=novelty)


def various(count: int, seed: int = 0) -> list[Decision]:
    """Decisions as different as requests are."""
    drawn = random.Random(seed)
    found = []
    for _ in range(count):
        worths = sorted((drawn.uniform(0, 1) for _ in range(drawn.randint(2, 6))), reverse=True)
        found.append(decision(*worths, p=drawn.betavariate(4, 1), novelty=drawn.betavariate(1, 6)))
    return found


@given(worths=utilities, p=chances, novelty=st.floats(0, 1), rate=rates, by_uncertainty=st.booleans())
def test_the_probabilities_of_all_that_can_come_out_add_up_to_one(
    worths: list[float], p: float, novelty: float, rate: float, by_uncertainty: bool
) -> None:
    explorer = Explorer(Exploration(rate=rate, by_uncertainty=by_uncertainty))
    spread = explorer.spread(decision(*sorted(worths, reverse=True), p=p, novelty=novelty))
    assert len(spread) == len(worths)
    assert math.isclose(sum(spread), 1.0, abs_tol=1e-12)
    assert all(0 <= share <= 1 for share in spread)


@given(worths=utilities, p=chances, novelty=st.floats(0, 1))
def test_no_request_explores_less_than_a_fifth_or_more_than_five_times_the_rate(
    worths: list[float], p: float, novelty: float
) -> None:
    spread = Explorer(Exploration(rate=RATE)).spread(decision(*sorted(worths, reverse=True), p=p, novelty=novelty))
    assert LEAST * RATE * (1 - 1e-9) <= sum(spread[1:]) <= MOST * RATE * (1 + 1e-9)
    assert min(spread[1:]) >= LEAST * RATE * EVENLY / len(spread[1:]) * (1 - 1e-9)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("rate", [0.005, 0.02, 0.2])
def test_on_average_the_rate_is_spent_whatever_the_requests(seed: int, rate: float) -> None:
    explorer = Explorer(Exploration(rate=rate))
    spent = [sum(explorer.spread(each)[1:]) for each in various(4_000, seed)]
    assert fmean(spent[500:]) == pytest.approx(rate, rel=0.05)


def test_where_everything_is_new_or_everything_known_the_rate_is_spent_all_the_same() -> None:
    for each in (decision(0.5, 0.5, p=0.5, novelty=1.0), decision(0.9, 0.1, p=0.99, novelty=0.0)):
        explorer = Explorer(Exploration(rate=RATE))
        spent = [sum(explorer.spread(each)[1:]) for _ in range(2_000)]
        assert fmean(spent[1_000:]) == pytest.approx(RATE, rel=0.02)


def test_what_the_predictor_knows_less_of_is_explored_more() -> None:
    known = decision(0.9, 0.4, p=0.95, novelty=0.0)
    for unsure in (
        decision(0.9, 0.88, p=0.95, novelty=0.0),
        decision(0.9, 0.4, p=0.5, novelty=0.0),
        decision(0.9, 0.4, p=0.95, novelty=0.9),
    ):
        assert uncertainty(unsure) > uncertainty(known)
        spent = [sum(Explorer(Exploration()).spread(each)[1:]) for each in (unsure, known)]
        assert spent[0] > spent[1]


def test_of_candidates_that_nobody_learned_of_nothing_is_known() -> None:
    assert uncertainty(decision(0.9, 0.1, learned=False)) == 1.0


def test_the_plausible_are_tried_more_often_and_everybody_sometimes() -> None:
    near, middle, far = shares(decision(0.9, 0.8, 0.6, -50.0).ranking[1:])
    assert near > middle > far >= EVENLY / 3


def test_without_uncertainty_every_request_and_every_other_candidate_is_explored_alike() -> None:
    explorer = Explorer(Exploration(rate=0.1, by_uncertainty=False))
    for each in various(20):
        spread = explorer.spread(each)
        assert spread[0] == 0.9
        assert set(spread[1:]) == {0.1 / len(spread[1:])}


@pytest.mark.parametrize("settings", [Exploration(enabled=False), Exploration(rate=0.0)])
def test_one_switch_turns_it_off(settings: Exploration) -> None:
    assert not Explorer(settings).is_on
    assert Explorer(settings).spread(decision(0.9, 0.8, 0.7)) == [1.0, 0.0, 0.0]


def test_the_only_candidate_has_nobody_to_be_explored() -> None:
    assert Explorer(Exploration()).spread(decision(0.9)) == [1.0]


def test_an_explored_decision_says_so_and_names_who_would_be_usual() -> None:
    found = explored(decision(0.9, 0.8, 0.7), 2)
    assert [entry.candidate for entry in found.ranking] == ["a/2", "a/0", "a/1"]
    assert (found.candidate, found.decided_by) == ("a/2", "explore")
    assert found.reason == "explored, to learn how it does; a/0 would be usual: the best"


def test_many_draws_come_out_as_often_as_was_said() -> None:
    each, drawn = decision(0.9, 0.85, 0.3), random.Random(5)
    spread = Explorer(Exploration(rate=0.2)).spread(each)
    counts = Counter(drawn.choices(range(3), spread, k=20_000))
    for place, share in enumerate(spread):
        assert counts[place] / 20_000 == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / 20_000))
