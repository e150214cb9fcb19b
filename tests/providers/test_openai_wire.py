"""Requests as bodies of chat completions in every dialect, and answers out of every frame that was seen or could be."""

from __future__ import annotations

import base64
import json
import struct
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.providers.documents import MISSING, paths, with_value

from turnout.errors import BadRequestError, IncompleteError, ProviderError
from turnout.providers.assembly import Assembly
from turnout.providers.base import parse
from turnout.providers.failures import failure, told_error
from turnout.providers.fields import count
from turnout.providers.framing import EventDecoder
from turnout.providers.openai import read_embeddings
from turnout.providers.openai_wire import (
    DIALECTS,
    LLAMACPP,
    LMSTUDIO,
    OPENAI,
    VLLM,
    Dialect,
    chat_body,
    read_frame,
    read_logprobs,
    read_usage,
    read_whole,
)
from turnout.types import (
    Answer,
    Chunk,
    Embeddings,
    Image,
    JsonSchema,
    Message,
    Request,
    Sampling,
    Timings,
    TokenLogprob,
    Tool,
    ToolCall,
    ToolCallDelta,
    Usage,
)

EVERY = pytest.mark.parametrize("dialect", [OPENAI, LLAMACPP, VLLM, LMSTUDIO], ids=lambda dialect: dialect.name)
PNG = Image("data:image/png;base64,iVBORw0KGgo=")
SCHEMA = {
    "type": "object",
    "properties": {"good": {"type": "boolean"}},
    "required": ["good"],
    "additionalProperties": False,
}
READ = Tool("read", "reads a file", {"type": "object", "properties": {"path": {"type": "string"}}})


def ask(*messages: Message, **rest: Any) -> Request:
    return Request(messages or (Message("user", "hello"),), **rest)


def body_of(request: Request, dialect: Dialect = OPENAI, *, stream: bool = False) -> dict[str, Any]:
    """The body, which has to be JSON and come without a warning."""
    body, warnings = chat_body("m", request, dialect, stream=stream)
    assert warnings == []
    return dict(json.loads(json.dumps(body)))


# Requests


@EVERY
def test_a_plain_question_is_sent_without_a_word_more(dialect: Dialect) -> None:
    assert body_of(ask(), dialect) == {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


@EVERY
def test_a_stream_asks_for_its_usage(dialect: Dialect) -> None:
    body = body_of(ask(), dialect, stream=True)
    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})


@EVERY
def test_what_every_server_samples_by_is_sent_under_its_own_name(dialect: Dialect) -> None:
    sampling = Sampling(
        temperature=0.0,
        top_p=0.9,
        presence_penalty=0.1,
        frequency_penalty=-0.2,
        seed=0,
        max_tokens=12,
        stop=("\n", "END"),
    )
    body = body_of(ask(sampling=sampling), dialect)
    expected = {"temperature": 0.0, "top_p": 0.9, "presence_penalty": 0.1, "frequency_penalty": -0.2}
    expected |= {"seed": 0, "max_tokens": 12, "stop": ["\n", "END"]}
    assert body.items() >= expected.items()


