"""What is left to chance in a decision: every propensity is exact, and what is pinned is left alone."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain, repeat
from typing import Any

import pytest

from turnout import Router
from turnout.config.loader import load_content
from turnout.config.machine import Machine
from turnout.config.routing import Exploration, Hybrid
from turnout.policy.drawing import PINNED, Drawing
from turnout.policy.policy import Policy
from turnout.predictor.fit import Fitted
from turnout.predictor.model import Predictor
from turnout.types import Decision, Hints, Ranked, Task

TASK = Task("general", {"general": 1.0}, "simple", 1.0, {"simple": 1.0, "medium": 0.0, "complex": 0.0}, "fast", 0.1)
A, B, C = "a/a", "b/b", "c/c"
PROMPT = "quick question: why does our lock deadlock under failover?"
SMALL, MIDDLE, LARGE = "lmstudio/qwen2.5-coder-1.5b", "lmstudio/qwen2.5-coder-7b", "ollama/llama-3.3-70b"
BASE = """
providers:
  lmstudio: {models: [qwen2.5-coder-1.5b, qwen2.5-coder-7b]}
  ollama: {models: [llama-3.3-70b]}
"""
DRAWS = 20_000


def decision(*names: str, **fields: Any) -> Decision:
    ranking = tuple(Ranked(name, 0.8, 1.0, 0.0, 0.8 - 0.05 * at) for at, name in enumerate(names))
    return Decision(names[0], 0.8, "the best", ranking, TASK, **fields)


def sequence(*numbers: float) -> Callable[[], float]:
    """These numbers, then nothing but the last."""
    drawn = chain(numbers, repeat(numbers[-1]))
    return lambda: next(drawn)


def drawing(chance: Callable[[], float], rate: float = 0.1, **hybrid: Any) -> Drawing:
    return Drawing(Hybrid(exploration=Exploration(rate=rate, by_uncertainty=False), **hybrid), chance)


def check_frequencies(drawn: Sequence[Decision]) -> None:
    """Each candidate came out as often as its propensity says, and those add up to one."""
    said: dict[str, set[float]] = defaultdict(set)
    for each in drawn:
        said[each.candidate].add(round(each.propensity, 12))
    assert all(len(each) == 1 for each in said.values()), "a candidate has one probability, whichever arm it came from"
    exact = {candidate: min(each) for candidate, each in said.items()}
    assert math.isclose(sum(exact.values()), 1.0, abs_tol=1e-9)
    counts = Counter(each.candidate for each in drawn)
    for candidate, share in exact.items():
        assert counts[candidate] / len(drawn) == pytest.approx(
            share, abs=4 * math.sqrt(share * (1 - share) / len(drawn))
        )


def test_the_usual_first_has_what_exploration_leaves() -> None:
    found = drawing(sequence(0.5)).draw(decision(A, B, C), None)
    assert (found.candidate, found.propensity, found.exploration) == (A, 0.9, 0.1)
    assert found.decided_by == "utility"


def test_an_explored_candidate_has_its_own_probability() -> None:
    found = drawing(sequence(0.96)).draw(decision(A, B, C), None)
    assert (found.candidate, found.propensity, found.exploration, found.decided_by) == (C, 0.05, 0.1, "explore")


@pytest.mark.parametrize("lot", [0.0, 0.5, 0.95, 0.999999999999, math.nextafter(1.0, 0.0)])
def test_whatever_number_is_drawn_somebody_comes_out(lot: float) -> None:
    assert drawing(lambda: lot).draw(decision(A, B, C), None).candidate in (A, B, C)


def test_draws_come_out_as_often_as_their_propensity_says() -> None:
    made = drawing(random.Random(1).random)
    check_frequencies([made.draw(decision(A, B, C), None) for _ in range(DRAWS)])


def test_in_the_canary_propensities_are_those_of_both_arms_together() -> None:
    made = drawing(random.Random(2).random, challenger="canary", canary_share=0.3)
    drawn = [made.draw(decision(A, B, C), lambda: decision(B, C, A)) for _ in range(DRAWS)]
    check_frequencies(drawn)
    assert {each.arm for each in drawn} == {"champion", "challenger"}
    found = next(each for each in drawn if each.candidate == B)
    assert found.propensity == pytest.approx(0.7 * 0.05 + 0.3 * 0.9)


def test_a_candidate_that_one_arm_cannot_choose_has_the_probability_of_the_other() -> None:
    made = drawing(random.Random(3).random, challenger="canary", canary_share=0.3)
    drawn = [made.draw(decision(A, B), lambda: decision(B, C)) for _ in range(DRAWS)]
    check_frequencies(drawn)


def test_the_challenger_decides_its_share() -> None:
    made = drawing(random.Random(4).random, challenger="canary", canary_share=0.2)
    arms = Counter(made.draw(decision(A, B), lambda: decision(B, A)).arm for _ in range(DRAWS))
    assert arms["challenger"] / DRAWS == pytest.approx(0.2, abs=0.012)


def test_a_conversation_stays_with_the_arm_that_began_it_and_is_not_explored() -> None:
    made = drawing(random.Random(5).random, challenger="canary", canary_share=0.3)
    shares = Counter()
    for number in range(2_000):
        name = f"conversation {number}"
        first = made.draw(decision(A, B), lambda: decision(B, A), name)
        later = [made.draw(decision(A, B), lambda: decision(B, A), name, begun=True) for _ in range(3)]
        assert {each.arm for each in later} == {first.arm}
        assert first.propensity == pytest.approx(0.3 if first.arm == "challenger" else 0.7)
        assert {each.propensity for each in later} == {1.0}, "whose conversation it is is known by then"
        assert "explore" not in {each.decided_by for each in (first, *later)}
        shares[first.arm] += 1
    assert shares["challenger"] / 2_000 == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize("decided_by", sorted(PINNED))
def test_what_is_pinned_is_neither_explored_nor_left_to_the_challenger(decided_by: Any) -> None:
    made = drawing(lambda: 0.999, rate=1.0, challenger="canary", canary_share=1.0)
    usual = decision(A, B, decided_by=decided_by)
    assert made.draw(usual, lambda: decision(B, A)) is usual


def test_an_answer_that_a_rule_holds_back_is_no_experiment() -> None:
    usual = decision(A, B, hold=True)
    assert drawing(lambda: 0.999, rate=1.0).draw(usual, None) is usual


def test_in_the_shadow_nothing_that_is_served_changes() -> None:
    calls = []

    def rival() -> Decision:
        calls.append(1)
        return decision(B, A)

    usual = decision(A, B)
    found = drawing(lambda: 0.0, challenger="shadow").draw(usual, rival)
    assert (found.candidate, found.arm, found.propensity) == (A, "champion", 0.9)
    assert not calls, "it is computed later, by whoever has the time"
    assert found.shadow is not None and found.shadow() == (A, B)


def test_in_the_shadow_the_usual_first_is_compared_not_the_explored_one() -> None:
    found = drawing(lambda: 0.99, challenger="shadow").draw(decision(A, B), lambda: decision(A, B))
    assert found.decided_by == "explore" and found.shadow is not None
    assert found.shadow() == (A, A)


# A whole router


def router(fitted: Fitted, more: str = "", **options: Any) -> Router:
    ordinary = Machine(memory_mb=24_000, cores=8, gpu=False)
    loaded = load_content(f"{BASE}\n{more}".encode(), "f.yaml", environment={}, machine=lambda: ordinary)
    return Router(fitted.predictor, policy=Policy(loaded.configuration, **options))


def upside_down(predictor: Predictor) -> Predictor:
    """Another predictor, that believes in the others."""
    return replace(predictor, calibration=None, candidates=tuple(reversed(predictor.candidates)), info={"created": "2"})


def test_a_router_explores_as_often_as_it_says(small_fitted: Fitted) -> None:
    made = router(
        small_fitted,
        "hybrid: {exploration: {rate: 0.2, by_uncertainty: false}}",
        chance=random.Random(6).random,
    )
    check_frequencies([made.route(PROMPT) for _ in range(2_000)])


def test_wishes_are_heard_before_anything_is_drawn(small_fitted: Fitted) -> None:
    made = router(small_fitted, "hybrid: {exploration: {rate: 0.2, by_uncertainty: false}}", chance=lambda: 0.0)

    def wish(found: Decision) -> Decision:
        last = found.ranking[-1]
        return replace(found, candidate=last.candidate, ranking=(last, *found.ranking[:-1]))

    plain, wished = made.route(PROMPT), made.route(PROMPT, wish=wish)
    assert wished.candidate == plain.ranking[-1].candidate
    assert wished.propensity == 0.8


@pytest.mark.parametrize(
    "routing",
    [
        f"{{rules: [{{name: r, when: 'true', then: {{force: ['{LARGE}', '{SMALL}']}}}}]}}",
        f"{{rules: [{{name: r, when: 'true', then: {{prefer: {{target: '{LARGE}'}}}}}}], unsure_margin: 1}}",
        f"{{rules: [{{name: r, when: 'true', then: {{forbid: ['{LARGE}', '{SMALL}']}}}}]}}",
        "{rules: [{name: r, when: 'true', then: {hold: true}}]}",
    ],
)
def test_what_a_rule_pinned_goes_where_it_goes(small_fitted: Fitted, routing: str) -> None:
    settings = f"hybrid: {{exploration: {{rate: 1}}, challenger: canary, canary_share: 0.5}}\nrouting: {routing}"
    made = router(small_fitted, settings, chance=random.Random(7).random)
    made.challenge(upside_down(small_fitted.predictor))
    drawn = [made.route(PROMPT) for _ in range(100)]
    assert len({each.candidate for each in drawn}) == 1
    assert {(each.propensity, each.exploration, each.arm) for each in drawn} == {(1.0, 0.0, "champion")}


def test_what_routing_that_is_switched_off_and_a_caller_pinned_goes_where_it_goes(small_fitted: Fitted) -> None:
    off = router(small_fitted, "hybrid: {enabled: false, exploration: {rate: 1}}", chance=random.Random(8).random)
    on = router(small_fitted, "hybrid: {exploration: {rate: 1}}", chance=random.Random(8).random)
    for drawn in ([off.route(PROMPT) for _ in range(50)], [on.route(PROMPT, pinned=True) for _ in range(50)]):
        assert len({each.candidate for each in drawn}) == 1
        assert {each.propensity for each in drawn} == {1.0}


def test_turns_of_a_conversation_are_not_explored(small_fitted: Fitted) -> None:
    made = router(small_fitted, "hybrid: {exploration: {rate: 1}}", chance=random.Random(9).random)
    drawn = [made.route(PROMPT, hints=Hints(conversation="c")) for _ in range(50)]
    assert {(each.candidate, each.propensity) for each in drawn} == {(drawn[0].candidate, 1.0)}


def test_a_forbidden_candidate_is_never_explored(small_fitted: Fitted) -> None:
    more = f"hybrid: {{exploration: {{rate: 0.5}}}}\nrouting: {{rules: [{{name: r, when: 'true', then: {{forbid: ['{LARGE}']}}}}]}}"
    made = router(small_fitted, more, chance=random.Random(10).random)
    assert LARGE not in {made.route(PROMPT).candidate for _ in range(300)}


def test_in_the_canary_each_decision_is_its_predictors_and_tells_which(small_fitted: Fitted) -> None:
    champion, challenger = small_fitted.predictor, upside_down(small_fitted.predictor)
    settings = "hybrid: {exploration: {enabled: false}, challenger: canary, canary_share: 0.5}"
    made = router(small_fitted, settings, chance=random.Random(11).random)
    alone = {"champion": made.route(PROMPT), "challenger": Router(challenger, policy=made.policy).route(PROMPT)}
    made.challenge(challenger)
    drawn = [made.route(PROMPT) for _ in range(1_000)]
    for each in drawn:
        assert each.predictor is (champion if each.arm == "champion" else challenger)
        assert each.ranking == alone[each.arm].ranking
    check_frequencies(drawn)


def test_in_the_shadow_the_challenger_is_asked_on_the_same_request(small_fitted: Fitted) -> None:
    challenger = upside_down(small_fitted.predictor)
    made = router(small_fitted, "hybrid: {exploration: {enabled: false}, challenger: shadow}")
    before = made.route(PROMPT)
    made.challenge(challenger)
    found = made.route(PROMPT)
    assert found == before
    assert found.shadow is not None
    assert found.shadow() == (before.candidate, Router(challenger, policy=made.policy).route(PROMPT).candidate)


def test_a_challenger_that_is_switched_off_is_not_asked(small_fitted: Fitted) -> None:
    made = router(small_fitted, 'hybrid: {exploration: {enabled: false}, challenger: "off"}')
    made.challenge(small_fitted.predictor)
    assert made.route(PROMPT).shadow is None


def test_a_router_without_a_configuration_leaves_nothing_to_chance(small_fitted: Fitted) -> None:
    found = Router(small_fitted.predictor).route(PROMPT)
    assert (found.propensity, found.exploration, found.arm) == (1.0, 0.0, "champion")


def test_the_explanation_says_how_likely_exploration_was(small_fitted: Fitted) -> None:
    settings = "hybrid: {exploration: {rate: 0.25, by_uncertainty: false}}"
    usual = router(small_fitted, settings, chance=lambda: 0.0).route(PROMPT)
    other = router(small_fitted, settings, chance=lambda: 0.99).route(PROMPT)
    for found in (usual, other):
        told = " ".join(found.explain().text().split())
        assert f"another candidate than {usual.candidate} is explored with probability 25.00%" in told
        content = found.explain().to_json()
        assert content["exploration"] == 0.25 and content["propensity"] == found.propensity
    assert other.explain().over_next is None
    assert "chosen with probability 0.12" in " ".join(other.explain().text().split())
