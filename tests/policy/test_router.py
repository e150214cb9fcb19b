"""`route()`: one request in, a ranked and explained decision out; refused requests are refused by name."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout import Decision, Message, Request, Router
from turnout.errors import RequestError
from turnout.features import extract
from turnout.predictor.expense import LogLinear
from turnout.predictor.fit import Fitted
from turnout.types import PREFERENCES

HARD = "quick question: why does our lock deadlock under failover?"
EASY = "what does git stash do"


def check(decision: Decision, router: Router) -> None:
    """What holds for every decision."""
    assert sorted(entry.candidate for entry in decision.ranking) == sorted(router.candidates)
    first = decision.ranking[0]
    assert (decision.candidate, decision.confidence) == (first.candidate, first.p_success)
    assert decision.reason and "\n" not in decision.reason
    for entry in decision.ranking:
        assert 0 < entry.p_success < 1
        assert math.isfinite(entry.utility)
        assert entry.expected_s is None or 0 < entry.expected_s < math.inf
    assert 0 <= decision.novelty <= 1
    assert decision.propensity == 1
    if not (decision.out_of_depth and decision.task.tier == "strong"):
        assert all(one.utility >= two.utility for one, two in pairwise(decision.ranking))


# Decisions


@pytest.mark.parametrize("preference", [*PREFERENCES, 0, 0.3, 5])
def test_decisions_on_real_prompts_hold_together(
    router: Router, prompts: tuple[str, ...], preference: str | float
) -> None:
    for prompt in prompts[::6]:
        check(router.route(prompt, preference), router)


def test_hostile_strings_are_routed(router: Router, hostile_prompts: dict[str, str]) -> None:
    for prompt in hostile_prompts.values():
        check(router.route(prompt), router)


@given(text=st.text(st.characters()).filter(str.strip))
def test_any_text_that_is_not_blank_is_routed(router: Router, text: str) -> None:
    check(router.route(text), router)


def test_the_figures_are_plain_python_that_every_encoder_takes(router: Router) -> None:
    decision = router.route(HARD)
    assert {type(decision.confidence), type(decision.novelty)} == {float}
    assert type(decision.out_of_depth) is bool
    for entry in decision.ranking:
        assert {type(entry.p_success), type(entry.expected_s), type(entry.utility)} == {float}


def test_the_same_prompt_gets_the_same_decision(router: Router, prompts: tuple[str, ...]) -> None:
    for prompt in prompts[:50]:
        assert router.route(prompt) == router.route(prompt)


def test_the_decision_carries_the_task_of_the_prompt(router: Router) -> None:
    assert router.route(HARD).task == extract(HARD).task


def test_a_prompt_a_message_and_a_request_are_routed_alike(router: Router) -> None:
    decisions = [
        router.route(EASY),
        router.route([{"role": "user", "content": EASY}]),
        router.route(Request((Message("user", EASY),))),
    ]
    assert decisions[0] == decisions[1] == decisions[2]


def test_different_prompts_get_different_figures(router: Router) -> None:
    assert router.route(EASY).confidence != router.route(HARD).confidence


def test_a_long_conversation_before_the_question_is_routed(router: Router) -> None:
    before = [{"role": "user", "content": "here is our scheduler"}, {"role": "assistant", "content": "thanks " * 500}]
    check(router.route([*before * 20, {"role": "user", "content": EASY}]), router)


def test_candidates_are_listed_cheapest_first(router: Router, fitted_order: tuple[str, ...]) -> None:
    assert router.candidates == fitted_order


@pytest.fixture
def fitted_order(small_fitted: Fitted) -> tuple[str, ...]:
    return small_fitted.predictor.candidates


# Preference


def test_a_faster_preference_never_chooses_a_slower_candidate(router: Router, prompts: tuple[str, ...]) -> None:
    chosen = {}
    for prompt in prompts:
        expected = {}
        for preference in ("quality", "balanced", "fast"):
            decision = router.route(prompt, preference)
            expected[preference] = decision.ranking[0].expected_s
            chosen.setdefault(preference, set()).add(decision.candidate)
        assert expected["fast"] <= expected["balanced"] <= expected["quality"]
    assert len(chosen["quality"] | chosen["fast"]) > 1, "or the test shows nothing"


def test_a_preference_for_quality_never_lowers_the_chance_of_success(router: Router, prompts: tuple[str, ...]) -> None:
    for prompt in prompts:
        surer, faster = (router.route(prompt, preference).confidence for preference in ("quality", "fast"))
        assert surer >= faster


def test_a_preference_changes_utilities_but_no_probability(router: Router) -> None:
    one, two = ({e.candidate: e for e in router.route(HARD, preference).ranking} for preference in ("fast", "quality"))
    assert {name: entry.p_success for name, entry in one.items()} == {n: e.p_success for n, e in two.items()}
    assert all(one[name].utility < two[name].utility for name in one)


def test_a_number_says_the_same_as_the_name_for_it(router: Router) -> None:
    assert router.route(HARD, 0.4).ranking == router.route(HARD, "fast").ranking


def test_at_no_price_the_surest_wins(router: Router, prompts: tuple[str, ...]) -> None:
    for prompt in prompts[:100]:
        decision = router.route(prompt, 0)
        assert decision.confidence == max(entry.p_success for entry in decision.ranking)


def test_at_any_price_the_quickest_wins(router: Router, prompts: tuple[str, ...]) -> None:
    for prompt in prompts[:100]:
        decision = router.route(prompt, 1e6)
        if not (decision.out_of_depth and decision.task.tier == "strong"):
            assert decision.ranking[0].expected_s == min(entry.expected_s for entry in decision.ranking)


def test_an_unknown_preference_is_refused_and_named(router: Router) -> None:
    with pytest.raises(RequestError, match="'cheap' is neither fast, balanced, quality"):
        router.route(EASY, "cheap")


# Reasons


def test_the_reason_names_the_preference(router: Router) -> None:
    assert "preference fast" in router.route(EASY, "fast").reason


def test_the_reason_names_the_surer_candidate_that_was_too_expensive(router: Router) -> None:
    decision = router.route(HARD, 1e6)
    surest = max(decision.ranking, key=lambda entry: entry.p_success)
    assert surest is not decision.ranking[0]
    assert decision.reason.startswith(f"{surest.candidate} would add ")


# Out of its depth


@pytest.fixture
def unsure(small_fitted: Fitted) -> Router:
    """A router whose predictor takes every prompt for one it never saw the like of."""
    return Router(replace(small_fitted.predictor, novelty_limit=-1.0))


def test_a_strange_and_hard_prompt_goes_to_the_most_likely_to_succeed(unsure: Router) -> None:
    decision = unsure.route(HARD, "fast")
    assert decision.out_of_depth
    assert decision.confidence == max(entry.p_success for entry in decision.ranking)
    assert decision.reason.startswith("unlike anything seen in training")


def test_a_strange_but_easy_prompt_is_decided_by_utility(unsure: Router) -> None:
    decision = unsure.route(EASY, "fast")
    assert decision.out_of_depth
    assert decision.ranking[0].utility == max(entry.utility for entry in decision.ranking)


def test_words_never_seen_are_new_and_training_words_are_not(router: Router) -> None:
    assert router.route("zzqx vvkj qqwp xxjh").novelty == 1
    assert router.route(EASY).novelty < 0.8


# Expenses that were not measured


def test_without_measured_seconds_the_ranking_leaves_them_open(small_fitted: Fitted) -> None:
    router = Router(replace(small_fitted.predictor, seconds=None, cost_usd=None))
    decision = router.route(HARD)
    check(decision, router)
    assert {(entry.expected_s, entry.cost_usd) for entry in decision.ranking} == {(None, None)}


def test_where_money_is_spent_it_is_shown_and_decides(small_fitted: Fitted) -> None:
    predictor = small_fitted.predictor
    n = len(predictor.candidates)
    # The first candidate costs a cent, the others a hundredth of one.
    dollars = np.array([0.01, *[0.0001] * (n - 1)], np.float32)
    cost = LogLinear(np.zeros((len(predictor.feature_mean), n), np.float32), np.log(dollars), dollars, dollars)
    router = Router(replace(predictor, cost_usd=cost))
    decision = router.route(EASY, 1e6)
    assert decision.ranking[-1].candidate == predictor.candidates[0]
    assert decision.ranking[-1].cost_usd == pytest.approx(0.01)


# Refusals


@pytest.mark.parametrize(
    "blank",
    ["", " ", "\n\t \r\n", "\u3000\u2003", " " * 10_000_000, [{"role": "user", "content": None}], [{"content": "  "}]],
    ids=["empty", "blank", "line ends", "wide blanks", "ten megabytes of blanks", "no content", "blank message"],
)
def test_a_prompt_of_only_white_space_is_refused_by_name(router: Router, blank: Any) -> None:
    with pytest.raises(RequestError, match="the prompt is empty"):
        router.route(blank)


@pytest.mark.parametrize("request_", [None, b"bytes", 7, {}, {"role": "user"}, [], ["text"], [None], Request(())])
def test_what_is_no_request_is_refused(router: Router, request_: Any) -> None:
    with pytest.raises(RequestError):
        router.route(request_)


def test_a_picture_without_words_is_routed(router: Router) -> None:
    check(router.route([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]), router)


def test_a_refused_request_leaves_the_router_as_it_was(router: Router) -> None:
    before = router.route(EASY)
    for bad in ("", None):
        with pytest.raises(RequestError):
            router.route(bad)  # type: ignore[arg-type]
    assert router.route(EASY) == before


# Threads


def test_threads_get_the_decisions_that_one_thread_gets(router: Router, prompts: tuple[str, ...]) -> None:
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(router.route, prompts[:200]))
    assert together == [router.route(prompt) for prompt in prompts[:200]]