@pytest.mark.parametrize(
    ("dialect", "sent", "left_out"),
    [
        (OPENAI, {}, ["top_k", "min_p", "repeat_penalty"]),
        (LLAMACPP, {"top_k": 0, "min_p": 0.1, "repeat_penalty": 1.1}, []),
        (VLLM, {"top_k": 0, "min_p": 0.1, "repetition_penalty": 1.1}, []),
        (LMSTUDIO, {"top_k": 0, "repeat_penalty": 1.1}, ["min_p"]),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_what_only_some_servers_sample_by_is_sent_or_warned_of(
    dialect: Dialect, sent: dict[str, Any], left_out: list[str]
) -> None:
    request = ask(sampling=Sampling(top_k=0, min_p=0.1, repeat_penalty=1.1))
    body, warnings = chat_body("m", request, dialect, stream=False)
    assert {key: body[key] for key in body.keys() - {"model", "messages"}} == sent
    assert warnings == [f"{name} is not understood here and was left out" for name in left_out]


def test_a_cloud_may_insist_on_another_name_for_the_bound() -> None:
    cloud = replace(OPENAI, max_tokens="max_completion_tokens")
    body = body_of(ask(sampling=Sampling(max_tokens=7)), cloud)
    assert body["max_completion_tokens"] == 7
    assert "max_tokens" not in body


@pytest.mark.parametrize(("asked", "sent"), [(0, 1), (1, 1), (20, 20)])
@pytest.mark.parametrize("dialect", [OPENAI, LLAMACPP, VLLM], ids=lambda dialect: dialect.name)
def test_log_probabilities_are_asked_for_with_at_least_one_alternative(dialect: Dialect, asked: int, sent: int) -> None:
    body = body_of(ask(sampling=Sampling(logprobs=True, top_logprobs=asked)), dialect)
    assert (body["logprobs"], body["top_logprobs"]) == (True, sent)


def test_log_probabilities_that_cannot_be_had_are_warned_of() -> None:
    body, warnings = chat_body("m", ask(sampling=Sampling(logprobs=True)), LMSTUDIO, stream=False)
    assert not body.keys() & {"logprobs", "top_logprobs"}
    assert len(warnings) == 1 and "log-probabilities" in warnings[0]


@pytest.mark.parametrize(
    ("asked", "sent"), [("off", "none"), ("on", "medium"), ("low", "low"), ("medium", "medium"), ("high", "high")]
)
def test_reasoning_is_an_effort(asked: Any, sent: str) -> None:
    assert body_of(ask(reasoning=asked))["reasoning_effort"] == sent


def test_reasoning_that_cannot_be_set_is_warned_of() -> None:
    body, warnings = chat_body("m", ask(reasoning="high"), replace(OPENAI, effort=False), stream=False)
    assert "reasoning_effort" not in body
    assert len(warnings) == 1 and "reasoning" in warnings[0]


@EVERY
def test_tools_are_sent_whole(dialect: Dialect) -> None:
    body = body_of(ask(tools=(READ, Tool("now"))), dialect)
    assert body["tools"] == [
        {
            "type": "function",
            "function": {"name": "read", "description": "reads a file", "parameters": dict(READ.parameters)},
        },
        {
            "type": "function",
            "function": {"name": "now", "description": "", "parameters": {"type": "object", "properties": {}}},
        },
    ]
    assert "tool_choice" not in body


@EVERY
@pytest.mark.parametrize("choice", ["none", "required"])
def test_a_choice_among_tools_is_sent_as_it_is(dialect: Dialect, choice: str) -> None:
    assert body_of(ask(tools=(READ,), tool_choice=choice), dialect)["tool_choice"] == choice


@pytest.mark.parametrize("dialect", [OPENAI, VLLM], ids=lambda dialect: dialect.name)
def test_one_tool_can_be_demanded(dialect: Dialect) -> None:
    sent = body_of(ask(tools=(READ,), tool_choice="read"), dialect)["tool_choice"]
    assert sent == {"type": "function", "function": {"name": "read"}}


def test_where_one_tool_cannot_be_demanded_any_is_and_that_is_told() -> None:
    body, warnings = chat_body("m", ask(tools=(READ, Tool("now")), tool_choice="read"), LMSTUDIO, stream=False)
    assert body["tool_choice"] == "required"
    assert len(warnings) == 1 and "read" in warnings[0]


def test_llamacpp_is_not_asked_for_one_tool_in_silence() -> None:
    body, warnings = chat_body("m", ask(tools=(READ, Tool("now")), tool_choice="read"), LLAMACPP, stream=False)
    assert isinstance(body["tool_choice"], str)
    assert warnings


def test_a_choice_without_tools_is_not_sent() -> None:
    assert body_of(ask(tool_choice="required")).keys() == {"model", "messages"}


@EVERY
def test_calls_and_their_results_are_sent_in_their_turns(dialect: Dialect) -> None:
    request = ask(
        Message("system", "be brief"),
        Message("user", "look"),
        Message("assistant", "", tool_calls=(ToolCall("c1", "read", '{"path": "a"}'), ToolCall("c2", "now", "{}"))),
        Message("tool", "content of a", tool_call_id="c1"),
        Message("tool", "12:00", tool_call_id="c2", name="now"),
    )
    assert body_of(request, dialect)["messages"] == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "look"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "read", "arguments": '{"path": "a"}'}},
                {"id": "c2", "type": "function", "function": {"name": "now", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "content": "content of a", "tool_call_id": "c1"},
        {"role": "tool", "content": "12:00", "tool_call_id": "c2", "name": "now"},
    ]


