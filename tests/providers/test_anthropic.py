"""Anthropic's messages API: requests as bodies, named events and whole messages as answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.providers.documents import MISSING, paths, with_value

from turnout.config.providers import ProviderSettings, Timeouts
from turnout.errors import (
    AuthenticationError,
    BadRequestError,
    BusyError,
    ContextOverflowError,
    IncompleteError,
    InternalError,
    NotFoundError,
    ProviderError,
    WrongModelError,
)
from turnout.providers.anthropic import VERSION, AnthropicProvider
from turnout.providers.clock import CallClock
from turnout.providers.protocol import Call, collect
from turnout.providers.transport import HttpxTransport
from turnout.types import (
    Answer,
    Chunk,
    Image,
    JsonSchema,
    Message,
    Request,
    Sampling,
    Tool,
    ToolCall,
    Usage,
)

pytestmark = pytest.mark.anyio

MODEL = "claude-sonnet-4-5"
PNG = Image("data:image/png;base64,iVBORw0KGgo=")
READ = Tool("read", "reads a file", {"type": "object", "properties": {"path": {"type": "string"}}})
MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5-20250929",
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
        {"type": "text", "text": "Hi"},
        {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {"path": "a"}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 10,
        "cache_creation_input_tokens": 5,
        "cache_read_input_tokens": 20,
        "output_tokens": 7,
    },
}
EVENTS: list[dict[str, Any]] = [
    {
        "type": "message_start",
        "message": {
            **{key: MESSAGE[key] for key in ("id", "type", "role", "model")},
            "content": [],
            "stop_reason": None,
            "usage": {
                "input_tokens": 10,
                "cache_creation_input_tokens": 5,
                "cache_read_input_tokens": 20,
                "output_tokens": 1,
            },
        },
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "c2ln"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "H"}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "i"}},
    {"type": "content_block_stop", "index": 1},
    {
        "type": "content_block_start",
        "index": 2,
        "content_block": {"type": "tool_use", "id": "toolu_1", "name": "read", "input": {}},
    },
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": ""}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": '{"path"'}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": ': "a"}'}},
    {"type": "content_block_stop", "index": 2},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use", "stop_sequence": None},
        "usage": {"output_tokens": 7},
    },
    {"type": "message_stop"},
]
ANSWER = Answer(
    f"cloud/{MODEL}",
    "claude-sonnet-4-5-20250929",
    "Hi",
    "hm",
    (ToolCall("toolu_1", "read", '{"path": "a"}'),),
    "tool_calls",
    Usage(35, 7, None, 20),
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def ask(*messages: Message, **rest: Any) -> Request:
    return Request(messages or (Message("user", "hello"),), **rest)


def call(request: Request | None = None) -> Call:
    return Call(MODEL, request or ask(), CallClock(Timeouts()))


def sse(*documents: Any, named: bool = True) -> bytes:
    lines = []
    for document in documents:
        name = document.get("type") if named and isinstance(document, dict) else None
        lines.append(f"event: {name}\n" if isinstance(name, str) else "")
        lines.append(f"data: {json.dumps(document)}\n\n")
    return "".join(lines).encode("utf-8", "replace")


class Sent:
    """A provider whose server answers what it is told, and the requests that reached it."""

    def __init__(
        self, document: Any = MESSAGE, *, stream: bytes | None = None, status: int = 200, **options: Any
    ) -> None:
        self.requests: list[httpx.Request] = []
        self._document, self._stream, self._status = document, sse(*EVENTS) if stream is None else stream, status
        self.provider = AnthropicProvider(
            ProviderSettings(name="cloud", kind="anthropic", base_url="http://here/", options=options),
            transport=HttpxTransport(httpx.MockTransport(self._answer)),
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self._status == 200 and request.method == "POST" and self.body.get("stream"):
            return httpx.Response(200, content=self._stream, headers={"content-type": "text/event-stream"})
        content = json.dumps(self._document).encode("utf-8", "replace")
        return httpx.Response(self._status, content=content, headers={"content-type": "application/json"})

    @property
    def body(self) -> dict[str, Any]:
        return dict(json.loads(self.requests[-1].content))

    async def complete(self, request: Request | None = None) -> Answer:
        return await self.provider.complete(call(request))

    async def stream(self, request: Request | None = None) -> Answer:
        return await collect(self.provider.stream(call(request)))


async def sent(request: Request, **options: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The body that a request becomes, and the warnings of its answer."""
    server = Sent(**options)
    answer = await server.complete(request)
    return server.body, answer.warnings


