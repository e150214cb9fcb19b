"""LM Studio's own chat: which requests it can express, and its named events read into an answer."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.providers.documents import MISSING, paths, with_value

from turnout.config.providers import Timeouts
from turnout.errors import (
    BadRequestError,
    ContextOverflowError,
    IncompleteError,
    InternalError,
    NotFoundError,
    ProviderError,
)
from turnout.providers.assembly import Assembly
from turnout.providers.base import parse
from turnout.providers.clock import CallClock
from turnout.providers.failures import failure, told_error
from turnout.providers.framing import Event
from turnout.providers.lmstudio_native import Reader, body, can_express, read_whole
from turnout.providers.protocol import Call
from turnout.types import (
    Answer,
    Chunk,
    Image,
    JsonSchema,
    Message,
    Progress,
    Request,
    Sampling,
    Timings,
    Tool,
    ToolCall,
    Usage,
)

PNG = Image("data:image/png;base64,iVBORw0KGgo=")
HELLO = Message("user", "hello")


def ask(*messages: Message, **rest: Any) -> Request:
    return Request(messages or (HELLO,), **rest)


def body_of(request: Request, *, stream: bool = False, **rest: Any) -> dict[str, Any]:
    """The body, which has to be JSON and come without a warning."""
    document, warnings = body(Call("m", request, CallClock(Timeouts()), **rest), stream=stream)
    assert warnings == []
    return dict(json.loads(json.dumps(document)))


# Requests


@pytest.mark.parametrize(
    "request_",
    [
        ask(),
        ask(Message("system", "be brief"), Message("developer", "be kind"), HELLO),
        ask(Message("user", "what is this", (PNG,))),
        ask(reasoning="high"),
        ask(sampling=Sampling(temperature=0, top_p=0.9, top_k=1, min_p=0.1, repeat_penalty=1.1, max_tokens=5)),
    ],
)
def test_instructions_and_one_question_can_be_expressed(request_: Request) -> None:
    assert can_express(request_)


@pytest.mark.parametrize(
    "request_",
    [
        ask(HELLO, Message("assistant", "hi"), HELLO),
        ask(HELLO, HELLO),
        ask(HELLO, Message("system", "be brief")),
        ask(HELLO, Message("assistant", "prefill")),
        ask(Message("assistant", "", tool_calls=(ToolCall("1", "now", "{}"),)), Message("tool", "12:00")),
        ask(tools=(Tool("now"),)),
        ask(answer_format="json"),
        ask(answer_format=JsonSchema({})),
    ],
)
def test_conversations_tools_and_schemas_cannot_be_expressed(request_: Request) -> None:
    assert not can_express(request_)


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(seed=7),
        Sampling(seed=0),
        Sampling(stop=("\n",)),
        Sampling(logprobs=True),
        Sampling(presence_penalty=0.5),
        Sampling(frequency_penalty=-0.5),
    ],
)
def test_sampling_that_this_endpoint_does_not_know_cannot_be_expressed(sampling: Sampling) -> None:
    assert not can_express(ask(sampling=sampling))


def test_a_request_without_messages_cannot_be_expressed() -> None:
    assert not can_express(Request(()))


def test_every_field_of_the_sampling_is_sent_or_not_expressible() -> None:
    for field in fields(Sampling):
        value = {"stop": ("x",), "logprobs": True}.get(field.name, 1)
        request = ask(sampling=Sampling(**{field.name: value}))
        if field.name != "top_logprobs" and can_express(request):
            assert len(body_of(request)) > len(body_of(ask())), f"{field.name} is lost"


@pytest.mark.parametrize("stream", [False, True])
def test_a_plain_question_is_not_stored(stream: bool) -> None:
    assert body_of(ask(), stream=stream) == {"model": "m", "store": False, "stream": stream, "input": "hello"}


def test_everything_else_has_a_field_of_its_own() -> None:
    request = ask(
        Message("system", "be brief"),
        Message("system", "be kind"),
        HELLO,
        sampling=Sampling(temperature=0.0, top_p=0.9, top_k=0, min_p=0.1, repeat_penalty=1.1, max_tokens=12),
        reasoning="off",
    )
    expected = {"system_prompt": "be brief\n\nbe kind", "reasoning": "off", "context_length": 8192}
    expected |= {"temperature": 0.0, "top_p": 0.9, "top_k": 0, "min_p": 0.1, "repeat_penalty": 1.1}
    assert body_of(request, context_length=8192).items() >= {**expected, "max_output_tokens": 12}.items()


def test_pictures_follow_the_text() -> None:
    assert body_of(ask(Message("user", "what is this", (PNG,))))["input"] == [
        {"type": "text", "content": "what is this"},
        {"type": "image", "data_url": PNG.url},
    ]


@pytest.mark.parametrize("url", ["https://example.org/a.png", "", "data:image/svg+xml,<svg/>"])
def test_a_picture_that_is_not_base64_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(BadRequestError, match="base64"):
        body_of(ask(Message("user", "x", (PNG, Image(url)))))


# Events


RESULT: dict[str, Any] = {
    "model_instance_id": "qwen/qwen3-4b:2",
    "output": [
        {"type": "reasoning", "content": "hm"},
        {"type": "message", "content": "Hi"},
        {"type": "tool_call", "tool": "x", "arguments": {}, "output": "y"},
        {"type": "invalid_tool_call", "reason": "z"},
    ],
    "stats": {
        "input_tokens": 9,
        "total_output_tokens": 100,
        "reasoning_output_tokens": 40,
        "tokens_per_second": 50.0,
        "time_to_first_token_seconds": 0.3,
        "model_load_time_seconds": 2.5,
    },
    "response_id": "resp_1",
}
EVENTS: list[dict[str, Any]] = [
    {"type": "chat.start", "model_instance_id": "qwen/qwen3-4b:2"},
    {"type": "model_load.start", "model_instance_id": "qwen/qwen3-4b:2"},
    {"type": "model_load.progress", "progress": 0.5},
    {"type": "model_load.end", "load_time_seconds": 2.5},
    {"type": "prompt_processing.start"},
    {"type": "prompt_processing.progress", "progress": 1},
    {"type": "prompt_processing.end"},
    {"type": "reasoning.start"},
    {"type": "reasoning.delta", "content": "hm"},
    {"type": "reasoning.end"},
    {"type": "message.start"},
    {"type": "message.delta", "content": "H"},
    {"type": "message.delta", "content": "i"},
    {"type": "message.end"},
    {"type": "chat.end", "result": RESULT},
]
ANSWER = Answer(
    "here/m",
    "qwen/qwen3-4b:2",
    "Hi",
    "hm",
    usage=Usage(9, 100, 40),
    timings=Timings(load_s=2.5, decode_s=2.0),
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


def test_a_stream_is_read() -> None:
    assert answered(*EVENTS) == ANSWER


def test_a_whole_answer_is_read() -> None:
    assert whole(RESULT) == ANSWER


def test_the_events_may_be_named_by_their_line_alone() -> None:
    assembly = Assembly("here/m")
    reader = Reader(assembly)
    chunk = reader.read(event({"content": "Hi"}, "message.delta"))
    reader.read(event({"result": RESULT}, "chat.end"))
    reader.prove()
    assert chunk == Chunk("Hi")


def test_progress_tells_its_phase_and_share() -> None:
    reader = Reader(Assembly("here/m"))
    told = [reader.read(event(document)).progress for document in EVENTS]
    assert told[1:7] == [
        Progress("load"),
        Progress("load", 0.5),
        Progress("load"),
        Progress("prefill"),
        Progress("prefill", 1.0),
        Progress("prefill"),
    ]
    assert {*told[:1], *told[7:]} == {None}


def test_a_stream_without_its_last_event_is_incomplete() -> None:
    with pytest.raises(IncompleteError, match=r"chat\.end"):
        answered(*EVENTS[:-1])


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        ({"type": "error", "error": {"type": "model_not_found", "message": "x"}}, NotFoundError),
        ({"type": "error", "error": {"type": "invalid_request", "message": "x", "param": "top_k"}}, BadRequestError),
        ({"type": "error", "error": {"type": "internal_error", "message": "x"}}, InternalError),
        ({"type": "error", "error": {"type": "unknown", "message": "Input does not fit in context length."}},
         ContextOverflowError),
        ({"type": "error"}, InternalError),
        ({"error": "words"}, InternalError),
    ],
)  # fmt: skip
def test_an_error_ends_it_although_a_result_would_follow(document: Any, kind: type[ProviderError]) -> None:
    with pytest.raises(kind):
        answered(*EVENTS[:-1], document, EVENTS[-1])


def test_an_event_of_an_unknown_kind_adds_nothing() -> None:
    reader = Reader(Assembly("here/m"))
    for document in (
        {},
        {"type": "tool_call.start"},
        {"type": 5},
        {"type": "message.delta"},
        {"type": "x", "content": "y"},
    ):
        assert reader.read(event(document)) == Chunk()


def test_without_statistics_nothing_is_known_of_times_and_tokens() -> None:
    answer = whole({"output": [{"type": "message", "content": "Hi"}], "stats": None})
    assert (answer.text, answer.usage, answer.timings) == ("Hi", Usage(), Timings())


@pytest.mark.parametrize("rate", [0, -1.0, "50", None])
def test_a_rate_that_is_none_gives_no_time(rate: Any) -> None:
    stats = {"total_output_tokens": 100, "tokens_per_second": rate}
    assert whole({"output": [], "stats": stats}).timings == Timings()


@pytest.mark.parametrize("output", [None, {}, "x", 5])
def test_a_body_without_output_is_incomplete(output: Any) -> None:
    with pytest.raises(IncompleteError):
        whole({"output": output})


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"type": "model_load.progress", "progress": 10**400}, id="progress"),
        pytest.param({"type": "chat.end", "result": {"stats": {"model_load_time_seconds": 10**400}}}, id="a load time"),
        pytest.param(
            {"type": "chat.end", "result": {"stats": {"total_output_tokens": 10**400, "tokens_per_second": 0.5}}},
            id="tokens",
        ),
    ],
)
def test_a_number_beyond_all_measure_is_left_out(document: Any) -> None:
    Reader(Assembly("here/m")).read(event(document))


@pytest.mark.parametrize("seconds", [-1.0, float("inf"), float("nan"), True])
def test_a_load_time_that_cannot_be_is_left_out(seconds: float) -> None:
    answer = whole({"output": [], "stats": {"model_load_time_seconds": seconds}})
    assert answer.timings.load_s is None


# Anything in place of anything


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -(10**400), 2**64])
    | st.floats()
    | st.sampled_from(["", "chat.end", "error", "message.delta", "\ud800", "<think>"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "content", "error", "result", "stats", "output"]), inner, max_size=3)
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


@given(st.binary(max_size=60))
def test_an_event_of_any_bytes_is_read_or_a_provider_error(data: bytes) -> None:
    try:
        assert isinstance(Reader(Assembly("here/m")).read(Event("message.delta", data)), Chunk)
    except ProviderError as error:
        assert error.message


def test_the_result_of_another_instance_is_told_as_it_is() -> None:
    assert replace(ANSWER, model="other") == answered(
        *EVENTS[:-1], {"type": "chat.end", "result": {**RESULT, "model_instance_id": "other"}}
    )