@EVERY
def test_pictures_are_sent_after_their_text(dialect: Dialect) -> None:
    turns = body_of(ask(Message("user", "what is this", (PNG, PNG)), Message("user", "", (PNG,))), dialect)["messages"]
    picture = {"type": "image_url", "image_url": {"url": PNG.url}}
    assert turns[0]["content"] == [{"type": "text", "text": "what is this"}, picture, picture]
    assert turns[1]["content"] == [picture]


def test_a_pictures_address_is_sent_where_it_would_be_fetched() -> None:
    image = Image("https://example.org/a.png")
    for dialect in (OPENAI, LLAMACPP, VLLM):
        turn = body_of(ask(Message("user", "x", (image,))), dialect)["messages"][0]
        assert turn["content"][1]["image_url"]["url"] == image.url
    with pytest.raises(BadRequestError, match="base64"):
        chat_body("m", ask(Message("user", "x", (image,))), LMSTUDIO, stream=False)


@EVERY
def test_a_picture_without_any_address_is_refused_before_anything_is_sent(dialect: Dialect) -> None:
    with pytest.raises(BadRequestError, match="picture"):
        chat_body("m", ask(Message("user", "x", (PNG, Image("")))), dialect, stream=False)


@EVERY
def test_a_schema_is_sent_with_its_name(dialect: Dialect) -> None:
    body = body_of(ask(answer_format=JsonSchema(SCHEMA, "verdict")), dialect)
    sent = {"type": "json_schema", "json_schema": {"name": "verdict", "strict": True, "schema": SCHEMA}}
    assert body["response_format"] == sent


def test_openai_gets_objects_closed_and_is_not_told_to_be_strict_about_optional_properties() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "required": ["a"]}
    body, warnings = chat_body("m", ask(answer_format=JsonSchema(schema)), OPENAI, stream=False)
    sent = body["response_format"]["json_schema"]
    assert (sent["strict"], sent["schema"]["additionalProperties"]) == (False, False)
    assert len(warnings) == 1 and "optional" in warnings[0]
    assert "additionalProperties" not in schema, "the caller's own schema stays as it is"


def test_an_object_of_any_properties_is_not_shut_in_silence() -> None:
    schema = {
        "type": "object",
        "properties": {"labels": {"type": "object"}},
        "required": ["labels"],
        "additionalProperties": False,
    }
    body, warnings = chat_body("m", ask(answer_format=JsonSchema(schema)), OPENAI, stream=False)
    labels = body["response_format"]["json_schema"]["schema"]["properties"]["labels"]
    assert warnings or labels.get("additionalProperties", True) is not False


def test_a_schema_of_parts_can_still_be_followed() -> None:
    import jsonschema

    parts = [
        {"type": "object", "properties": {name: {"type": "string"}}, "required": [name]} for name in ("first", "second")
    ]
    body, _ = chat_body("m", ask(answer_format=JsonSchema({"allOf": parts})), OPENAI, stream=False)
    jsonschema.validate({"first": "a", "second": "b"}, body["response_format"]["json_schema"]["schema"])


@pytest.mark.parametrize("dialect", [OPENAI, LLAMACPP, VLLM], ids=lambda dialect: dialect.name)
def test_json_of_any_kind_is_a_mode(dialect: Dialect) -> None:
    assert body_of(ask(answer_format="json"), dialect)["response_format"] == {"type": "json_object"}


def test_without_a_mode_for_json_a_schema_of_any_object_asks_for_the_same() -> None:
    sent = body_of(ask(answer_format="json"), LMSTUDIO)["response_format"]
    assert sent["type"] == "json_schema"
    assert sent["json_schema"]["schema"] == {"type": "object"}


def test_every_field_of_the_sampling_is_sent_or_warned_of_everywhere() -> None:
    for dialect in (*DIALECTS.values(), LMSTUDIO):
        for field in fields(Sampling):
            value = {"stop": ("x",), "logprobs": True}.get(field.name, 1)
            if field.name == "top_logprobs":
                continue  # says how many `logprobs` means
            body, warnings = chat_body("m", ask(sampling=Sampling(**{field.name: value})), dialect, stream=False)
            assert len(body) > 2 or warnings, f"{field.name} is lost in {dialect.name}"


