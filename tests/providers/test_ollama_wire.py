"""Requests as bodies of `/api/chat`, and answers out of every line that was seen or could be."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.providers.documents import MISSING, paths, with_value

from turnout.errors import BadRequestError, IncompleteError, ProviderError
from turnout.providers.assembly import Assembly
from turnout.providers.base import parse
from turnout.providers.failures import failure, told_error
from turnout.providers.framing import JsonLineDecoder
from turnout.providers.ollama_wire import FOREVER, chat_body, keep_alive, read_frame
from turnout.types import (
    Answer,
    Chunk,
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

PNG = Image("data:image/png;base64,iVBORw0KGgo=")
SCHEMA = {"type": "object", "properties": {"good": {"type": "boolean"}}, "required": ["good"]}
READ = Tool("read", "reads a file", {"type": "object", "properties": {"path": {"type": "string"}}})


def ask(*messages: Message, **rest: Any) -> Request:
    return Request(messages or (Message("user", "hello"),), **rest)


def body_of(request: Request, *, stream: bool = False, **rest: Any) -> dict[str, Any]:
    """The body, which has to be JSON and come without a warning."""
    settings = {"context_length": None, "keep_alive_s": None} | rest
    body, warnings = chat_body("m", request, stream=stream, **settings)
    assert warnings == []
    return dict(json.loads(json.dumps(body)))


# Requests


@pytest.mark.parametrize("stream", [False, True])
def test_a_plain_question_says_whether_to_stream_and_never_to_cut_the_prompt(stream: bool) -> None:
    assert body_of(ask(), stream=stream) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hello"}],
        "stream": stream,
        "truncate": False,
        "shift": False,
    }


def test_everything_about_sampling_is_an_option() -> None:
    sampling = Sampling(
        temperature=0.0,
        top_p=0.9,
        top_k=0,
        min_p=0.1,
        presence_penalty=0.2,
        frequency_penalty=-0.3,
        repeat_penalty=1.1,
        seed=0,
        max_tokens=12,
        stop=("\n", "END"),
    )
    body = body_of(ask(sampling=sampling), context_length=8192)
    assert body["options"] == {
        "temperature": 0.0,
        "top_p": 0.9,
        "top_k": 0,
        "min_p": 0.1,
        "presence_penalty": 0.2,
        "frequency_penalty": -0.3,
        "repeat_penalty": 1.1,
        "seed": 0,
        "num_predict": 12,
        "stop": ["\n", "END"],
        "num_ctx": 8192,
    }
    assert not body.keys() & {"seed", "temperature", "num_ctx"}, "at the top they would be ignored in silence"


@pytest.mark.parametrize(
    ("seconds", "sent"), [(0.0, 0), (300.0, 300), (1.6, 2), (float("inf"), FOREVER), (0.4, 0), (86_400.0, 86_400)]
)
def test_keep_alive_is_whole_seconds_and_negative_for_always(seconds: float, sent: int) -> None:
    assert keep_alive(seconds) == sent
    assert body_of(ask(), keep_alive_s=seconds)["keep_alive"] == sent


@pytest.mark.parametrize("top", [0, 5])
def test_log_probabilities_are_asked_for_at_the_top(top: int) -> None:
    body = body_of(ask(sampling=Sampling(logprobs=True, top_logprobs=top)))
    assert (body["logprobs"], body["top_logprobs"]) == (True, top)
    assert "options" not in body


@pytest.mark.parametrize(
    ("asked", "sent"), [("off", False), ("on", True), ("low", "low"), ("medium", "medium"), ("high", "high")]
)
def test_reasoning_is_a_switch_or_a_level(asked: Any, sent: Any) -> None:
    assert body_of(ask(reasoning=asked))["think"] == sent


def test_reasoning_that_is_not_set_is_left_to_the_model() -> None:
    assert "think" not in body_of(ask())


def test_a_schema_is_the_format_itself() -> None:
    assert body_of(ask(answer_format=JsonSchema(SCHEMA)))["format"] == SCHEMA
    assert body_of(ask(answer_format="json"))["format"] == "json"


def test_tools_are_sent_whole() -> None:
    assert body_of(ask(tools=(READ,)))["tools"] == [
        {
            "type": "function",
            "function": {"name": "read", "description": "reads a file", "parameters": dict(READ.parameters)},
        }
    ]


def test_a_choice_of_no_tool_leaves_the_tools_out() -> None:
    assert "tools" not in body_of(ask(tools=(READ,), tool_choice="none"))


@pytest.mark.parametrize("choice", ["required", "read"])
def test_a_choice_that_is_not_understood_is_warned_of(choice: str) -> None:
    body, warnings = chat_body(
        "m", ask(tools=(READ,), tool_choice=choice), context_length=None, keep_alive_s=None, stream=False
    )
    assert "tool_choice" not in body and body["tools"]
    assert len(warnings) == 1 and choice in warnings[0]


def test_calls_have_objects_for_arguments_and_results_the_name_of_their_tool() -> None:
    request = ask(
        Message("system", "be brief"),
        Message("assistant", "", tool_calls=(ToolCall("c1", "read", '{"path": "a"}'), ToolCall("c2", "now", "{}"))),
        Message("tool", "content of a", tool_call_id="c1"),
        Message("tool", "12:00", tool_call_id="c2", name="clock"),
        Message("tool", "whose is this", tool_call_id="c3"),
    )
    assert body_of(request)["messages"] == [
        {"role": "system", "content": "be brief"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"id": "c1", "function": {"index": 0, "name": "read", "arguments": {"path": "a"}}},
                {"id": "c2", "function": {"index": 1, "name": "now", "arguments": {}}},
            ],
        },
        {"role": "tool", "content": "content of a", "tool_name": "read", "tool_call_id": "c1"},
        {"role": "tool", "content": "12:00", "tool_name": "clock", "tool_call_id": "c2"},
        {"role": "tool", "content": "whose is this"},
    ]


@pytest.mark.parametrize("arguments", ["", "{", "[]", "null", '"x"', "7", "[" * 100_000])
def test_earlier_arguments_that_are_no_object_are_refused_before_anything_is_sent(arguments: str) -> None:
    request = ask(Message("assistant", "", tool_calls=(ToolCall("c1", "read", arguments),)))
    with pytest.raises(BadRequestError, match="not a JSON object"):
        body_of(request)


def test_pictures_are_sent_as_bare_base64() -> None:
    turn = body_of(ask(Message("user", "what is this", (PNG, PNG))))["messages"][0]
    assert turn == {"role": "user", "content": "what is this", "images": ["iVBORw0KGgo=", "iVBORw0KGgo="]}


@pytest.mark.parametrize("url", ["https://example.org/a.png", "", "data:image/svg+xml,<svg/>"])
def test_a_picture_that_is_not_base64_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(BadRequestError, match="base64"):
        body_of(ask(Message("user", "x", (PNG, Image(url)))))


# Lines as they were captured


def line(content: str = "", **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": content, **more.pop("message", {})}
    return {"model": "qwen3:4b", "created_at": "2026-08-21T10:00:00.1Z", "message": message, "done": False, **more}


ENTRY = {"token": "Hi", "logprob": -0.12, "bytes": [72, 105], "top_logprobs": [{"token": "Ho", "logprob": -2.0}]}
LINES: list[dict[str, Any]] = [
    line(message={"thinking": "hm"}, logprobs=[ENTRY]),
    line("Hi", logprobs=[ENTRY]),
    line(logprobs=[ENTRY]),
    line(message={"tool_calls": [{"id": "call_a", "function": {"index": 0, "name": "read", "arguments": {"a": 1}}}]}),
    line(message={"tool_calls": [{"function": {"index": 0, "name": "now", "arguments": {}}}]}),
    line(
        done=True,
        done_reason="stop",
        total_duration=913_000_000,
        load_duration=500_000_000,
        prompt_eval_count=26,
        prompt_eval_duration=250_000_000,
        eval_count=2,
        eval_duration=1_000_000_000,
    ),
]
WHOLE = line(
    "Hi",
    message={"thinking": "hm", "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]},
    done=True,
    done_reason="length",
    logprobs=[ENTRY],
    prompt_eval_count=26,
    eval_count=2,
)


def answered(*lines: Any) -> Answer:
    """The answer of these lines, read as the adapter does."""
    assembly = Assembly("here/m")
    for document in lines:
        frame = parse(json.dumps(document).encode())
        told = told_error(frame)
        if told is not None:
            raise failure(200, told)
        assembly.add(read_frame(frame, assembly))
    assembly.close()
    if assembly.finish is None:
        raise IncompleteError("the answer ended without `done`")
    return assembly.answer()


def test_a_stream_is_read() -> None:
    logprob = TokenLogprob("Hi", -0.12, (("Ho", -2.0),))
    answer = answered(*LINES)
    assert answer == Answer(
        "here/m",
        "qwen3:4b",
        "Hi",
        "hm",
        (ToolCall("call_a", "read", '{"a": 1}'), ToolCall("call_1", "now", "{}")),
        "tool_calls",
        Usage(26, 2),
        (logprob, logprob, logprob),
        Timings(load_s=0.5, prefill_s=0.25, decode_s=1.0),
    )


def test_a_whole_answer_has_the_shape_of_a_line() -> None:
    answer = answered(WHOLE)
    assert (answer.text, answer.reasoning, answer.finish) == ("Hi", "hm", "length")
    assert answer.tool_calls == (ToolCall("call_0", "f", '{"a": 1}'),)


def test_a_metric_that_is_missing_is_zero_but_a_missing_prompt_count_is_unknown() -> None:
    answer = answered(line("Hi"), line(done=True))
    assert answer.usage == Usage(None, 0)
    assert answer.timings == Timings(0.0, 0.0, 0.0)


def test_an_end_is_an_end_only_where_done_is_true() -> None:
    for done in ("true", 1, None, False):
        with pytest.raises(IncompleteError):
            answered(line("Hi", done=done, done_reason="stop"))


@pytest.mark.parametrize(
    ("reason", "finish"), [("stop", "stop"), ("length", "length"), ("load", "stop"), (None, "stop"), (5, "stop")]
)
def test_a_reason_that_is_not_length_is_stop(reason: Any, finish: str) -> None:
    assert answered(line("Hi", done=True, done_reason=reason)).finish == finish


def test_calls_whose_index_starts_again_in_each_line_stay_apart() -> None:
    call = {"function": {"index": 0, "name": "now", "arguments": {}}}
    answer = answered(*[line(message={"tool_calls": [call, call]})] * 2, line(done=True))
    assert [call.id for call in answer.tool_calls] == ["call_0", "call_1", "call_2", "call_3"]


def test_an_error_in_the_last_line_is_raised_as_what_it_stands_for() -> None:
    with pytest.raises(ProviderError, match="unexpected EOF"):
        answered(line("Hi"), {"error": "unexpected EOF"})


@pytest.mark.parametrize(
    "frame",
    [
        {},
        {"message": None},
        {"message": []},
        {"message": {"content": 5, "thinking": ["x"], "tool_calls": {}}},
        {"message": {"tool_calls": [None, 3, {}, {"function": None}, {"function": []}]}},
        {"model": 3, "logprobs": {}},
        {"model": "", "done": "yes"},
    ],
)
def test_an_odd_line_adds_nothing(frame: dict[str, Any]) -> None:
    assembly = Assembly("here/m")
    assert read_frame(frame, assembly) == Chunk()
    assert (assembly.model, assembly.finish) == ("", None)


def test_a_call_of_odd_fields_is_read_as_far_as_it_goes() -> None:
    calls = [{"id": 5, "function": {"name": None, "arguments": None}}, {"function": {"name": "f", "arguments": [1]}}]
    assert read_frame(line(message={"tool_calls": calls}), Assembly("here/m")).tool_calls == (
        ToolCallDelta(0, arguments="{}"),
        ToolCallDelta(1, name="f", arguments="[1]"),
    )


@pytest.mark.parametrize("odd", [-5, "7", None, [], float("nan")])
def test_metrics_of_the_wrong_kind_count_as_missing(odd: Any) -> None:
    answer = answered(line("x", done=True, load_duration=odd, eval_duration=odd, eval_count=odd, prompt_eval_count=odd))
    assert (answer.usage, answer.timings) == (Usage(None, 0), Timings(0.0, 0.0, 0.0))


def test_a_duration_beyond_all_measure_is_left_out() -> None:
    answered(line("x", done=True, load_duration=10**400))


def test_a_duration_without_end_is_no_duration() -> None:
    assert answered(line("x", done=True, eval_duration=float("inf"))).timings.decode_s != float("inf")


# Anything in place of anything


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -(10**400), 2**64])
    | st.floats()
    | st.sampled_from(["", "stop", "null", "\ud800", "<think>", "x" * 50]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["content", "function", "name", "error", "logprob", "token"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


PLACES = list(paths(LINES))


@given(st.data())
def test_anything_in_place_of_any_field_gives_an_answer_or_a_provider_error(data: st.DataObject) -> None:
    lines: Any = LINES
    for path in data.draw(st.lists(st.sampled_from(PLACES), min_size=1, max_size=3)):
        try:
            lines = with_value(lines, path, data.draw(VALUES | st.just(MISSING)))
        except (KeyError, IndexError, TypeError):
            continue  # an earlier replacement took the place away
    try:
        assert isinstance(answered(*lines), Answer)
    except ProviderError as error:
        assert error.message


@given(st.lists(VALUES, max_size=4))
def test_any_json_in_place_of_the_lines_gives_an_answer_or_a_provider_error(lines: list[Any]) -> None:
    try:
        assert isinstance(answered(*lines), Answer)
    except ProviderError as error:
        assert error.message


@given(st.data())
def test_damaged_bytes_of_a_stream_give_an_answer_or_a_provider_error(data: st.DataObject) -> None:
    stream = bytearray(b"".join(json.dumps(entry, ensure_ascii=False).encode() + b"\n" for entry in LINES))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(stream) - 1))
        stream[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    decoder = JsonLineDecoder()
    try:
        frames = [parse(event.data) for event in [*decoder.feed(bytes(stream)), *decoder.close()]]
        assert isinstance(answered(*frames), Answer)
    except ProviderError as error:
        assert error.message


@given(st.text("ab\u0085\u2028\u2029\u000b\x1c👩‍👩‍👧é\r\n\t", max_size=30))
def test_a_text_comes_back_whole_whatever_line_ends_of_unicode_it_holds(text: str) -> None:
    stream = b"".join(
        json.dumps(entry, ensure_ascii=False).encode() + b"\n" for entry in (line(f"x{text}"), line(done=True))
    )
    decoder = JsonLineDecoder()
    frames = [parse(event.data) for event in [*decoder.feed(stream), *decoder.close()]]
    assert answered(*frames).text == f"x{text}"
