"""A request as callers write it: prompts, chat messages, content parts, and everything that is none of these."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.errors import RequestError, TurnoutError
from turnout.types import (
    COMPLEXITIES,
    PREFERENCES,
    TASK_TYPES,
    TIERS,
    Chunk,
    Image,
    Message,
    Progress,
    Request,
    TokenLogprob,
    Tool,
    ToolCall,
    ToolCallDelta,
)

ANY_TEXT = st.text(st.characters())
"""All of Unicode, lone surrogates too."""

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)
PARTS = st.lists(
    st.one_of(
        st.fixed_dictionaries({"type": st.just("text"), "text": ANY_TEXT}),
        st.fixed_dictionaries({"type": st.sampled_from(["image_url", "input_image", "image"])}),
    ),
    max_size=5,
)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "user", "assistant", "tool"]), "content": ANY_TEXT | st.none() | PARTS}
    ),
    min_size=1,
    max_size=6,
)


# What is taken


def test_a_prompt_becomes_one_user_message() -> None:
    assert Request.of("sort this") == Request((Message("user", "sort this"),))


def test_a_ready_request_is_returned_as_it_is() -> None:
    request = Request((Message("user", "hello"),), tools=(Tool("read"), Tool("write")), files=("a.py",))
    assert Request.of(request) is request


def test_chat_messages_keep_their_order_and_roles() -> None:
    request = Request.of([{"role": "system", "content": "be brief"}, {"role": "user", "content": "hello"}])
    assert request.messages == (Message("system", "be brief"), Message("user", "hello"))


def test_ready_messages_may_stand_among_mappings() -> None:
    request = Request.of([Message("system", "be brief"), {"content": "hello"}])  # type: ignore[list-item]
    assert [message.role for message in request.messages] == ["system", "user"]


def test_a_tuple_of_messages_is_as_good_as_a_list() -> None:
    assert Request.of(({"role": "user", "content": "hello"},)) == Request.of([{"role": "user", "content": "hello"}])


def test_a_message_without_a_role_is_the_users() -> None:
    assert Request.of([{"content": "hello"}]).messages[0].role == "user"


@pytest.mark.parametrize("message", [{"role": "assistant", "content": None}, {"role": "assistant", "tool_calls": []}])
def test_a_message_without_content_counts_as_empty_text(message: dict[str, Any]) -> None:
    assert Request.of([message]).messages == (Message("assistant", ""),)


def test_text_parts_are_joined_line_by_line() -> None:
    parts = [{"type": "text", "text": "look"}, {"type": "text", "text": "at this"}]
    assert Request.of([{"role": "user", "content": parts}]).prompt == "look\nat this"


@pytest.mark.parametrize("kind", ["image_url", "input_image", "image"])
def test_pictures_are_counted_and_their_bytes_left_behind(kind: str) -> None:
    parts = [{"type": "text", "text": "what is this"}, {"type": kind, "image_url": {"url": "data:image/png;base64,AA"}}]
    message = Request.of([{"role": "user", "content": parts}]).messages[0]
    assert (message.content, len(message.images)) == ("what is this", 1)


def test_parts_of_an_unknown_kind_are_neither_text_nor_pictures() -> None:
    content = [{"type": "input_audio", "data": "AA"}, {}, {"type": "text", "text": None}, {"type": None}]
    assert Request.of([{"role": "user", "content": content}]).messages == (Message("user", ""),)


def test_no_parts_at_all_are_empty_text() -> None:
    assert Request.of([{"role": "user", "content": []}]).prompt == ""


# What is judged


def test_the_prompt_is_what_the_user_said_last() -> None:
    roles = ["system", "user", "assistant", "user", "assistant", "tool"]
    request = Request.of([{"role": role, "content": f"{role} {turn}"} for turn, role in enumerate(roles)])
    assert request.prompt == "user 3"


def test_the_prompt_is_the_last_message_where_no_user_spoke() -> None:
    assert Request.of([{"role": "system", "content": "a"}, {"role": "assistant", "content": "b"}]).prompt == "b"


def test_a_request_without_messages_has_an_empty_prompt() -> None:
    assert Request(()).prompt == ""


# What is refused


@pytest.mark.parametrize(
    "value",
    [b"bytes", bytearray(b"x"), {"role": "user", "content": "x"}, {}, None, 7, 1.5, True, object(), {"a", "b"}, str],
    ids=lambda value: type(value).__name__,
)
def test_what_is_neither_prompt_nor_messages_is_refused_with_its_type(value: Any) -> None:
    with pytest.raises(RequestError, match=f"not {type(value).__name__}$"):
        Request.of(value)


def test_a_generator_of_messages_is_refused_because_it_could_be_read_only_once() -> None:
    with pytest.raises(RequestError, match="generator"):
        Request.of({"content": text} for text in ["a"])  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [[], ()])
def test_an_empty_list_of_messages_is_refused_by_name(value: Any) -> None:
    with pytest.raises(RequestError, match="list of messages is empty"):
        Request.of(value)


@pytest.mark.parametrize("entry", ["text", None, 3, b"x", ["role", "user"], ("role", "user")])
def test_a_message_that_is_no_mapping_is_refused_with_its_position(entry: Any) -> None:
    with pytest.raises(RequestError, match=f"message 1 is {type(entry).__name__}"):
        Request.of([{"role": "user", "content": "fine"}, entry])


@pytest.mark.parametrize("role", [None, 1, b"user", ["user"]])
def test_a_role_that_is_no_text_is_refused(role: Any) -> None:
    with pytest.raises(RequestError, match=r"message 0 has a role of type"):
        Request.of([{"role": role, "content": "x"}])


@pytest.mark.parametrize("content", [b"x", 3, {"text": "x"}, True, 0.0])
def test_content_that_is_neither_text_nor_parts_is_refused(content: Any) -> None:
    with pytest.raises(RequestError, match=r"message 0 has content of type"):
        Request.of([{"role": "user", "content": content}])


@pytest.mark.parametrize("part", ["text", None, 3, ["text"]])
def test_a_content_part_that_is_no_mapping_is_refused(part: Any) -> None:
    with pytest.raises(RequestError, match=r"message 0 has a content part of type"):
        Request.of([{"role": "user", "content": [part]}])


# Pictures


PIXEL = "data:image/png;base64,iVBORw0KGgo="


@pytest.mark.parametrize(
    ("part", "url"),
    [
        ({"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}}, PIXEL),
        ({"type": "image_url", "image_url": PIXEL}, PIXEL),
        ({"type": "input_image", "image_url": "https://example.org/a.png"}, "https://example.org/a.png"),
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
            PIXEL,
        ),
        ({"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}, "https://example.org/a.png"),
        ({"type": "image_url", "image_url": None}, ""),
        ({"type": "image_url", "image_url": {"url": 5}}, ""),
        ({"type": "image_url", "image_url": ["x"]}, ""),
        ({"type": "image"}, ""),
    ],
)
def test_a_picture_keeps_its_address_in_whatever_shape_it_comes(part: dict[str, Any], url: str) -> None:
    assert Request.of([{"role": "user", "content": [part]}]).messages[0].images == (Image(url),)


@pytest.mark.parametrize(
    "source",
    [{}, {"type": "file", "file_id": "f1"}, {"type": "base64", "data": "AA"}, {"media_type": "image/png"}],
    ids=["nothing", "a file elsewhere", "no type", "no content"],
)
def test_a_picture_whose_source_holds_no_picture_has_no_address(source: dict[str, Any]) -> None:
    message = Request.of([{"role": "user", "content": [{"type": "image", "source": source}]}]).messages[0]
    assert "None" not in message.images[0].url


@pytest.mark.parametrize(
    ("url", "media_type", "content"),
    [
        (PIXEL, "image/png", "iVBORw0KGgo="),
        ("data:image/jpeg;name=a.jpg;base64,AA==", "image/jpeg", "AA=="),
        ("data:image/png;base64,", "image/png", ""),
        ("data:image/svg+xml;utf8,<svg/>", "image/svg+xml", None),
        ("https://example.org/a.png", None, None),
        ("https://example.org/;base64,AA", None, None),
        ("", None, None),
    ],
)
def test_a_picture_tells_its_type_and_its_content_where_they_are_inside(
    url: str, media_type: str | None, content: str | None
) -> None:
    assert (Image(url).media_type, Image(url).base64) == (media_type, content)


@pytest.mark.parametrize("url", ["data:image/svg+xml,<svg/>", "data:image/svg+xml,<style>a;b</style>"])
def test_the_type_of_a_picture_ends_where_its_content_begins(url: str) -> None:
    assert Image(url).media_type == "image/svg+xml"


@given(ANY_TEXT)
def test_any_address_of_a_picture_can_be_asked_for_its_parts(url: str) -> None:
    for image in (Image(url), Image(f"data:{url}")):
        assert image.media_type is None or isinstance(image.media_type, str)
        assert image.base64 is None or image.url.endswith(image.base64)


# Tools and their calls


READ = {"name": "read", "description": "reads a file", "parameters": {"type": "object", "properties": {"path": {}}}}


@pytest.mark.parametrize("value", [{"type": "function", "function": READ}, READ])
def test_a_tool_is_taken_with_and_without_its_wrapper(value: dict[str, Any]) -> None:
    assert Tool.of(value) == Tool("read", "reads a file", READ["parameters"])


def test_a_ready_tool_is_returned_as_it_is() -> None:
    tool = Tool("now")
    assert Tool.of(tool) is tool


@pytest.mark.parametrize("rest", [{}, {"description": None, "parameters": None}, {"description": "", "parameters": {}}])
def test_a_tool_without_parameters_takes_none(rest: dict[str, Any]) -> None:
    assert Tool.of({"name": "now", **rest}) == Tool("now", "", {"type": "object", "properties": {}})


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"name": ""},
        {"name": None},
        {"name": 5},
        {"function": None},
        {"function": "read"},
        {"function": {}},
        None,
        "read",
    ],
)
def test_a_tool_without_a_name_is_refused(value: Any) -> None:
    with pytest.raises(RequestError, match="a tool needs a name"):
        Tool.of(value)


@pytest.mark.parametrize("parameters", ["string", [1], 5, True])
def test_parameters_that_are_no_schema_are_refused_with_the_name_of_their_tool(parameters: Any) -> None:
    with pytest.raises(RequestError, match="parameters of tool read"):
        Tool.of({"name": "read", "parameters": parameters})


@given(JUNK)
def test_anything_is_a_tool_or_a_named_error(value: Any) -> None:
    for given_value in (value, {"function": value}, {"name": value}, {"name": "x", "parameters": value}):
        try:
            tool = Tool.of(given_value)
        except RequestError as error:
            assert str(error)
        else:
            assert tool.name and isinstance(tool.description, str)


def test_calls_of_tools_and_their_results_are_kept() -> None:
    request = Request.of(
        [
            {"role": "user", "content": "look"},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "read", "arguments": '{"path": "a"}'}},
                    {"id": None, "function": {"name": "now"}},
                    {"function": {"name": "sum", "arguments": {"of": [1, 2]}}},
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "content of a"},
            {"role": "tool", "tool_call_id": None, "name": "now", "content": [{"type": "text", "text": "12:00"}]},
        ]
    )
    assert request.messages[1:] == (
        Message(
            "assistant",
            "",
            tool_calls=(
                ToolCall("c1", "read", '{"path": "a"}'),
                ToolCall("", "now", "{}"),
                ToolCall("", "sum", '{"of": [1, 2]}'),
            ),
        ),
        Message("tool", "content of a", tool_call_id="c1"),
        Message("tool", "12:00", name="now"),
    )
    assert request.prompt == "look"


def test_arguments_are_kept_as_they_came_though_they_are_no_json() -> None:
    call = {"function": {"name": "read", "arguments": '{"path": '}}
    assert Request.of([{"role": "assistant", "tool_calls": [call]}]).messages[0].tool_calls[0].arguments == '{"path": '


@pytest.mark.parametrize("calls", ["read", b"read", {"id": "c1"}, 5, True])
def test_calls_that_are_no_list_are_refused(calls: Any) -> None:
    with pytest.raises(RequestError, match=r"message 0 has tool_calls of type"):
        Request.of([{"role": "assistant", "tool_calls": calls}])


@pytest.mark.parametrize(
    "call", [None, "read", {}, {"function": None}, {"function": "read"}, {"function": {}}, {"function": {"name": 5}}]
)
def test_a_call_without_the_name_of_its_tool_is_refused(call: Any) -> None:
    with pytest.raises(RequestError, match="message 0 has a tool call without a function name"):
        Request.of([{"role": "assistant", "tool_calls": [call]}])


@pytest.mark.parametrize(
    "arguments", [{1, 2}, b"{}", object(), {"a": b"x"}], ids=["a set", "bytes", "an object", "inside"]
)
def test_arguments_that_cannot_be_json_are_refused(arguments: Any) -> None:
    with pytest.raises(RequestError):
        Request.of([{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": arguments}}]}])


@given(st.lists(st.fixed_dictionaries({}, optional={"id": JUNK, "function": JUNK, "name": JUNK}), max_size=3))
def test_any_calls_are_kept_or_a_named_error(calls: list[Any]) -> None:
    try:
        request = Request.of([{"role": "assistant", "tool_calls": calls}])
    except RequestError as error:
        assert str(error)
    else:
        assert len(request.messages[0].tool_calls) == len(calls)


# Pieces of an answer


@pytest.mark.parametrize(
    ("chunk", "has_content"),
    [
        (Chunk(), False),
        (Chunk("a"), True),
        (Chunk(reasoning="a"), True),
        (Chunk(tool_calls=(ToolCallDelta(0),)), True),
        (Chunk(logprobs=(TokenLogprob("a", -1.0),)), False),
        (Chunk(progress=Progress("load", 0.5)), False),
    ],
)
def test_content_is_what_a_language_model_wrote(chunk: Chunk, has_content: bool) -> None:
    assert chunk.has_content is has_content


# What holds for everything


@given(ANY_TEXT)
def test_any_text_is_a_request_and_its_own_prompt(text: str) -> None:
    assert Request.of(text).prompt == text


@given(MESSAGES)
def test_any_well_formed_messages_are_a_request_of_as_many(messages: list[dict[str, Any]]) -> None:
    request = Request.of(messages)
    assert len(request.messages) == len(messages)
    assert Request.of(request.messages) == request  # type: ignore[arg-type]
    assert hash(request) == hash(Request.of(messages))


@given(MESSAGES)
def test_the_prompt_is_always_one_of_the_messages(messages: list[dict[str, Any]]) -> None:
    request = Request.of(messages)
    assert request.prompt in {message.content for message in request.messages}


@given(JUNK)
def test_anything_else_is_either_a_request_or_a_named_error(value: Any) -> None:
    try:
        request = Request.of(value)
    except TurnoutError as error:
        assert isinstance(error, RequestError) and str(error)
    else:
        assert request.messages and isinstance(request.prompt, str)


# The closed lists of words


@pytest.mark.parametrize("words", [TASK_TYPES, COMPLEXITIES, TIERS, PREFERENCES])
def test_the_labels_are_distinct_lower_case_words(words: tuple[str, ...]) -> None:
    assert len(set(words)) == len(words) > 1
    assert all(word.islower() and word.isidentifier() for word in words)