# Frames and bodies as they were captured


def chunk_of(delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"finish_reason": finish, "index": 0, "delta": delta, **more}
    return {"choices": [choice], "created": 1, "id": "chatcmpl-x", "model": "m", "object": "chat.completion.chunk"}


ENTRY = {"id": 114, "token": "j", "bytes": [106], "logprob": -0.77, "top_logprobs": [{"token": "o", "logprob": -2.8}]}
LLAMACPP_FRAMES: list[dict[str, Any]] = [
    chunk_of({"role": "assistant", "content": None}),
    chunk_of({"content": "j"}, logprobs={"content": [ENTRY]}),
    chunk_of({"content": "^"}, logprobs={"content": [ENTRY, {**ENTRY, "token": "\ufffd", "bytes": [250]}]}),
    chunk_of({}, "length"),
    {
        "choices": [],
        "model": "m",
        "usage": {
            "completion_tokens": 3,
            "prompt_tokens": 34,
            "total_tokens": 37,
            "prompt_tokens_details": {"cached_tokens": 33},
        },
        "timings": {"prompt_n": 1, "prompt_ms": 50.0, "predicted_n": 3, "predicted_ms": 400.0},
    },
]
LMSTUDIO_FRAMES: list[dict[str, Any]] = [
    chunk_of({"role": "assistant", "reasoning_content": "hm"}),
    chunk_of({"role": "assistant", "content": "Hi"}, logprobs=None),
    chunk_of(
        {"tool_calls": [{"index": 0, "id": "1", "type": "function", "function": {"name": "read", "arguments": ""}}]}
    ),
    chunk_of({"tool_calls": [{"index": 0, "function": {"name": "", "arguments": '{"path"'}}]}),
    chunk_of({"tool_calls": [{"index": 1, "id": "", "function": {"name": "now", "arguments": "{}"}}]}),
    chunk_of({"tool_calls": [{"index": 0, "function": {"arguments": ': "a"}'}}]}),
    chunk_of({}, "tool_calls"),
]
OLLAMA_FRAMES: list[dict[str, Any]] = [
    chunk_of({"role": "assistant", "content": "", "reasoning": "hm"}),
    chunk_of({"role": "assistant", "content": "Hi"}),
    chunk_of({"tool_calls": [{"id": "call_1", "index": 0, "function": {"name": "now", "arguments": "{}"}}]}),
    chunk_of({"content": ""}, "tool_calls"),
    {"choices": [], "model": "m:latest", "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}},
]
STREAMS = {"llama.cpp": LLAMACPP_FRAMES, "LM Studio": LMSTUDIO_FRAMES, "Ollama": OLLAMA_FRAMES}

WHOLE: dict[str, Any] = {
    "id": "chatcmpl-a1",
    "object": "chat.completion",
    "created": 1787000000,
    "model": "qwen/qwen3-4b",
    "choices": [
        {
            "index": 0,
            "logprobs": None,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "Hi", "reasoning_content": "hm", "tool_calls": []},
        }
    ],
    "usage": {
        "prompt_tokens": 9,
        "completion_tokens": 2,
        "total_tokens": 11,
        "completion_tokens_details": {"reasoning_tokens": 1},
        "prompt_tokens_details": {"cached_tokens": 8},
    },
    "stats": {
        "tokens_per_second": 57.7,
        "time_to_first_token": 0.25,
        "generation_time": 0.5,
        "stop_reason": "eosFound",
    },
    "system_fingerprint": "qwen/qwen3-4b",
}
WITH_CALLS = {
    "model": "m",
    "choices": [
        {
            "finish_reason": "tool_calls",
            "message": {
                "content": None,
                "tool_calls": [
                    {"id": "1", "type": "function", "function": {"name": "read", "arguments": '{"path": "a"}'}},
                    {"id": "2", "type": "function", "function": {"name": "now", "arguments": {}}},
                ],
            },
            "logprobs": {"content": [ENTRY]},
        }
    ],
    "timings": {"prompt_ms": 0.482, "predicted_ms": 4.03},
}


