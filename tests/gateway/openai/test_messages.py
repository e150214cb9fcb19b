"""Messages of OpenAI's dialect: nothing of them is lost on the way."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.world import PIXEL, WEATHER

from turnout.errors import RequestError
from turnout.gateway.openai.requests import chat_request
from turnout.gateway.refusals import FieldError
from turnout.gateway.wanted import Wanted
from turnout.types import Image, ToolCall

DATA = f"data:image/png;base64,{PIXEL}"
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(("type", "text", "image_url", "url", "role", "content")), inner, max_size=4)
    ),
    max_leaves=8,
)


def said(*messages: Any) -> Wanted:
    return chat_request({"model": "auto", "messages": list(messages), "tools": [WEATHER]})


def user(*parts: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


def test_a_conversation_is_passed_on_whole() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    wanted = said(
        {"role": "developer", "content": "brief"},
        {"role": "user", "content": "weather?", "name": "ann"},
        {"role": "assistant", "content": None, "tool_calls": [call], "refusal": None, "annotations": []},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "rain"}]},
    )
    system, asked, calling, result = wanted.request.messages
    assert (system.role, asked.name, calling.tool_calls) == ("system", "ann", (ToolCall("c1", "get_weather", "{}"),))
    assert (result.content, result.tool_call_id) == ("rain", "c1") and wanted.warnings == []


def test_a_refusal_of_an_earlier_turn_is_kept() -> None:
    whole = said({"role": "assistant", "content": None, "refusal": "I won't"}, {"role": "user", "content": "why?"})
    part = said({"role": "assistant", "content": [{"type": "refusal", "refusal": "I won't"}]})
    assert whole.request.messages[0].content == part.request.messages[0].content == "I won't"


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": DATA}},
        {"type": "image_url", "image_url": DATA},
        {"type": "input_image", "image_url": DATA, "detail": "auto"},
    ],
)
def test_a_picture_is_passed_on(part: Any) -> None:
    wanted = said(user({"type": "text", "text": "x"}, part))
    assert wanted.request.messages[0].images == (Image(DATA),) and wanted.warnings == []


def test_the_detail_of_pictures_is_told_once() -> None:
    part = {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "high"}}
    assert said(user(part, part)).warnings == ["detail of a picture is left out"]


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url"},
        {"type": "image_url", "image_url": {}},
        {"type": "image_url", "image_url": {"url": "file:///etc/passwd"}},
        {"type": "image_url", "image_url": {"url": "data:text/html;base64,eA=="}},
        {"type": "input_image", "file_id": "f"},
        {"type": "input_audio", "input_audio": {}},
        {"type": "file", "file": {}},
        {"type": "text"},
        {"type": "text", "text": 5},
        {"type": ["text"]},
        "text",
        None,
    ],
)
def test_a_part_that_cannot_be_passed_on_is_refused_by_its_place(part: Any) -> None:
    with pytest.raises(FieldError) as refused:
        said(user({"type": "text", "text": "x"}, part))
    assert refused.value.param.startswith("messages.0.content.1")


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ("x", "messages.0"),
        ({"content": "x"}, "messages.0.role"),
        ({"role": "robot", "content": "x"}, "messages.0.role"),
        ({"role": "user", "content": {"text": "x"}}, "messages.0.content"),
        ({"role": "assistant", "audio": {"id": "a"}}, "messages.0.audio"),
        ({"role": "assistant", "function_call": {"name": "f"}}, "messages.0.function_call"),
    ],
)
def test_a_message_of_no_use_is_refused_by_its_place(message: Any, field: str) -> None:
    with pytest.raises(FieldError) as refused:
        said(message)
    assert refused.value.param == field


def test_an_unknown_field_of_a_message_is_told_once() -> None:
    odd = {"role": "user", "content": "x", "mood": "good"}
    assert said(odd, odd).warnings == ["mood of a message is unknown and left out"]


@given(ANYTHING)
def test_no_message_is_too_odd(message: Any) -> None:
    for tried in (message, {"role": "user", "content": message}, user(message)):
        with contextlib.suppress(RequestError):
            said(tried)
