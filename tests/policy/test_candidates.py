"""What a candidate costs, and what a request needs of one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.policy.candidates import ANSWER_TOKENS, Candidate, Needs
from turnout.types import TASK_TYPES, JsonSchema, Message, Request, Sampling, Tool
from turnout.types.request import Image, ToolCall
from turnout.types.tokens import least_tokens, likely_tokens

TOOL = Tool("look_up")
ASKED = Message("user", "what is this")


def asked(prompt: str = "what is this", **options: Any) -> Request:
    return Request((Message("user", prompt),), **options)


# Cost


def test_a_candidate_belongs_to_the_provider_before_the_first_slash() -> None:
    assert Candidate(name="a/b/c").provider == "a"


def test_without_a_price_a_local_answer_costs_nothing_and_a_remote_one_nobody_knows_what() -> None:
    assert Candidate(name="a/b").cost_usd(1000, 1000) == 0
    assert Candidate(name="a/b", local=False).cost_usd(1000, 1000) is None


@pytest.mark.parametrize(
    ("into", "out", "dollars"),
    [(2.5, 10.0, 2.5 * 0.004 + 10 * 0.0005), (2.5, None, 2.5 * 0.004), (None, 10.0, 10 * 0.0005), (0.0, 0.0, 0.0)],
)
def test_cost_is_tokens_times_what_a_million_of_them_costs(
    into: float | None, out: float | None, dollars: float
) -> None:
    candidate = Candidate(name="a/b", input_usd_per_million=into, output_usd_per_million=out)
    assert candidate.cost_usd(4000, 500) == pytest.approx(dollars)


# Needs


def test_a_plain_prompt_needs_nothing_special() -> None:
    assert Needs.of(asked(), "general").capabilities == frozenset()


@pytest.mark.parametrize(
    ("request_", "wanted"),
    [
        (asked(tools=(TOOL,)), {"tools"}),
        (asked(tools=(TOOL,), tool_choice="required"), {"tools"}),
        (asked(tools=(TOOL,), tool_choice="none"), set()),
        (Request((Message("user", "", (Image("http://x"),)), ASKED)), {"vision"}),
        (asked(answer_format="json"), {"json_schema"}),
        (asked(answer_format=JsonSchema({})), {"json_schema"}),
        (
            Request((Message("user", "", (Image("http://x"),)),), tools=(TOOL,), answer_format="json"),
            {"tools", "vision", "json_schema"},
        ),
    ],
    ids=["tools", "tools required", "tools not to be called", "a picture before", "json", "a schema", "all"],
)
def test_what_a_request_brings_is_what_it_needs(request_: Request, wanted: set[str]) -> None:
    assert Needs.of(request_, "general").capabilities == wanted


def test_every_type_of_task_has_a_likely_length_of_answer() -> None:
    assert set(ANSWER_TOKENS) == set(TASK_TYPES)
    for task_type, tokens in ANSWER_TOKENS.items():
        assert Needs.of(asked(), task_type).answer_tokens == tokens > 0


@pytest.mark.parametrize(("limit", "tokens"), [(1, 1), (100, 100), (250, 250), (100_000, 250)])
def test_an_answer_is_no_longer_than_its_limit(limit: int, tokens: int) -> None:
    request = asked(sampling=Sampling(max_tokens=limit))
    assert (needs := Needs.of(request, "general")).allowed(needs.answer_tokens) == tokens


@given(st.text(st.characters(exclude_categories=())), st.integers(1, 20))
def test_what_a_prompt_takes_at_least_is_never_more_than_what_is_likely(text: str, copies: int) -> None:
    needs = Needs.of(asked(text * copies), "general")
    assert 0 <= needs.least_prompt_tokens <= needs.prompt_tokens


def test_tools_and_earlier_turns_count_as_prompt() -> None:
    alone = Needs.of(asked(), "general").prompt_tokens
    assert Needs.of(asked(tools=(Tool("look_up", "x" * 4000),)), "general").prompt_tokens > alone + 900
    assert Needs.of(Request((Message("assistant", "x" * 4000), ASKED)), "general").prompt_tokens > alone + 900


@given(st.lists(st.tuples(st.text(max_size=50), st.text(max_size=9)), max_size=4), st.booleans())
def test_tokens_are_those_that_the_words_of_the_project_count(turns: list[tuple[str, str]], tools: bool) -> None:
    calls = [(ToolCall("1", "look_up", arguments),) if arguments else () for _, arguments in turns]
    messages = tuple(Message("user", text, (), call) for (text, _), call in zip(turns, calls, strict=True))
    request = Request(messages, tools=(TOOL,) if tools else ())
    needs = Needs.of(request, "general")
    assert (needs.prompt_tokens, needs.least_prompt_tokens) == (likely_tokens(request), least_tokens(request))