def answered(*frames: Any) -> Answer:
    """The answer of a stream, read as the adapters do."""
    assembly = Assembly("here/m")
    for frame in frames:
        document = parse(json.dumps(frame).encode())
        told = told_error(document)
        if told is not None:
            raise failure(200, told)
        assembly.add(read_frame(document, assembly))
    return proven(assembly)


def whole(document: Any) -> Answer:
    """The answer of a body, read as the adapters do."""
    assembly = Assembly("here/m")
    parsed = parse(json.dumps(document).encode())
    told = told_error(parsed)
    if told is not None:
        raise failure(200, told)
    read_whole(parsed, assembly)
    return proven(assembly)


def proven(assembly: Assembly) -> Answer:
    assembly.close()
    if assembly.finish is None:
        raise IncompleteError("the answer does not say how it ended")
    return assembly.answer()


def test_a_stream_of_llamacpp_is_read() -> None:
    logprob = TokenLogprob("j", -0.77, (("o", -2.8),))
    assert answered(*LLAMACPP_FRAMES) == Answer(
        "here/m",
        "m",
        "j^",
        finish="length",
        usage=Usage(34, 3, None, 33),
        logprobs=(logprob, logprob, replace(logprob, token="\ufffd")),
        timings=Timings(prefill_s=0.05, decode_s=0.4),
    )


def test_a_stream_of_lm_studio_is_read() -> None:
    answer = answered(*LMSTUDIO_FRAMES)
    assert (answer.text, answer.reasoning, answer.finish) == ("Hi", "hm", "tool_calls")
    assert answer.tool_calls == (ToolCall("1", "read", '{"path": "a"}'), ToolCall("call_1", "now", "{}"))
    assert answer.warnings == ()


def test_a_stream_of_ollama_is_read() -> None:
    answer = answered(*OLLAMA_FRAMES)
    assert (answer.model, answer.text, answer.reasoning) == ("m:latest", "Hi", "hm")
    assert answer.tool_calls == (ToolCall("call_1", "now", "{}"),)
    assert answer.usage == Usage(5, 2)


def test_a_whole_answer_is_read() -> None:
    assert whole(WHOLE) == Answer(
        "here/m",
        "qwen/qwen3-4b",
        "Hi",
        "hm",
        usage=Usage(9, 2, 1, 8),
        timings=Timings(prefill_s=0.25, decode_s=0.5),
    )


def test_whole_calls_are_read_by_their_place() -> None:
    answer = whole(WITH_CALLS)
    assert answer.tool_calls == (ToolCall("1", "read", '{"path": "a"}'), ToolCall("2", "now", "{}"))
    assert answer.logprobs == (TokenLogprob("j", -0.77, (("o", -2.8),)),)


def test_usage_may_come_on_any_chunk() -> None:
    frame = chunk_of({"content": "x"}, "stop") | {"usage": {"prompt_tokens": 3, "completion_tokens": 1}}
    assert answered(frame, chunk_of({})).usage == Usage(3, 1)


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("tool_calls", "tool_calls"),
        ("function_call", "tool_calls"),
        ("content_filter", "content_filter"),
        ("eos", "stop"),
    ],
)
def test_every_reason_to_finish_is_one_of_four(reason: str, finish: str) -> None:
    assert answered(chunk_of({"content": "x"}, reason)).finish == finish


def test_a_reason_once_given_stays() -> None:
    assert answered(chunk_of({"content": "x"}, "length"), chunk_of({}, None), chunk_of({}, "")).finish == "length"


@pytest.mark.parametrize(
    "frame",
    [
        {},
        {"choices": None},
        {"choices": []},
        {"choices": [None]},
        {"choices": {"0": {}}},
        {"choices": [{"delta": None}]},
        {"choices": [{"delta": []}]},
        {"choices": [{"delta": {"content": 5, "reasoning": ["x"], "tool_calls": "x"}}]},
        {"choices": [{"delta": {"tool_calls": [None, 3, "x"]}}]},
        {"choices": [{"delta": {}, "logprobs": [], "finish_reason": 3}]},
        {"model": None, "usage": [], "timings": 3, "stats": "x"},
        {"model": "", "usage": {"prompt_tokens": "3", "completion_tokens": -1, "prompt_tokens_details": 5}},
        {"prompt_progress": {"total": 34, "cache": 33, "processed": 33, "time_ms": 0}},
    ],
)
def test_an_odd_frame_adds_nothing(frame: dict[str, Any]) -> None:
    assembly = Assembly("here/m")
    assert read_frame(frame, assembly) == Chunk()
    assert (assembly.model, assembly.finish, assembly.usage) == ("", None, Usage())