# Requests


async def test_a_plain_question_has_the_bound_that_the_api_insists_on() -> None:
    body, warnings = await sent(ask())
    assert body == {
        "model": MODEL,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hello"}]}],
        "max_tokens": 4096,
    }
    assert warnings == ()
    assert (await sent(ask(), max_tokens=100))[0]["max_tokens"] == 100
    assert (await sent(ask(sampling=Sampling(max_tokens=7)), max_tokens=100))[0]["max_tokens"] == 7


async def test_the_version_and_the_key_are_in_the_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUD_KEY", "sk-ant-x")
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=MESSAGE)

    provider = AnthropicProvider(
        ProviderSettings(name="cloud", kind="anthropic", base_url="http://here", key_variable="CLOUD_KEY"),
        transport=HttpxTransport(httpx.MockTransport(answer)),
    )
    await provider.complete(call())
    assert seen[0].url.path == "/v1/messages"
    assert (seen[0].headers["x-api-key"], seen[0].headers["anthropic-version"]) == ("sk-ant-x", VERSION)
    assert "authorization" not in seen[0].headers


async def test_a_stream_is_asked_for_as_one() -> None:
    server = Sent()
    await server.stream()
    assert server.body["stream"] is True


async def test_instructions_stand_outside_the_turns() -> None:
    body, _ = await sent(
        ask(Message("system", "a"), Message("developer", "b"), Message("system", ""), Message("user", "c"))
    )
    assert body["system"] == "a\n\nb"
    assert [turn["role"] for turn in body["messages"]] == ["user"]


async def test_the_sampling_it_knows_is_sent() -> None:
    body, warnings = await sent(ask(sampling=Sampling(temperature=0.0, top_p=0.9, top_k=0, stop=("END",))))
    assert body.items() >= {"temperature": 0.0, "top_p": 0.9, "top_k": 0, "stop_sequences": ["END"]}.items()
    assert warnings == ()


async def test_the_sampling_it_does_not_know_is_warned_of() -> None:
    for name in ("min_p", "presence_penalty", "frequency_penalty", "repeat_penalty", "seed", "logprobs"):
        body, warnings = await sent(ask(sampling=Sampling(**{name: True if name == "logprobs" else 1})))
        assert body.keys() == {"model", "messages", "max_tokens"}
        assert warnings == (f"{name} is not understood here and was left out",)


async def test_a_seed_of_zero_is_warned_of_too() -> None:
    assert (await sent(ask(sampling=Sampling(seed=0))))[1]


async def test_every_field_of_the_sampling_is_sent_or_warned_of() -> None:
    plain, _ = await sent(ask())
    for field in fields(Sampling):
        value = {"stop": ("x",), "logprobs": True}.get(field.name, 1)
        if field.name == "top_logprobs":
            continue  # says how many `logprobs` means
        body, warnings = await sent(ask(sampling=Sampling(**{field.name: value})))
        assert body != plain or warnings, f"{field.name} is lost"


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        ("read", {"type": "tool", "name": "read"}),
    ],
)
async def test_tools_and_the_choice_among_them_are_sent(choice: str, told: dict[str, str]) -> None:
    body, warnings = await sent(ask(tools=(READ,), tool_choice=choice))
    assert body["tools"] == [{"name": "read", "description": "reads a file", "input_schema": READ.parameters}]
    assert body["tool_choice"] == told
    assert warnings == ()


async def test_results_of_one_turn_share_a_turn_of_the_user() -> None:
    calls = (ToolCall("c1", "read", '{"path": "a"}'), ToolCall("c2", "now", "{}"))
    body, _ = await sent(
        ask(
            Message("user", "look"),
            Message("assistant", "I will", tool_calls=calls),
            Message("tool", "content of a", tool_call_id="c1"),
            Message("tool", "12:00", tool_call_id="c2"),
            Message("assistant", "", tool_calls=calls[1:]),
            Message("tool", "12:01", tool_call_id="c2"),
            Message("user", "and now"),
        )
    )
    used = {"type": "tool_use", "id": "c2", "name": "now", "input": {}}
    assert body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "look"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "I will"},
                {"type": "tool_use", "id": "c1", "name": "read", "input": {"path": "a"}},
                used,
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": "content of a"},
                {"type": "tool_result", "tool_use_id": "c2", "content": "12:00"},
            ],
        },
        {"role": "assistant", "content": [used]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c2", "content": "12:01"}]},
        {"role": "user", "content": [{"type": "text", "text": "and now"}]},
    ]


