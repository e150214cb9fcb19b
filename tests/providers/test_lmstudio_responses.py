"""LM Studio's responses endpoint, taken for log-probabilities: bodies, warnings, and its events read into an answer."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.providers.documents import MISSING, paths, with_value

from turnout.config.providers import Timeouts
from turnout.errors import BadRequestError, ContextOverflowError, IncompleteError, InternalError, ProviderError
from turnout.providers.assembly import Assembly
from turnout.providers.base import parse
from turnout.providers.clock import CallClock
from turnout.providers.failures import failure, told_error
from turnout.providers.framing import Event
from turnout.providers.lmstudio_responses import Reader, body, can_express, read_whole
from turnout.providers.protocol import Call
from turnout.types import (
    Answer,
    Chunk,
    Image,
    JsonSchema,
    Message,
    Request,
    Sampling,
    TokenLogprob,
    Tool,
    ToolCall,
    Usage,
)

PNG = Image("data:image/png;base64,iVBORw0KGgo=")
HELLO = Message("user", "hello")


def ask(*messages: Message, **rest: Any) -> Request:
    return Request(messages or (HELLO,), **{"sampling": Sampling(logprobs=True), **rest})


def made(request: Request, *, stream: bool = False) -> tuple[dict[str, Any], list[str]]:
    """The body, which has to be JSON, and its warnings."""
    document, warnings = body(Call("m", request, CallClock(Timeouts())), stream=stream)
    return json.loads(json.dumps(document)), warnings


# Requests


def test_conversations_and_pictures_can_be_expressed() -> None:
    assert can_express(ask())
    assert can_express(ask(Message("system", "x"), HELLO, Message("assistant", "y"), Message("user", "z", (PNG,))))


@pytest.mark.parametrize(
    "request_",
    [
        ask(tools=(Tool("now"),)),
        ask(answer_format="json"),
        ask(answer_format=JsonSchema({})),
        ask(Message("assistant", "", tool_calls=(ToolCall("1", "now", "{}"),)), HELLO),
        ask(Message("tool", "12:00"), HELLO),
    ],
)
def test_tools_and_schemas_cannot_be_expressed(request_: Request) -> None:
    assert not can_express(request_)


@pytest.mark.parametrize(("asked", "sent"), [(0, 1), (1, 1), (20, 20)])
def test_log_probabilities_are_asked_for_with_at_least_one_alternative(asked: int, sent: int) -> None:
    document, warnings = made(ask(sampling=Sampling(logprobs=True, top_logprobs=asked)), stream=True)
    assert document == {
        "model": "m",
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "hello"}]}],
        "store": False,
        "stream": True,
        "include": ["message.output_text.logprobs"],
        "top_logprobs": sent,
    }
    assert warnings == []


def test_turns_are_input_or_output_by_their_role() -> None:
    document, _ = made(ask(Message("system", "a"), Message("assistant", "b"), Message("user", "c", (PNG,))))
    assert document["input"] == [
        {"role": "system", "content": [{"type": "input_text", "text": "a"}]},
        {"role": "assistant", "content": [{"type": "output_text", "text": "b"}]},
        {
            "role": "user",
            "content": [{"type": "input_text", "text": "c"}, {"type": "input_image", "image_url": PNG.url}],
        },
    ]


def test_the_sampling_it_knows_is_sent_and_the_rest_is_warned_of() -> None:
    known = Sampling(logprobs=True, temperature=0.0, top_p=0.9, max_tokens=12)
    document, warnings = made(ask(sampling=known))
    assert document.items() >= {"temperature": 0.0, "top_p": 0.9, "max_output_tokens": 12}.items()
    assert warnings == []
    others = ("top_k", "min_p", "presence_penalty", "frequency_penalty", "repeat_penalty", "seed")
    document, warnings = made(ask(sampling=Sampling(logprobs=True, stop=("x",), **dict.fromkeys(others, 0))))
    assert not document.keys() & {*others, "stop"}
    assert [warning.split()[0] for warning in warnings] == [*others, "stop"]


def test_every_field_of_the_sampling_is_sent_or_warned_of() -> None:
    for field in fields(Sampling):
        value = {"stop": ("x",), "logprobs": True, "top_logprobs": 5}.get(field.name, 1)
        document, warnings = made(ask(sampling=replace(Sampling(logprobs=True), **{field.name: value})))
        assert field.name == "logprobs" or document != made(ask())[0] or warnings, f"{field.name} is lost"


@pytest.mark.parametrize("effort", ["low", "medium", "high"])
def test_reasoning_is_an_effort(effort: Any) -> None:
    assert made(ask(reasoning=effort))[0]["reasoning"] == {"effort": effort}


@pytest.mark.parametrize("switch", ["on", "off"])
def test_reasoning_that_cannot_be_switched_here_is_warned_of(switch: Any) -> None:
    document, warnings = made(ask(reasoning=switch))
    assert "reasoning" in document or warnings


@pytest.mark.parametrize("url", ["https://example.org/a.png", "", "data:image/svg+xml,<svg/>"])
def test_a_picture_that_is_not_base64_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(BadRequestError, match="base64"):
        made(ask(Message("user", "x", (Image(url),))))


# Events


ENTRY = {"token": "Hi", "logprob": -0.1, "bytes": [72, 105], "top_logprobs": [{"token": "Ho", "logprob": -2.0}]}
RESULT: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "status": "completed",
    "error": None,
    "incomplete_details": None,
    "model": "qwen/qwen3-4b",
    "output": [
        {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "hm"}]},
        {"type": "message", "content": [{"type": "output_text", "text": "Hi", "logprobs": [ENTRY], "annotations": []}]},
    ],
    "usage": {
        "input_tokens": 9,
        "output_tokens": 2,
        "total_tokens": 11,
        "output_tokens_details": {"reasoning_tokens": 1},
    },
}
EVENTS: list[dict[str, Any]] = [
    {"type": "response.created", "response": {"model": "qwen/qwen3-4b", "status": "in_progress", "error": None}},
    {"type": "response.in_progress", "response": {"model": "qwen/qwen3-4b", "status": "in_progress", "error": None}},
    {"type": "response.output_item.added", "item": {"type": "reasoning"}},
    {"type": "response.reasoning_text.delta", "delta": "hm"},
    {"type": "response.content_part.added", "part": {"type": "output_text", "text": ""}},
    {"type": "response.output_text.delta", "delta": "H", "logprobs": []},
    {"type": "response.output_text.delta", "delta": "i"},
    {"type": "response.output_text.done", "text": "Hi"},
    {"type": "response.completed", "response": RESULT},
]
ANSWER = Answer(
    "here/m",
    "qwen/qwen3-4b",
    "Hi",
    "hm",
    usage=Usage(9, 2, 1),
    logprobs=(TokenLogprob("Hi", -0.1, (("Ho", -2.0),)),),
)


def event(document: Any, name: str = "") -> Event:
    return Event(name, json.dumps(document).encode())


def answered(*documents: Any) -> Answer:
    """The answer of these events, read as the adapter does."""
    assembly = Assembly("here/m")
    reader = Reader(assembly)
    for document in documents:
        assembly.add(reader.read(event(document)))
    assembly.close()
    reader.prove()
    return assembly.answer()


def whole(document: Any) -> Answer:
    """The answer of a body, read as the adapter does."""
    assembly = Assembly("here/m")
    parsed = parse(json.dumps(document).encode())
    if (told := told_error(parsed)) is not None:
        raise failure(200, told)
    read_whole(parsed, assembly)
    return assembly.answer()


def test_a_stream_is_read_and_its_log_probabilities_come_with_the_end() -> None:
    assert answered(*EVENTS) == ANSWER


def test_a_whole_response_is_read() -> None:
    assert whole(RESULT) == ANSWER


def test_a_bare_done_after_the_end_does_no_harm() -> None:
    assert Reader(Assembly("here/m")).read(Event("", b"[DONE]")) == Chunk()


def test_a_response_that_met_its_bound_is_told_by_its_length() -> None:
    result = {**RESULT, "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    assert whole(result).finish == "length"
    assert answered(*EVENTS[:-1], {"type": "response.incomplete", "response": result}).finish == "length"


@pytest.mark.parametrize(
    "documents", [EVENTS[:-1], [], [{"type": "response.completed", "response": {"status": "failed"}}]]
)
def test_a_stream_without_its_end_is_incomplete(documents: list[Any]) -> None:
    with pytest.raises(IncompleteError):
        answered(*documents)


@pytest.mark.parametrize("status", ["in_progress", "cancelled", "incomplete", None, 5])
def test_a_response_that_does_not_say_that_it_is_complete_is_incomplete(status: Any) -> None:
    with pytest.raises(IncompleteError):
        whole({**RESULT, "status": status})


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ({"type": "error", "error": {"message": "oops"}}, InternalError),
        ({"type": "error", "message": "oops", "code": "server_error"}, InternalError),
        ({"error": "Context size has been exceeded."}, ContextOverflowError),
        (
            {"type": "response.failed", "response": {"error": {"code": "context_length_exceeded", "message": "x"}}},
            ContextOverflowError,
        ),
        ({"type": "response.failed", "response": {"status": "failed"}}, InternalError),
        ({"type": "response.failed"}, InternalError),
    ],
)
def test_an_error_ends_it(document: Any, kind: type[ProviderError]) -> None:
    with pytest.raises(kind):
        answered(*EVENTS[:4], document, *EVENTS[4:])


def test_an_event_of_an_unknown_kind_adds_nothing() -> None:
    reader = Reader(Assembly("here/m"))
    for document in ({}, {"type": "response.output_text.delta", "delta": 5}, {"type": 5}, {"type": "x", "delta": "y"}):
        assert reader.read(event(document)) == Chunk()


def test_parts_of_an_unknown_kind_are_left_out() -> None:
    output = [{"content": [{"type": "refusal", "refusal": "no"}, {"type": "output_text", "text": 5}, None]}, None, {}]
    assert whole({**RESULT, "output": output}).text == ""


# Anything in place of anything


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -(10**400), 2**64])
    | st.floats()
    | st.sampled_from(["", "response.completed", "error", "completed", "\ud800", "<think>"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "content", "error", "output", "text", "logprobs"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


@given(st.data())
def test_anything_in_place_of_any_field_gives_an_answer_or_a_provider_error(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(list(paths(EVENTS))))
    documents = with_value(EVENTS, path, data.draw(VALUES | st.just(MISSING)))
    result = with_value(RESULT, data.draw(st.sampled_from(list(paths(RESULT)))), data.draw(VALUES | st.just(MISSING)))
    for read in (lambda: answered(*documents), lambda: whole(result)):
        try:
            assert isinstance(read(), Answer)
        except ProviderError as error:
            assert error.message


@given(st.lists(VALUES, max_size=4))
def test_any_json_in_place_of_the_events_gives_an_answer_or_a_provider_error(documents: list[Any]) -> None:
    try:
        assert isinstance(answered(*documents), Answer)
    except ProviderError as error:
        assert error.message