def test_a_call_of_odd_pieces_is_read_as_far_as_it_goes() -> None:
    pieces = [
        {"function": None},
        {"index": "1", "id": 5, "function": {"name": None, "arguments": None}},
        {"index": 7, "function": {"name": "f", "arguments": {"a": 1}}},
    ]
    assert read_frame(chunk_of({"tool_calls": pieces}), Assembly("here/m")).tool_calls == (
        ToolCallDelta(0),
        ToolCallDelta(1),
        ToolCallDelta(7, name="f", arguments='{"a": 1}'),
    )


@pytest.mark.parametrize(
    ("value", "number"),
    [(0, 0), (7, 7), (-1, None), (True, None), (1.0, None), ("7", None), (None, None), ([], None), (10**30, 10**30)],
)
def test_a_count_is_a_whole_number_or_nothing(value: Any, number: int | None) -> None:
    assert count(value) == number


def test_usage_without_details_has_none() -> None:
    assert read_usage({"prompt_tokens": 1, "completion_tokens": 0, "prompt_tokens_details": None}) == Usage(1, 0)


@pytest.mark.parametrize("entries", [None, {}, "x", 5, [], [None], [{}], [{"token": "a"}], [{"logprob": "0"}]])
def test_log_probabilities_that_are_none_are_left_out(entries: Any) -> None:
    assert read_logprobs(entries) == ()


def test_a_token_without_text_or_alternatives_is_kept() -> None:
    entries = [
        {"token": None, "logprob": 0},
        {"logprob": -1, "top_logprobs": None},
        {"logprob": -2.5, "top_logprobs": []},
    ]
    assert read_logprobs(entries) == (TokenLogprob("", 0.0), TokenLogprob("", -1.0), TokenLogprob("", -2.5))


@pytest.mark.parametrize("value", [5, True, 0.5])
def test_alternatives_that_are_no_list_are_left_out(value: Any) -> None:
    assert read_logprobs([{"token": "a", "logprob": -1.0, "top_logprobs": value}]) == (TokenLogprob("a", -1.0),)


@pytest.mark.parametrize(
    "frame",
    [
        chunk_of({"content": "x"}, logprobs={"content": [{"token": "a", "logprob": -(10**400)}]}),
        {"timings": {"prompt_ms": 10**400}},
        {"stats": {"generation_time": 10**400}},
    ],
    ids=["a log-probability", "llama.cpp's times", "LM Studio's times"],
)
def test_a_number_beyond_all_measure_is_left_out(frame: dict[str, Any]) -> None:
    read_frame(parse(json.dumps(frame).encode()), Assembly("here/m"))


@pytest.mark.parametrize("number", [b"Infinity", b"1e999"])
def test_a_time_without_end_is_no_time(number: bytes) -> None:
    assembly = Assembly("here/m")
    read_frame(parse(b'{"timings":{"prompt_ms":' + number + b',"predicted_ms":' + number + b"}}"), assembly)
    assert assembly.timings == Timings()


