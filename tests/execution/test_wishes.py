"""Wishes move candidates inside a ranking, never into it: a candidate by name, those a voice likes, a user's feedback."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.execution.fakes import decided, ranked

from turnout.errors import NoCandidateError
from turnout.execution.wishes import like, pin, shift
from turnout.types import DecidedBy, Decision, Excluded

FAST, STRONG, THIRD = "lmstudio/qwen2.5-coder-7b", "ollama/llama3.3", "cloud/huge"


def decision(*names: str, **fields: object) -> Decision:
    """Utilities fall by .1 from .9 on."""
    entries = [replace(ranked(name), utility=0.9 - at / 10) for at, name in enumerate(names or (FAST, STRONG, THIRD))]
    return decided(*entries, **fields)


def order(made: Decision) -> list[str]:
    assert made.candidate == made.ranking[0].candidate and made.confidence == made.ranking[0].p_success
    return [entry.candidate for entry in made.ranking]


# One by name


def test_who_is_asked_for_by_name_is_the_only_one() -> None:
    made = pin(decision(), STRONG)
    assert order(made) == [STRONG] and made.decided_by == "force" and made.reason == "asked for by name"
    assert {entry.candidate: entry.reason for entry in made.excluded} == {
        FAST: f"{STRONG} was asked for",
        THIRD: f"{STRONG} was asked for",
    }


def test_who_was_excluded_before_stays_excluded_with_the_reason_of_then() -> None:
    before = Excluded("cloud/other", "its context window is too small", "the rule")
    made = pin(decision(excluded=(before,)), FAST)
    assert made.excluded[0] is before


def test_an_excluded_candidate_is_refused_with_its_reason() -> None:
    before = decision(excluded=(Excluded("cloud/other", "privacy: the prompt holds a secret", "secrets"),))
    with pytest.raises(NoCandidateError) as caught:
        pin(before, "cloud/other")
    assert caught.value.excluded == {"cloud/other": "privacy: the prompt holds a secret"}


@pytest.mark.parametrize(
    "name", ["cloud/nobody", "lmstudio", "*", "LMSTUDIO/qwen2.5-coder-7b", " ", "ollama/llama3.3 "]
)
def test_a_name_that_nobody_has_is_told_who_there_is(name: str) -> None:
    with pytest.raises(NoCandidateError, match=r"no such candidate; there are .*ollama/llama3\.3") as caught:
        pin(decision(), name)
    assert list(caught.value.excluded) == [name]


def test_what_rules_said_of_the_answer_still_counts() -> None:
    made = pin(decision(threshold=0.9, hold=True, rules=("careful",), secrets=("key",)), STRONG)
    assert (made.threshold, made.hold, made.rules, made.secrets) == (0.9, True, ("careful",), ("key",))


# Voices


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ([STRONG], [STRONG, FAST, THIRD]),
        ([THIRD, STRONG], [THIRD, STRONG, FAST]),
        (["ollama"], [STRONG, FAST, THIRD]),
        (["*/llama*", "cloud"], [STRONG, THIRD, FAST]),
        (["*"], [FAST, STRONG, THIRD]),
        ([FAST], [FAST, STRONG, THIRD]),
        ([STRONG, "ollama", "*"], [STRONG, FAST, THIRD]),
        ([], [FAST, STRONG, THIRD]),
        (["nobody", "*/nothing"], [FAST, STRONG, THIRD]),
        (["Ollama", "oll", "llama3.3"], [FAST, STRONG, THIRD]),
    ],
)
def test_those_a_voice_likes_come_first_in_its_order(targets: list[str], expected: list[str]) -> None:
    assert order(like(decision(), targets, "the voice x")) == expected


def test_the_reason_names_the_voice_only_where_it_changed_something() -> None:
    assert like(decision(), [THIRD], "the voice x").reason == f"the voice x likes {THIRD} best"
    assert like(decision(), [FAST], "the voice x").reason == "the best"
    assert like(decision(), ["nobody"], "the voice x").reason == "the best"


@pytest.mark.parametrize("by", ["force", "only"])
def test_what_a_rule_forces_stays_first(by: DecidedBy) -> None:
    before = decision(decided_by=by)
    assert like(before, [THIRD], "the voice x") is before


def test_a_voice_brings_nobody_in_who_was_excluded() -> None:
    before = decision(FAST, STRONG, excluded=(Excluded(THIRD, "too small"),))
    assert order(like(before, [THIRD, STRONG], "the voice x")) == [STRONG, FAST]


def test_that_a_voice_decided_is_told_in_decided_by() -> None:
    assert like(decision(), [THIRD], "the voice x").decided_by == "prefer"


# Feedback


def test_feedback_is_added_to_utilities() -> None:
    made = shift(decision(), {STRONG: 0.15})
    assert order(made) == [STRONG, FAST, THIRD]
    assert made.ranking[0].utility == pytest.approx(0.95) and "feedback speaks for ollama/llama3.3" in made.reason


def test_feedback_that_is_not_enough_changes_figures_but_not_the_order() -> None:
    made = shift(decision(), {STRONG: 0.05})
    assert order(made) == [FAST, STRONG, THIRD] and made.reason == "the best"
    assert made.ranking[1].utility == pytest.approx(0.85)


def test_between_equals_the_decision_stands() -> None:
    assert order(shift(decision(), {STRONG: 0.1, THIRD: 0.2})) == [FAST, STRONG, THIRD]


@pytest.mark.parametrize("by", ["force", "only", "prefer", "caution"])
def test_what_was_not_decided_by_utility_stands(by: DecidedBy) -> None:
    assert by in get_args(DecidedBy)
    before = decision(decided_by=by)
    assert shift(before, {THIRD: 5.0}) is before


def test_no_feedback_is_no_shift() -> None:
    before = decision()
    assert shift(before, {}) is before


@pytest.mark.parametrize("offsets", [{"somebody/else": 1.0}, {FAST: 0.0001}])
def test_feedback_that_speaks_for_the_chosen_one_or_nobody_here_leaves_a_conversation_where_it_is(
    offsets: dict[str, float],
) -> None:
    before = decision(decided_by="conversation")
    stays = replace(before.ranking[0], utility=before.ranking[1].utility - 0.05)  # it knows the conversation
    before = replace(before, ranking=(stays, *before.ranking[1:]))
    assert order(shift(before, offsets)) == [FAST, STRONG, THIRD]


def test_feedback_for_nobody_here_leaves_the_configured_order() -> None:
    entries = [replace(ranked(name), utility=at / 10) for at, name in enumerate((FAST, STRONG, THIRD))]
    assert order(shift(decided(*entries, decided_by="order"), {"somebody/else": 1.0})) == [FAST, STRONG, THIRD]


# Whatever is wished

names = st.sampled_from([FAST, STRONG, THIRD, "cloud/other", "nobody/there", "ollama", "*", "*/l*", "", "[", "cloud/*"])


@given(
    targets=st.lists(names),
    offsets=st.dictionaries(names, st.floats(-2, 2)),
    by=st.sampled_from(get_args(DecidedBy)),
)
def test_a_wish_keeps_everybody_and_invents_nobody(
    targets: list[str], offsets: dict[str, float], by: DecidedBy
) -> None:
    before = decision(decided_by=by, excluded=(Excluded("cloud/other", "too small"),))
    made = shift(like(before, targets, "the voice x"), offsets)
    assert sorted(order(made)) == sorted(order(before)) and made.excluded == before.excluded
    assert made.reason
    assert before == decision(decided_by=by, excluded=before.excluded)