@pytest.mark.parametrize("arguments", ["", "{", "[]", "null", "7"])
async def test_earlier_arguments_that_are_no_object_are_refused_before_anything_is_sent(arguments: str) -> None:
    server = Sent()
    with pytest.raises(BadRequestError, match="not a JSON object"):
        await server.complete(ask(Message("assistant", "", tool_calls=(ToolCall("c1", "read", arguments),))))
    assert server.requests == []


async def test_pictures_stand_before_their_text() -> None:
    address = Image("https://example.org/a.png")
    body, _ = await sent(ask(Message("user", "what is this", (PNG, address)), Message("user", "", (PNG,))))
    inline = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
    linked = {"type": "image", "source": {"type": "url", "url": address.url}}
    assert body["messages"][0]["content"] == [inline, linked, {"type": "text", "text": "what is this"}]
    assert body["messages"][1]["content"] == [inline]


async def test_a_picture_in_the_result_of_a_tool_is_not_lost_in_silence() -> None:
    calls = (ToolCall("c1", "screenshot", "{}"),)
    body, warnings = await sent(
        ask(Message("assistant", "", tool_calls=calls), Message("tool", "see", (PNG,), tool_call_id="c1"))
    )
    assert "iVBORw0KGgo=" in json.dumps(body) or warnings


@pytest.mark.parametrize("url", ["", "data:image/svg+xml,<svg/>"])
async def test_a_picture_without_an_address_is_refused_before_anything_is_sent(url: str) -> None:
    server = Sent()
    with pytest.raises(BadRequestError):
        await server.complete(ask(Message("user", "x", (Image(url),))))
    assert server.requests == []


async def test_a_schema_is_a_format_of_the_output() -> None:
    schema = {"type": "object", "properties": {"good": {"type": "boolean"}}, "required": ["good"]}
    body, warnings = await sent(ask(answer_format=JsonSchema(schema)))
    sent_schema = body["output_config"]["format"]
    assert (sent_schema["type"], sent_schema["schema"]) == ("json_schema", {**schema, "additionalProperties": False})
    assert warnings == ()


async def test_json_without_a_schema_is_warned_of() -> None:
    body, warnings = await sent(ask(answer_format="json"))
    assert "output_config" not in body
    assert len(warnings) == 1 and "JSON" in warnings[0]


@pytest.mark.parametrize(("reasoning", "budget"), [("low", 1024), ("on", 4096), ("medium", 4096), ("high", 16384)])
async def test_reasoning_has_a_budget_below_the_bound(reasoning: Any, budget: int) -> None:
    body, warnings = await sent(ask(reasoning=reasoning))
    assert body["thinking"] == {"type": "enabled", "budget_tokens": budget}
    assert body["max_tokens"] > budget
    assert warnings == ()


async def test_reasoning_that_is_off_is_not_mentioned() -> None:
    assert "thinking" not in (await sent(ask(reasoning="off")))[0]


async def test_a_bound_too_small_for_reasoning_is_kept_or_warned_of() -> None:
    body, warnings = await sent(ask(reasoning="low", sampling=Sampling(max_tokens=100)))
    assert body["max_tokens"] == 100 or warnings


@pytest.mark.parametrize(
    "rest",
    [
        {"sampling": Sampling(temperature=0.0)},
        {"sampling": Sampling(top_k=5)},
        {"tools": (READ,), "tool_choice": "required"},
        {"tools": (READ,), "tool_choice": "read"},
    ],
    ids=["a temperature", "top_k", "any tool", "one tool"],
)
async def test_what_does_not_go_with_reasoning_is_warned_of_and_not_sent(rest: dict[str, Any]) -> None:
    body, warnings = await sent(ask(reasoning="low", **rest))
    assert warnings
    assert "thinking" not in body or not (
        {"temperature", "top_k"} & body.keys() or body.get("tool_choice", {}).get("type") in ("any", "tool")
    )


