"""From bodies of OpenAI's dialect to requests: every documented field is honoured, refused, or told as left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from openai.types import completion_create_params
from openai.types.chat import completion_create_params as chat_create_params
from openai.types.responses import response_create_params
from tests.gateway.world import PIXEL, WEATHER

from turnout.errors import RequestError
from turnout.gateway.openai.requests import chat_request, text_request
from turnout.gateway.openai.response_requests import response_request
from turnout.gateway.refusals import FieldError
from turnout.gateway.wanted import Wanted
from turnout.types import Image, JsonSchema, Request, ToolCall

Read = Callable[[Mapping[str, Any]], Wanted]

BASES: dict[Read, dict[str, Any]] = {
    chat_request: {"model": "auto", "messages": [{"role": "user", "content": "x"}]},
    text_request: {"model": "auto", "prompt": "x"},
    response_request: {"model": "auto", "input": "x"},
}
DOCUMENTED: list[tuple[Read, str]] = [
    (read, name)
    for read, documented in (
        (chat_request, chat_create_params.CompletionCreateParamsBase),
        (text_request, completion_create_params.CompletionCreateParamsBase),
        (response_request, response_create_params.ResponseCreateParamsBase),
    )
    for name in documented.__annotations__
    if name not in ("model", "messages", "prompt", "input") or (read is response_request and name == "prompt")
]
SCHEMA = {"type": "object", "properties": {}}
VALUES: dict[str, Any] = {
    "temperature": 0.5,
    "top_p": 0.5,
    "frequency_penalty": 0.5,
    "presence_penalty": 0.5,
    "max_tokens": 5,
    "max_completion_tokens": 5,
    "max_output_tokens": 5,
    "seed": 5,
    "stop": ["x"],
    "logprobs": True,
    "top_logprobs": 3,
    "n": 2,
    "best_of": 2,
    "echo": True,
    "background": True,
    "tools": [WEATHER],
    "tool_choice": "none",
    "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}},
    "text": {"format": {"type": "json_schema", "name": "x", "schema": SCHEMA}},
    "reasoning": {"effort": "low"},
    "reasoning_effort": "low",
    "logit_bias": {"5": 1},
    "modalities": ["text", "audio"],
    "functions": [WEATHER["function"]],
    "include": ["message.output_text.logprobs"],
    "instructions": "be brief",
    "stream_options": {"include_obfuscation": True},
    "truncation": "auto",
    "verbosity": "low",
    "user": "u",
}
MORE: dict[str, dict[str, Any]] = {"top_logprobs": {"logprobs": True}}
"""What a field needs beside it."""


def made(read: Read, **more: Any) -> Wanted:
    return read({**BASES[read], **more})


@pytest.mark.parametrize(("read", "name"), DOCUMENTED)
def test_every_documented_field_is_honoured_refused_or_told(read: Read, name: str) -> None:
    value = 3 if name == "logprobs" and read is text_request else VALUES.get(name, "some text")
    beside = MORE.get(name, {}) if read is chat_request else {}
    try:
        wanted = made(read, **beside, **{name: value})
    except FieldError as refused:
        assert refused.param.startswith("functions" if name == "function_call" else name)
        return
    plain = made(read, **beside)
    honoured = (wanted.request, wanted.user) != (plain.request, plain.user)
    assert honoured or any(name in warning for warning in wanted.warnings)


@pytest.mark.parametrize("read", BASES)
def test_a_field_that_nobody_knows_is_told(read: Read) -> None:
    assert made(read, surprise=1).warnings == ["surprise is unknown and left out"]
    assert made(read, surprise=None).warnings == []


@pytest.mark.parametrize("read", BASES)
@pytest.mark.parametrize(
    ("name", "value"),
    [("temperature", 9), ("temperature", "hot"), ("top_p", -1), ("stream", "yes"), ("model", 5), ("stream_options", 5)],
)
def test_a_value_out_of_bounds_is_refused_by_its_name(read: Read, name: str, value: Any) -> None:
    with pytest.raises(FieldError) as refused:
        made(read, **{name: value})
    assert refused.value.param == name


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"stream": True, "user": "ann"},
        {"temperature": 0.5, "max_completion_tokens": 7, "stop": ["x"], "seed": None},
        {"messages": [{"role": "user", "content": "x", "audio": None, "odd": 1}]},
    ],
)
def test_a_usual_request_is_read_as_one_in_which_everything_is_looked_for(said: dict[str, Any]) -> None:
    assert made(chat_request, **said) == made(chat_request, **said, tools=None)


@pytest.mark.parametrize("said", [{"stream": 1}, {"user": 1}, {"temperature": 9}, {"messages": []}, {"model": 1}])
def test_a_usual_request_of_no_use_is_refused_alike(said: dict[str, Any]) -> None:
    refused = []
    for more in ({}, {"tools": None}):
        with pytest.raises(FieldError) as caught:
            made(chat_request, **said, **more)
        refused.append(str(caught.value))
    assert refused[0] == refused[1]


def test_how_tokens_are_drawn_is_read_in_full() -> None:
    sampling = made(
        chat_request,
        temperature=0.1,
        top_p=0.2,
        top_k=3,
        min_p=0.4,
        seed=-5,
        stop="x",
        max_tokens=6,
        repeat_penalty=1.1,
    ).request.sampling
    assert (sampling.temperature, sampling.top_p, sampling.top_k, sampling.min_p) == (0.1, 0.2, 3, 0.4)
    assert (sampling.seed, sampling.stop, sampling.max_tokens, sampling.repeat_penalty) == (-5, ("x",), 6, 1.1)
    assert made(chat_request, max_tokens=6, max_completion_tokens=7).request.sampling.max_tokens == 7


@pytest.mark.parametrize(
    ("choice", "read"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ({"type": "function", "function": {"name": "get_weather"}}, "get_weather"),
        ({"type": "function", "name": "get_weather"}, "get_weather"),
    ],
)
def test_a_choice_of_tools_is_read(choice: Any, read: str) -> None:
    assert made(chat_request, tools=[WEATHER], tool_choice=choice).request.tool_choice == read


@pytest.mark.parametrize(
    "choice", ["any", {"type": "function", "function": {"name": "other"}}, {"type": "allowed_tools"}, ["auto"], 5]
)
def test_a_choice_that_cannot_be_made_is_refused(choice: Any) -> None:
    with pytest.raises(FieldError, match="tool_choice"):
        made(chat_request, tools=[WEATHER], tool_choice=choice)
    with pytest.raises(FieldError, match="tool_choice"):
        made(chat_request, tool_choice="required")


@pytest.mark.parametrize("tool", [{"type": "web_search"}, {"type": "custom", "custom": {"name": "x"}}, 5, {}])
def test_only_functions_are_tools(tool: Any) -> None:
    with pytest.raises(RequestError):
        made(chat_request, tools=[tool])


def test_a_strict_tool_is_told() -> None:
    strict = {"type": "function", "function": {**WEATHER["function"], "strict": True}}
    assert "strict of a tool" in made(chat_request, tools=[strict, strict]).warnings[0]
    assert len(made(chat_request, tools=[strict, strict]).warnings) == 1


@pytest.mark.parametrize(
    ("wanted", "read"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, "json"),
        (
            {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA, "strict": True}},
            JsonSchema(SCHEMA, "x"),
        ),
        ({"type": "json_schema", "json_schema": {"schema": SCHEMA}}, JsonSchema(SCHEMA)),
    ],
)
def test_a_form_of_answer_is_read(wanted: Any, read: Any) -> None:
    asked = made(chat_request, response_format=wanted)
    assert asked.request.answer_format == read and asked.warnings == []


@pytest.mark.parametrize(
    "wanted", [{"type": "xml"}, {"type": "json_schema"}, {"type": "json_schema", "json_schema": {"name": "x"}}, "json"]
)
def test_a_form_of_answer_of_no_use_is_refused(wanted: Any) -> None:
    with pytest.raises(FieldError, match="response_format"):
        made(chat_request, response_format=wanted)


def test_what_a_schema_says_beside_itself_is_told() -> None:
    told = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA, "description": "a fact"}}
    assert made(chat_request, response_format=told).warnings == [
        "response_format.json_schema.description is unknown and left out"
    ]


@pytest.mark.parametrize(("word", "read"), [("none", "off"), ("minimal", "low"), ("high", "high"), ("max", "high")])
def test_an_effort_is_read(word: str, read: str) -> None:
    assert made(chat_request, reasoning_effort=word).request.reasoning == read
    assert made(response_request, reasoning={"effort": word}).request.reasoning == read


@pytest.mark.parametrize("prompt", [None, [], ["a", "b"], [1, 2], [[1]], 5])
def test_a_prompt_is_one_text(prompt: Any) -> None:
    with pytest.raises(FieldError, match="prompt"):
        made(text_request, prompt=prompt)
    assert made(text_request, prompt=["x"]).request == Request.of("x")


def test_items_of_a_response_become_turns() -> None:
    items = [
        {"role": "developer", "content": "brief"},
        {"role": "user", "content": [{"type": "input_text", "text": "x"}]},
        {"type": "reasoning", "id": "r", "summary": []},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "calling"}]},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "function_call", "call_id": "c2", "name": "g", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "one"},
        {
            "type": "function_call_output",
            "call_id": "c2",
            "output": [{"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"}],
        },
    ]
    first, system, user, assistant, one, two = made(response_request, input=items, instructions="be").request.messages
    assert (first.role, system.role, user.content) == ("system", "system", "x")
    assert assistant.content == "calling" and assistant.tool_calls == (
        ToolCall("c1", "f", "{}"),
        ToolCall("c2", "g", "{}"),
    )
    assert (one.tool_call_id, one.content, two.tool_call_id) == ("c1", "one", "c2")
    assert two.images == (Image(f"data:image/png;base64,{PIXEL}"),)


@pytest.mark.parametrize("given", [None, [], 5, [5], [{"role": "robot", "content": "x"}], [{"type": "function_call"}]])
def test_an_input_of_no_use_is_refused(given: Any) -> None:
    with pytest.raises(FieldError, match="input"):
        made(response_request, input=given)
