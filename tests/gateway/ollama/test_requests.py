"""From bodies of Ollama's dialect to requests: every documented field is honoured, refused, or told as left out."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ollama._types import ChatRequest, GenerateRequest, Options
from tests.gateway.world import PIXEL, WEATHER

from turnout.errors import RequestError
from turnout.gateway.ollama.requests import chat_request, generate_request
from turnout.gateway.refusals import FieldError
from turnout.gateway.wanted import Wanted
from turnout.types import Image, JsonSchema

SCHEMA = {"type": "object"}
VALUES: dict[str, Any] = {
    "options": {"seed": 5},
    "stop": ["x"],
    "format": SCHEMA,
    "think": True,
    "logprobs": True,
    "top_logprobs": 2,
    "tools": [WEATHER],
    "images": [PIXEL],
    "raw": True,
    "context": [1],
    "stream": False,
}


def chat(*messages: Any, **more: Any) -> Wanted:
    return chat_request(
        {"model": "auto", "messages": (messages and list(messages)) or [{"role": "user", "content": "x"}]} | more
    )


def generate(**more: Any) -> Wanted:
    return generate_request({"model": "auto", "prompt": "x", **more})


def is_heeded(make: Any, name: str, value: Any) -> bool:
    """Whether it is honoured, refused or told."""
    try:
        wanted = make(**{name: value})
    except FieldError as refused:
        return refused.param.startswith(name)
    plain = make()
    told = any(name in warning for warning in wanted.warnings)
    return told or (wanted.request, wanted.streams) != (plain.request, plain.streams)


@pytest.mark.parametrize(
    ("make", "name"),
    [(chat, name) for name in ChatRequest.model_fields if name not in ("model", "messages")]
    + [(generate, name) for name in GenerateRequest.model_fields if name not in ("model", "prompt")],
)
def test_every_documented_field_is_honoured_refused_or_told(make: Any, name: str) -> None:
    assert is_heeded(make, name, VALUES.get(name, "some text"))


@pytest.mark.parametrize("name", Options.model_fields)
def test_every_documented_option_is_honoured_refused_or_told(name: str) -> None:
    def make(**options: Any) -> Wanted:
        return chat(options=options)

    value = VALUES.get(name, 1)
    assert is_heeded(make, name, value) or is_heeded(make, f"options.{name}", value)


@pytest.mark.parametrize(
    "options", [{"temperature": "hot"}, {"seed": 0.5}, {"top_p": 2}, {"stop": [1]}, {"num_predict": -9}, [], "x"]
)
def test_an_option_of_no_use_is_refused_by_its_name(options: Any) -> None:
    with pytest.raises(FieldError) as refused:
        chat(options=options)
    assert refused.value.param.startswith("options")


@pytest.mark.parametrize(("given_", "read"), [(5, 5), (-1, None), (-2, None), (0, None)])
def test_a_bound_below_one_is_none(given_: int, read: int | None) -> None:
    assert chat(options={"num_predict": given_}).request.sampling.max_tokens == read


@pytest.mark.parametrize(
    ("word", "read"), [(True, "on"), (False, "off"), ("low", "low"), ("high", "high"), (None, None)]
)
def test_thinking_is_read(word: Any, read: Any) -> None:
    assert chat(think=word).request.reasoning == read


@pytest.mark.parametrize(("form", "read"), [("json", "json"), ("", None), (None, None), (SCHEMA, JsonSchema(SCHEMA))])
def test_a_form_of_answer_is_read(form: Any, read: Any) -> None:
    assert generate(format=form).request.answer_format == read


@pytest.mark.parametrize(
    ("content", "kind"),
    [(PIXEL, "png"), ("/9j/4AAQ", "jpeg"), ("R0lGODlh", "gif"), ("UklGRiQA", "webp")],
)
def test_a_picture_tells_its_kind_by_its_first_bytes(content: str, kind: str) -> None:
    picture = Image(f"data:image/{kind};base64,{content}")
    assert generate(images=[content]).request.messages[0].images == (picture,)
    assert chat({"role": "user", "content": "x", "images": [content]}).request.messages[0].images == (picture,)


def call(name: str, **more: Any) -> dict[str, Any]:
    return {"function": {"name": name, "arguments": {"at": 1}}, **more}


def test_results_of_tools_find_their_calls() -> None:
    asked = {"role": "assistant", "content": "", "tool_calls": [call("f"), call("g"), call("f")]}
    results = [
        {"role": "tool", "content": text, "tool_name": name} for text, name in (("2", "g"), ("1", "f"), ("3", "f"))
    ]
    _, calling, *answers = chat({"role": "user", "content": "x"}, asked, *results).request.messages
    first, second, third = (one.id for one in calling.tool_calls)
    assert len({first, second, third}) == 3
    assert [one.tool_call_id for one in answers] == [second, first, third]


def test_results_without_a_name_follow_in_order_and_ids_count_most() -> None:
    asked = {"role": "assistant", "content": "", "tool_calls": [call("f", id="a"), call("g", id="b")]}
    plain = [{"role": "tool", "content": "1"}, {"role": "tool", "content": "2"}]
    _, _, one, two = chat({"role": "user", "content": "x"}, asked, *plain).request.messages
    assert [(each.tool_call_id, each.name) for each in (one, two)] == [("a", "f"), ("b", "g")]
    _, _, named = chat({"role": "user", "content": "x"}, asked, plain[0] | {"tool_call_id": "b"}).request.messages
    assert (named.tool_call_id, named.name) == ("b", "g")


def test_a_result_that_nobody_asked_for_stays_as_it_is() -> None:
    (alone,) = chat({"role": "tool", "content": "1", "tool_name": "f"}).request.messages
    assert (alone.tool_call_id, alone.name) == ("", "f")


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ("x", "messages.0"),
        ({"role": "robot"}, "messages.0.role"),
        ({"role": "user", "content": ["x"]}, "messages.0.content"),
        ({"role": "user", "images": "x"}, "messages.0.images"),
        ({"role": "user", "images": [""]}, "messages.0.images"),
        ({"role": "assistant", "tool_calls": [{}]}, "messages.0.tool_calls.0.function.name"),
        ({"role": "assistant", "tool_calls": ["f"]}, "messages.0.tool_calls.0.function.name"),
    ],
)
def test_a_message_of_no_use_is_refused_by_its_place(message: Any, field: str) -> None:
    with pytest.raises(FieldError) as refused:
        chat(message)
    assert refused.value.param == field


def test_an_unknown_field_of_a_message_is_told_and_thoughts_are_nobody_elses() -> None:
    odd = {"role": "assistant", "content": "x", "mood": "good", "thinking": "hm"}
    assert chat(odd, odd).warnings == ["mood of a message is unknown and left out"]


@given(
    st.dictionaries(st.sampled_from(("role", "content", "images", "tool_calls", "options")), st.text() | st.integers())
)
def test_no_message_is_too_odd(message: Any) -> None:
    with contextlib.suppress(RequestError):
        chat(message)