# Anything in place of anything


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -(10**400), 2**64])
    | st.floats()
    | st.sampled_from(["", "stop", "error", "null", "\ud800", "1e999", "<think>", "x" * 50]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["content", "index", "function", "error", "logprob", "token"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


@pytest.mark.parametrize("name", STREAMS)
@given(st.data())
def test_anything_in_place_of_any_field_of_a_stream_gives_an_answer_or_a_provider_error(
    name: str, data: st.DataObject
) -> None:
    frames: Any = STREAMS[name]
    for path in data.draw(st.lists(st.sampled_from(list(paths(frames))), min_size=1, max_size=3)):
        try:
            frames = with_value(frames, path, data.draw(VALUES | st.just(MISSING)))
        except (KeyError, IndexError, TypeError):
            continue  # an earlier replacement took the place away
    try:
        assert isinstance(answered(*frames), Answer)
    except ProviderError as error:
        assert error.message


@pytest.mark.parametrize("document", [WHOLE, WITH_CALLS], ids=["text", "calls"])
@given(st.data())
def test_anything_in_place_of_any_field_of_a_body_gives_an_answer_or_a_provider_error(
    document: Any, data: st.DataObject
) -> None:
    path = data.draw(st.sampled_from(list(paths(document))))
    try:
        assert isinstance(whole(with_value(document, path, data.draw(VALUES | st.just(MISSING)))), Answer)
    except ProviderError as error:
        assert error.message


@given(st.lists(VALUES, max_size=4))
def test_any_json_in_place_of_the_frames_gives_an_answer_or_a_provider_error(frames: list[Any]) -> None:
    for read in (lambda: answered(*frames), lambda: whole(frames[0] if frames else None)):
        try:
            assert isinstance(read(), Answer)
        except ProviderError as error:
            assert error.message


@given(st.sampled_from(sorted(STREAMS)), st.data())
def test_damaged_bytes_of_a_stream_give_an_answer_or_a_provider_error(name: str, data: st.DataObject) -> None:
    frames = STREAMS[name]
    stream = bytearray(b"".join(b"data: " + json.dumps(frame).encode() + b"\n\n" for frame in frames))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(stream) - 1))
        stream[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    decoder, assembly = EventDecoder(), Assembly("here/m")
    try:
        for event in [*decoder.feed(bytes(stream)), *decoder.close()]:
            frame = parse(event.data)
            if (told := told_error(frame)) is not None:
                raise failure(200, told)
            assembly.add(read_frame(frame, assembly))
        assert isinstance(proven(assembly), Answer)
    except ProviderError as error:
        assert error.message


# Embeddings


VECTORS = {
    "object": "list",
    "data": [{"embedding": [3.0, 4.0], "index": 1}, {"embedding": [1.0, 2.0], "index": 0}],
    "usage": {"prompt_tokens": 3, "total_tokens": 3},
}


def test_vectors_are_read_in_the_order_of_their_texts() -> None:
    assert read_embeddings(VECTORS, "here/m", 2) == Embeddings("here/m", ((1.0, 2.0), (3.0, 4.0)), 3)


def test_vectors_in_base64_are_little_endian_floats() -> None:
    document = {"data": [{"embedding": base64.b64encode(struct.pack("<2f", 1.5, -2.0)).decode()}]}
    assert read_embeddings(document, "here/m", 1) == Embeddings("here/m", ((1.5, -2.0),))


@pytest.mark.parametrize("vector", [None, [], {}, 5, "x", "AAAA", "AAAAA===", [None], [[1.0]], ["one"], [{}]], ids=str)
def test_a_vector_that_cannot_be_read_is_an_incomplete_answer(vector: Any) -> None:
    with pytest.raises(IncompleteError):
        read_embeddings({"data": [{"embedding": vector}]}, "here/m", 1)


def test_a_vector_of_numbers_beyond_all_measure_is_an_incomplete_answer() -> None:
    with pytest.raises(IncompleteError):
        read_embeddings({"data": [{"embedding": [10**400]}]}, "here/m", 1)


def test_an_empty_text_is_no_vector() -> None:
    with pytest.raises(IncompleteError):
        read_embeddings({"data": [{"embedding": ""}]}, "here/m", 1)


@pytest.mark.parametrize("expected", [0, 1, 3])
def test_vectors_too_few_or_too_many_are_an_incomplete_answer(expected: int) -> None:
    with pytest.raises(IncompleteError, match=f"2 embeddings came back for {expected} texts"):
        read_embeddings(VECTORS, "here/m", expected)


# What is not JSON at all


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff", b"{", b"null", b"[]", b'"x"', b"7", b"true", b"[" * 100_000, b"9" * 10_000, b"\x00{}", b"{}{}"],
)
def test_what_is_no_json_object_is_an_incomplete_answer(data: bytes) -> None:
    with pytest.raises(IncompleteError) as caught:
        parse(data)
    assert len(caught.value.message) < 300
    assert len(caught.value.partial_text) <= 200


def test_a_byte_order_mark_before_a_document_does_no_harm() -> None:
    assert parse(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}
