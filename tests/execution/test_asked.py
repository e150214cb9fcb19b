"""What a caller says beside a request: what is taken, and what is refused by name before anybody is asked."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.config.rules import ExchangeRates
from turnout.errors import RequestError, TurnoutError
from turnout.execution.asked import Asked, Options
from turnout.types import Hints, JsonSchema, Message, Request, Sampling, Tool

WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}


def of(**options: Any) -> Asked:
    return Asked.of("hello", **options)


# What is taken


def test_a_prompt_alone_is_enough() -> None:
    asked = of()
    assert asked.request == Request.of("hello") and asked.hints == Hints()
    assert (asked.preference, asked.deadline_s, asked.candidate, asked.voice, asked.ensemble) == (
        None,
        None,
        "",
        "",
        "",
    )
    assert asked.use_cache and not asked.hold and asked.metadata == {}


def test_every_option_arrives() -> None:
    asked = Asked.of(
        [{"role": "user", "content": "hello"}],
        preference="quality",
        deadline_s=5,
        candidate="a/1",
        voice="architect",
        ensemble="council",
        conversation="c",
        user="u",
        headers={"x-team": "blue"},
        hold=True,
        use_cache=False,
        metadata={"ticket": 7},
        tools=[WEATHER],
        tool_choice="required",
        answer_format=JsonSchema({"type": "object"}),
        sampling=Sampling(temperature=0.0),
        reasoning="high",
        files=["a.py", "b.py"],
    )
    assert asked == Asked(
        request=Request(
            (Message("user", "hello"),),
            (Tool("get_weather", "", {"type": "object"}),),
            ("a.py", "b.py"),
            Sampling(temperature=0.0),
            "required",
            JsonSchema({"type": "object"}),
            "high",
        ),
        hints=Hints("c", "u", {"x-team": "blue"}),
        preference="quality",
        deadline_s=5,
        candidate="a/1",
        voice="architect",
        ensemble="council",
        hold=True,
        use_cache=False,
        metadata={"ticket": 7},
    )


def test_a_ready_request_goes_as_it_is() -> None:
    request = Request.of("hello")
    assert Asked.of(request, deadline_s=1.0, user="u").request is request


def test_options_go_over_what_a_ready_request_says_and_leave_the_rest() -> None:
    request = Request(Request.of("hello").messages, (Tool("a"),), ("x.py",), Sampling(seed=1), "a", "json", "low")
    asked = Asked.of(request, sampling=Sampling(seed=2), tools=[], answer_format=None)
    assert asked.request == Request(request.messages, (), ("x.py",), Sampling(seed=2), "a", None, "low")
    assert request.sampling.seed == 1


@pytest.mark.parametrize(
    "preference", ["fast", "balanced", "quality", 0, 0.3, 5, None, ExchangeRates(success_per_second=1.0)]
)
def test_every_way_to_say_a_preference_is_taken(preference: Any) -> None:
    assert of(preference=preference).preference == preference


@pytest.mark.parametrize("deadline_s", [None, 0.001, 1, 1e9, 10**300])
def test_a_deadline_is_any_time_ahead(deadline_s: float | None) -> None:
    assert of(deadline_s=deadline_s).deadline_s == deadline_s


def test_every_option_is_described() -> None:
    assert Options.__doc__ is not None
    hinted = {"conversation", "user", "headers"}  # of `Hints`
    assert all(f"`{name}`" in Options.__doc__ for name in Options.__annotations__.keys() - hinted)


# What is refused


@pytest.mark.parametrize("name", ["model", "temperature", "Deadline_s", "deadline", "stream", "x y", "request_"])
def test_an_option_that_nobody_knows_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(RequestError, match=f"unknown option .{name}.; there are preference, deadline_s, "):
        of(**{name: 1})


@pytest.mark.parametrize("request_", [None, 5, b"hello", [], {"role": "user"}, [5], [{"role": 5}], object()])
def test_what_is_no_request_is_refused(request_: Any) -> None:
    with pytest.raises(RequestError):
        Asked.of(request_, deadline_s=1.0)


@pytest.mark.parametrize("deadline_s", [0, -1, -0.0, math.nan, math.inf, -math.inf])
def test_a_deadline_that_is_no_time_ahead_is_refused(deadline_s: float) -> None:
    with pytest.raises(RequestError, match="expected seconds above 0"):
        of(deadline_s=deadline_s)


@pytest.mark.parametrize(
    "preference",
    ["", "Fast", "cheap", -1, math.nan, math.inf, 10**400, True, [], {"success_per_second": 1}, object(), b"fast"],
)
def test_a_preference_that_nobody_knows_is_refused(preference: Any) -> None:
    with pytest.raises(RequestError, match="neither fast, balanced, quality nor a number"):
        of(preference=preference)


@pytest.mark.parametrize(
    "tools", [["weather"], [{}], [5], [None], [{"function": {"name": ""}}], [{"name": "a", "parameters": 5}], "abc"]
)
def test_a_tool_without_a_name_or_with_no_schema_is_refused(tools: Any) -> None:
    with pytest.raises(RequestError, match="tool"):
        of(tools=tools)


FAILS_OTHERWISE: dict[str, tuple[str, Any]] = {
    "a deadline in words": ("deadline_s", "5"),
    "a deadline in a list": ("deadline_s", [5]),
    "a deadline too large for a float": ("deadline_s", 10**400),
    "a complex deadline": ("deadline_s", 5j),
    "tools that are none": ("tools", None),
    "tools that are a number": ("tools", 5),
    "files that are none": ("files", None),
    "files that are a number": ("files", 5),
}

MISREAD: dict[str, tuple[str, Any]] = {
    "a deadline that is true, taken for a second": ("deadline_s", True),
    "hold in words, taken for yes": ("hold", "no"),
    "use_cache in words, taken for yes": ("use_cache", "false"),
    "files that are one text, taken for a file of each letter": ("files", "main.py"),
}

FAILS_LATER: dict[str, tuple[str, Any]] = {
    "a candidate that is a number": ("candidate", 5),
    "candidates in a list": ("candidate", ["a/1"]),
    "a voice that is a number": ("voice", 5),
    "voices in a list": ("voice", ["architect"]),
    "an ensemble that is a number": ("ensemble", 5),
    "a conversation in a list": ("conversation", ["c"]),
    "a user that is a mapping": ("user", {}),
    "headers that are none": ("headers", None),
    "headers in pairs": ("headers", [("a", "b")]),
    "headers that are text": ("headers", "a: b"),
    "metadata that is text": ("metadata", "ticket 7"),
    "a tool choice that is an object": ("tool_choice", {"type": "function"}),
    "an answer format that nobody knows": ("answer_format", "yaml"),
    "an answer format that is a bare schema": ("answer_format", {"type": "object"}),
    "sampling in a mapping": ("sampling", {"temperature": 0}),
    "sampling that is none": ("sampling", None),
    "reasoning that nobody knows": ("reasoning", "extreme"),
    "files that are numbers": ("files", [5]),
}


def check_refused(name: str, value: Any) -> None:
    with pytest.raises(RequestError, match=name):
        of(**{name: value})


@pytest.mark.parametrize(("name", "value"), FAILS_OTHERWISE.values(), ids=FAILS_OTHERWISE.keys())
def test_a_value_of_the_wrong_kind_is_refused_by_the_options_name(name: str, value: Any) -> None:
    check_refused(name, value)


@pytest.mark.parametrize(("name", "value"), MISREAD.values(), ids=MISREAD.keys())
def test_a_value_that_would_be_misread_is_refused(name: str, value: Any) -> None:
    check_refused(name, value)


@pytest.mark.parametrize(("name", "value"), FAILS_LATER.values(), ids=FAILS_LATER.keys())
def test_a_value_that_would_fail_later_is_refused_at_once(name: str, value: Any) -> None:
    check_refused(name, value)


plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=4)
anything = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(options=st.dictionaries(st.sampled_from([*Options.__annotations__, "unknown"]), anything, max_size=4))
def test_whatever_is_said_is_taken_or_refused_by_name(options: dict[str, Any]) -> None:
    with suppress(TurnoutError):
        Asked.of("hello", **options)