async def test_between_a_call_of_a_tool_and_its_result_reasoning_is_left_out_and_that_is_told() -> None:
    calls = (ToolCall("c1", "read", "{}"),)
    body, warnings = await sent(
        ask(
            Message("user", "look"),
            Message("assistant", "", tool_calls=calls),
            Message("tool", "content", tool_call_id="c1"),
            tools=(READ,),
            reasoning="low",
        )
    )
    assert "thinking" not in body
    assert warnings


# Answers


async def test_a_whole_message_is_read() -> None:
    assert await Sent().complete() == ANSWER


async def test_a_stream_is_read() -> None:
    assert await Sent().stream() == ANSWER


async def test_a_stream_whose_events_are_not_named_is_read_by_their_type() -> None:
    assert await Sent(stream=sse(*EVENTS, named=False)).stream() == ANSWER


async def test_pieces_come_as_they_are_written_and_the_answer_last() -> None:
    pieces = [piece async for piece in Sent().provider.stream(call())]
    assert pieces[:3] == [Chunk(reasoning="hm"), Chunk("H"), Chunk("i")]
    assert pieces[-1] == ANSWER
    assert all(isinstance(piece, Chunk) and piece.has_content for piece in pieces[:-1])


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
        ("something_new", "stop"),
    ],
)
async def test_every_reason_to_stop_is_one_of_four(reason: str, finish: str) -> None:
    text = {**MESSAGE, "content": [{"type": "text", "text": "Hi"}], "stop_reason": reason}
    assert (await Sent(text).complete()).finish == finish


@pytest.mark.parametrize("events", [EVENTS[:-1], EVENTS[:-2], EVENTS[:-2] + EVENTS[-1:], EVENTS[:3], []])
async def test_a_stream_without_its_proven_end_is_incomplete_and_keeps_its_text(events: list[Any]) -> None:
    with pytest.raises(IncompleteError) as caught:
        await Sent(stream=sse(*events)).stream()
    assert caught.value.candidate == f"cloud/{MODEL}"
    assert caught.value.partial_text == ("Hi" if len(events) > 8 else "")


async def test_a_message_that_does_not_say_why_it_stopped_is_incomplete() -> None:
    with pytest.raises(IncompleteError) as caught:
        await Sent({**MESSAGE, "stop_reason": None}).complete()
    assert caught.value.partial_text == "Hi"


async def test_another_model_that_answers_is_seen_at_once() -> None:
    other = {**EVENTS[0], "message": {**EVENTS[0]["message"], "model": "claude-haiku-4-5-20251001"}}
    with pytest.raises(WrongModelError, match="claude-haiku-4-5-20251001 answered instead"):
        await Sent(stream=sse(other, *EVENTS[1:])).stream()
    with pytest.raises(WrongModelError):
        await Sent({**MESSAGE, "model": "claude-haiku-4-5"}).complete()


def told(kind: str, message: str = "x") -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}


@pytest.mark.parametrize(
    ("status", "document", "kind"),
    [
        (400, told("invalid_request_error", "max_tokens: 0"), BadRequestError),
        (
            400,
            told("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
            ContextOverflowError,
        ),
        (401, told("authentication_error"), AuthenticationError),
        (403, told("permission_error"), AuthenticationError),
        (404, told("not_found_error", "model: claude-9"), NotFoundError),
        (413, told("request_too_large"), BadRequestError),
        (429, told("rate_limit_error"), BusyError),
        (500, told("api_error"), InternalError),
        (529, told("overloaded_error"), BusyError),
        (200, told("overloaded_error"), BusyError),
    ],
)
async def test_errors_are_the_ones_they_stand_for(status: int, document: Any, kind: type[ProviderError]) -> None:
    for streamed in (False, True):
        server = Sent(document, status=status, stream=sse(document))
        with pytest.raises(kind) as caught:
            await (server.stream() if streamed else server.complete())
        assert (caught.value.provider, caught.value.model) == ("cloud", MODEL)


async def test_an_error_in_mid_stream_keeps_the_text_that_came() -> None:
    with pytest.raises(BusyError) as caught:
        await Sent(stream=sse(*EVENTS[:9], told("overloaded_error"))).stream()
    assert caught.value.partial_text == "Hi"


async def test_a_later_count_of_tokens_replaces_the_earlier_and_what_it_leaves_out_stays() -> None:
    last = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}}
    assert (await Sent(stream=sse(*EVENTS[:-2], last, EVENTS[-1])).stream()).usage == Usage(35, 9, None, 20)
    last["usage"] = {"input_tokens": 11, "cache_read_input_tokens": 0, "output_tokens": 9}
    assert (await Sent(stream=sse(*EVENTS[:-2], last, EVENTS[-1])).stream()).usage == Usage(11, 9, None, 0)


