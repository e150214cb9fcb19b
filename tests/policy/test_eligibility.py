"""Who cannot serve, and the reason; what nobody knows excludes nobody."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.policy.candidates import Candidate, Needs
from turnout.policy.eligibility import Abilities
from turnout.types import CandidateState, LanguageModel

NEEDS = Needs(prompt_tokens=1000, least_prompt_tokens=500, answer_tokens=400, capabilities=frozenset())
ONE = Candidate(name="a/one")
ALL = ("chat", "tools", "vision", "json_schema")


def state(problem: str = "", **model: Any) -> CandidateState:
    return CandidateState(candidate="a/one", model=LanguageModel(name="one", **model), problem=problem)


def obstacle(candidate: Candidate, seen: CandidateState | None, needs: Needs, *, require_local: bool = False) -> str:
    return Abilities.of(candidate, seen).obstacle(needs, require_local)


def needing(*capabilities: str) -> Needs:
    return replace(NEEDS, capabilities=frozenset(capabilities))


# Nothing known


@pytest.mark.parametrize("seen", [None, CandidateState(candidate="a/one", model=None), state()])
@pytest.mark.parametrize("capabilities", [(), ALL])
def test_what_nobody_knows_excludes_nobody(seen: CandidateState | None, capabilities: tuple[str, ...]) -> None:
    assert obstacle(ONE, seen, needing(*capabilities)) == ""


# State


@pytest.mark.parametrize("problem", ["left alone after failures", "connection refused", "not seen for 30 s"])
def test_whoever_cannot_be_asked_is_out_with_the_providers_reason(problem: str) -> None:
    assert obstacle(ONE, state(problem), NEEDS) == problem


def test_a_candidate_that_is_busy_cold_or_tried_again_can_serve() -> None:
    seen = replace(state(loaded=False), running=9, waiting=9, breaker="half_open")
    assert obstacle(ONE, seen, NEEDS) == ""


# Privacy


def test_a_prompt_that_has_to_stay_stays() -> None:
    away = replace(ONE, local=False)
    assert obstacle(away, None, NEEDS) == ""
    assert "this machine" in obstacle(away, None, NEEDS, require_local=True)
    assert obstacle(ONE, None, NEEDS, require_local=True) == ""


def test_a_local_provider_that_passes_prompts_on_does_not_get_one_that_has_to_stay() -> None:
    assert obstacle(ONE, state(remote=True), NEEDS, require_local=True) != ""


# Capabilities


@pytest.mark.parametrize(
    ("needed", "told"),
    [("tools", "cannot call tools"), ("vision", "cannot see pictures"), ("json_schema", "cannot follow a JSON schema")],
)
def test_a_missing_capability_is_named(needed: str, told: str) -> None:
    others = frozenset(ALL) - {needed}
    assert obstacle(replace(ONE, capabilities=others), None, needing(needed)) == told
    assert obstacle(ONE, state(capabilities=others), needing(needed)) == told


@pytest.mark.parametrize("needed", ALL[1:])
def test_a_capability_that_is_there_is_no_obstacle(needed: str) -> None:
    there = frozenset({"chat", needed})
    assert obstacle(replace(ONE, capabilities=there), None, needing(needed)) == ""
    assert obstacle(ONE, state(capabilities=there), needing(needed)) == ""


def test_a_provider_that_says_no_more_than_chat_has_not_said_what_else() -> None:
    assert obstacle(ONE, state(capabilities=frozenset({"chat"})), needing(*ALL[1:])) == ""


def test_what_is_configured_goes_before_what_the_provider_says() -> None:
    can = replace(ONE, capabilities=frozenset({"chat", "tools"}))
    assert obstacle(can, state(capabilities=frozenset({"chat", "vision"})), needing("tools")) == ""
    assert obstacle(can, state(capabilities=frozenset({"chat", "vision"})), needing("vision")) != ""


@pytest.mark.parametrize("configured", [frozenset({"chat"}), frozenset[str]()], ids=["chat", "none"])
def test_capabilities_that_are_configured_are_all_there_are(configured: frozenset[str]) -> None:
    assert obstacle(replace(ONE, capabilities=configured), None, needing("tools")) == "cannot call tools"


def test_capabilities_that_nobody_needs_are_no_matter() -> None:
    assert obstacle(replace(ONE, capabilities=frozenset({"chat", "logprobs"})), None, NEEDS) == ""


# The window


@pytest.mark.parametrize(
    ("window", "told"),
    [
        (500, "its window of 500 tokens is too small for a prompt of at least 500"),
        (501, "prompt and answer of about 1400 tokens do not fit 501"),
        (1300, "prompt and answer of about 1400 tokens do not fit 1300"),
        (1334, ""),  # a quarter of the window is enough for an answer that is only guessed
        (1400, ""),
        (8192, ""),
    ],
)
def test_prompt_and_answer_have_to_fit_the_window(window: int, told: str) -> None:
    assert obstacle(replace(ONE, context_length=window), None, NEEDS) == told
    assert obstacle(ONE, state(context_length=window), NEEDS) == told


def test_the_window_it_was_loaded_with_goes_before_the_one_it_could_have() -> None:
    assert obstacle(ONE, state(context_length=100_000, loaded_context_length=400), NEEDS) != ""
    assert obstacle(ONE, state(context_length=400, loaded_context_length=100_000), NEEDS) == ""


def test_the_configured_window_goes_before_both() -> None:
    seen = state(context_length=400, loaded_context_length=400)
    assert obstacle(replace(ONE, context_length=8192), seen, NEEDS) == ""


@given(st.integers(1, 10_000), st.integers(0, 10_000), st.integers(0, 1000), st.integers(0, 5000))
def test_a_larger_window_never_excludes_whom_a_smaller_one_lets_in(
    window: int, more: int, answer: int, prompt: int
) -> None:
    needs = replace(NEEDS, prompt_tokens=prompt, least_prompt_tokens=prompt // 2, answer_tokens=answer)
    if not obstacle(replace(ONE, context_length=window), None, needs):
        assert not obstacle(replace(ONE, context_length=window + more), None, needs)


def test_privacy_is_told_before_everything_else() -> None:
    away = replace(ONE, local=False, context_length=1)
    assert "this machine" in obstacle(away, state("gone"), NEEDS, require_local=True)