async def test_kinds_of_events_and_blocks_that_are_not_known_yet_add_nothing() -> None:
    strange: list[Any] = [
        {"type": "new_event", "text": "x"},
        {"type": "content_block_start", "index": 9, "content_block": {"type": "redacted_thinking", "data": "x"}},
        {"type": "content_block_delta", "index": 9, "delta": {"type": "citations_delta", "citation": {}}},
        {"type": "content_block_start", "index": 9, "content_block": None},
        {"type": "content_block_delta", "index": 9, "delta": 5},
        {"type": "message_start", "message": None},
        {"type": "message_delta", "delta": None, "usage": None},
        {},
    ]
    assert await Sent(stream=sse(*EVENTS[:6], *strange, *EVENTS[6:])).stream() == ANSWER


# The models


async def test_the_list_of_models_is_read() -> None:
    server = Sent({"data": [{"id": MODEL, "type": "model"}, {"id": "b", "max_input_tokens": 1_000_000}, {}, None]})
    models = await server.provider.discover(CallClock(Timeouts()))
    assert server.requests[0].url.path == "/v1/models"
    assert [(model.name, model.context_length, model.remote) for model in models] == [
        (MODEL, 200_000, True),
        ("b", 1_000_000, True),
    ]
    assert models[0].capabilities == {"chat", "tools", "vision", "json_schema", "reasoning"}


async def test_the_state_tells_what_is_wrong_and_never_raises() -> None:
    state = await Sent(told("authentication_error", "no key"), status=401).provider.state(CallClock(Timeouts()))
    assert (state.available, state.problem) == (False, "no key (HTTP 401)")
    assert (await Sent({"data": None}).provider.state(CallClock(Timeouts()))).available


async def test_what_it_has_not_is_refused_by_name() -> None:
    provider, clock = Sent().provider, CallClock(Timeouts())
    for attempt in (provider.embed(MODEL, ["x"], clock), provider.load(MODEL, clock), provider.unload(MODEL, clock)):
        with pytest.raises(BadRequestError) as caught:
            await attempt
        assert caught.value.candidate == f"cloud/{MODEL}"


# Anything in place of anything


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["", "text", "error", "message_stop", "end_turn", "\ud800", "<think>", MODEL]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "text", "error", "delta", "usage", "content"]), inner, max_size=3)
    ),
    max_leaves=6,
)


def check(server: Callable[[], Sent], *, streamed: bool) -> None:
    """An answer or a provider error, nothing else."""
    with asyncio.Runner() as runner:
        try:
            answer = runner.run(server().stream() if streamed else server().complete())
        except ProviderError as error:
            assert error.message and error.provider == "cloud"
        else:
            assert isinstance(answer, Answer)


@settings(max_examples=40)
@given(st.data())
def test_anything_in_place_of_any_field_of_an_event_gives_an_answer_or_a_provider_error(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(list(paths(EVENTS))))
    events = with_value(EVENTS, path, data.draw(VALUES | st.just(MISSING)))
    check(lambda: Sent(stream=sse(*events)), streamed=True)


@settings(max_examples=40)
@given(st.data())
def test_anything_in_place_of_any_field_of_a_message_gives_an_answer_or_a_provider_error(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(list(paths(MESSAGE))))
    message = with_value(MESSAGE, path, data.draw(VALUES | st.just(MISSING)))
    check(lambda: Sent(message), streamed=False)


@settings(max_examples=40)
@given(st.data())
def test_damaged_bytes_of_a_stream_give_an_answer_or_a_provider_error(data: st.DataObject) -> None:
    stream = bytearray(sse(*EVENTS))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(stream) - 1))
        stream[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    check(lambda: Sent(stream=bytes(stream)), streamed=True)
