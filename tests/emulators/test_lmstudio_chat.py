"""LM Studio's chat completions as emulated: the shapes of answers and of streams, and prompts that do not fit."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

from turnout.emulators.answers import judge
from turnout.emulators.faults import Fault, FaultName
from turnout.emulators.lmstudio import LMStudio
from turnout.emulators.lmstudio_settings import LMStudioSettings
from turnout.emulators.server import EmulatorOptions, serving

pytestmark = pytest.mark.anyio

SMALL, THINKING, GPT_OSS = "qwen2.5-coder-1.5b", "qwen3-4b", "gpt-oss-20b"
PROMPT = "What is a turnout?"
WEATHER = "Call get_weather for Rome"
TOOL = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}
SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
LONG = "signal " * 4000


def studio(settings: LMStudioSettings | None = None, **options: Any) -> LMStudio:
    return LMStudio(EmulatorOptions(models=(SMALL, THINKING, GPT_OSS), **options), settings)


def body(prompt: str = PROMPT, model: str = SMALL, **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": prompt}], **fields}


async def post(
    http: aiohttp.ClientSession, url: str, asked: dict[str, Any], path: str = "/v1/chat/completions"
) -> tuple[int, Any]:
    async with http.post(url + path, json=asked) as response:
        return response.status, json.loads(await response.read())


async def stream(
    http: aiohttp.ClientSession, url: str, asked: dict[str, Any], path: str = "/v1/chat/completions"
) -> list[str]:
    """The events, as text."""
    async with http.post(url + path, json={**asked, "stream": True}) as response:
        assert (response.status, response.content_type) == (200, "text/event-stream")
        text = (await response.read()).decode()
    assert text.endswith("\n\n")
    return text.split("\n\n")[:-1]


def chunks(events: list[str]) -> list[dict[str, Any]]:
    assert events[-1] == "data: [DONE]"
    return [json.loads(event.removeprefix("data: ")) for event in events[:-1]]


def deltas(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [chunk["choices"][0]["delta"] for chunk in found if chunk["choices"]]


async def test_an_answer_has_every_field_also_those_that_hold_nothing(http: aiohttp.ClientSession) -> None:
    async with serving(studio()) as url:
        status, answer = await post(http, url, body(logprobs=True, top_logprobs=3))
    assert status == 200
    text = answer["choices"][0]["message"].pop("content")
    assert judge(PROMPT, text) or text
    assert isinstance(answer.pop("created"), int) and answer.pop("id").startswith("chatcmpl-")
    usage = answer.pop("usage")
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > usage["prompt_tokens"]
    assert usage["completion_tokens_details"] == {"reasoning_tokens": 0}
    message = {"role": "assistant", "reasoning_content": "", "tool_calls": []}
    assert answer == {
        "object": "chat.completion",
        "model": SMALL,
        "choices": [{"index": 0, "logprobs": None, "finish_reason": "stop", "message": message}],
        "stats": {},
        "system_fingerprint": SMALL,
    }


async def test_v0_adds_statistics_the_model_and_the_runtime(http: aiohttp.ClientSession) -> None:
    async with serving(studio()) as url:
        _, plain = await post(http, url, body())
        _, answer = await post(http, url, body(), "/api/v0/chat/completions")
    stats = answer["stats"]
    assert stats.keys() == {"tokens_per_second", "time_to_first_token", "generation_time", "stop_reason"}
    assert stats["stop_reason"] == "eosFound" and stats["generation_time"] > 0
    rate = answer["usage"]["completion_tokens"] / stats["generation_time"]
    assert stats["tokens_per_second"] == pytest.approx(rate, rel=0.02)
    assert answer["model_info"] == {"arch": "qwen2", "quant": "Q4_K_M", "format": "gguf", "context_length": 4096}
    assert answer["runtime"].keys() == {"name", "version", "supported_formats"}
    assert answer.keys() - plain.keys() == {"model_info", "runtime"}
    assert answer["choices"] == plain["choices"]


async def test_v0_tells_why_a_generation_stopped(http: aiohttp.ClientSession) -> None:
    path = "/api/v0/chat/completions"
    async with serving(studio()) as url:
        _, cut = await post(http, url, body(max_tokens=3), path)
        _, stopped = await post(http, url, body(stop=[","]), path)
        _, called = await post(http, url, body(WEATHER, tools=[TOOL]), path)
    reasons = [
        (answer["stats"]["stop_reason"], answer["choices"][0]["finish_reason"]) for answer in (cut, stopped, called)
    ]
    assert reasons == [
        ("maxPredictedTokensReached", "length"),
        ("stopStringFound", "stop"),
        ("toolCalls", "tool_calls"),
    ]


async def test_a_stream_says_the_same_as_one_answer_and_ends_with_a_reason_and_done(
    http: aiohttp.ClientSession,
) -> None:
    for path in ("/v1/chat/completions", "/api/v0/chat/completions"):
        async with serving(studio()) as url:
            _, answer = await post(http, url, body(), path)
            found = chunks(await stream(http, url, body(), path))
        assert (
            "".join(delta.get("content", "") for delta in deltas(found)) == answer["choices"][0]["message"]["content"]
        )
        assert all(delta["role"] == "assistant" for delta in deltas(found)[:-1])
        assert found[-1]["choices"] == [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}]
        assert len({chunk["id"] for chunk in found}) == 1
        assert not any("usage" in chunk or "stats" in chunk for chunk in found)
        assert list(found[0]) == ["id", "object", "created", "model", "system_fingerprint", "choices"]
        assert found[0]["object"] == "chat.completion.chunk"
        assert {"model": SMALL, "system_fingerprint": SMALL}.items() <= found[0].items()


@pytest.mark.parametrize(("version", "counted"), [("0.3.17", False), ("0.3.18", True)])
async def test_a_stream_counts_tokens_in_a_chunk_of_its_own_when_asked(
    http: aiohttp.ClientSession, version: str, counted: bool
) -> None:
    async with serving(studio(version=version)) as url:
        _, answer = await post(http, url, body())
        found = chunks(await stream(http, url, body(stream_options={"include_usage": True})))
    assert (found[-1].get("usage") == answer["usage"] and found[-1]["choices"] == []) == counted


@pytest.mark.parametrize("limit", [1, 5, 20])
async def test_the_count_is_one_too_low_where_the_limit_ends_an_answer(http: aiohttp.ClientSession, limit: int) -> None:
    async with serving(studio()) as url:
        _, answer = await post(http, url, body(max_tokens=limit))
        found = chunks(await stream(http, url, body(max_tokens=limit)))
        _, endless = await post(http, url, body(max_tokens=-1))
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == limit - 1
    assert len([delta for delta in deltas(found) if delta]) == limit
    assert endless["choices"][0]["finish_reason"] == "stop"


async def test_tool_arguments_are_streamed_in_fragments_after_the_name(http: aiohttp.ClientSession) -> None:
    asked = body(WEATHER, tools=[TOOL])
    async with serving(studio()) as url:
        _, answer = await post(http, url, asked)
        found = chunks(await stream(http, url, asked))
    (call,) = answer["choices"][0]["message"]["tool_calls"]
    assert answer["choices"][0]["finish_reason"] == "tool_calls" and call["id"].isdigit()
    assert json.loads(call["function"]["arguments"]).keys() == {"city"}
    first, *rest = [delta["tool_calls"][0] for delta in deltas(found) if delta]
    begin = {"index": 0, "id": call["id"], "type": "function", "function": {"name": "get_weather", "arguments": ""}}
    assert first == begin and len(rest) > 1
    assert all(part.keys() == {"index", "function"} and part["function"].keys() == {"arguments"} for part in rest)
    assert "".join(part["function"]["arguments"] for part in rest) == call["function"]["arguments"]
    assert found[-1]["choices"][0]["finish_reason"] == "tool_calls"


async def test_0_3_15_repeats_an_empty_name_in_every_fragment(http: aiohttp.ClientSession) -> None:
    async with serving(studio(version="0.3.15")) as url:
        found = chunks(await stream(http, url, body(WEATHER, tools=[TOOL])))
    assert [delta["tool_calls"][0]["function"].get("name") for delta in deltas(found) if delta][1:3] == ["", ""]


async def test_a_schema_makes_json_and_text_makes_prose(http: aiohttp.ClientSession) -> None:
    response_format = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
    async with serving(studio()) as url:
        _, answer = await post(http, url, body(response_format=response_format))
        _, prose = await post(http, url, body(response_format={"type": "text"}))
    assert json.loads(answer["choices"][0]["message"]["content"]).keys() == {"answer"}
    with pytest.raises(ValueError, match="Expecting"):
        json.loads(prose["choices"][0]["message"]["content"])


async def test_text_is_no_response_format_before_0_3_18(http: aiohttp.ClientSession) -> None:
    async with serving(studio(version="0.3.17")) as url:
        status, answer = await post(http, url, body(response_format={"type": "text"}))
    assert (status, answer) == (400, {"error": "'response_format.type' must be 'json_schema'"})


@pytest.mark.parametrize(("model", "name"), [(THINKING, "reasoning_content"), (GPT_OSS, "reasoning")])
async def test_reasoning_has_a_field_that_depends_on_the_model(
    http: aiohttp.ClientSession, model: str, name: str
) -> None:
    async with serving(studio()) as url:
        _, answer = await post(http, url, body(model=model))
        found = chunks(await stream(http, url, body(model=model)))
    message = answer["choices"][0]["message"]
    assert message[name] and message["content"]
    assert 0 < answer["usage"]["completion_tokens_details"]["reasoning_tokens"] < answer["usage"]["completion_tokens"]
    assert "".join(delta.get(name, "") for delta in deltas(found)) == message[name]


@pytest.mark.parametrize(
    ("settings", "version"), [(LMStudioSettings(reasoning="content"), None), (None, "0.3.8")], ids=["setting", "old"]
)
async def test_reasoning_may_leak_into_the_text(
    http: aiohttp.ClientSession, settings: LMStudioSettings | None, version: str | None
) -> None:
    async with serving(studio(settings, version=version)) as url:
        _, answer = await post(http, url, body(model=THINKING))
        _, cut = await post(http, url, body(model=THINKING, max_tokens=2))
    message = answer["choices"][0]["message"]
    assert message["content"].startswith("<think>\n") and "</think>\n\n" in message["content"]
    assert "reasoning_content" not in message
    assert "</think>" not in cut["choices"][0]["message"]["content"]


async def test_an_effort_of_none_ends_reasoning_on_newer_versions_only(http: aiohttp.ClientSession) -> None:
    thought = []
    for version in ("0.3.25", "0.4.20"):
        async with serving(studio(version=version)) as url:
            _, answer = await post(http, url, body(model=THINKING, reasoning_effort="none"))
        thought.append(bool(answer["choices"][0]["message"]["reasoning_content"]))
    assert thought == [True, False]


@pytest.mark.parametrize(
    ("version", "text"),
    [
        ("0.3.20", "Trying to keep the first 7004 tokens when context the overflows."),
        ("0.4.20", "(n_keep: 7004>= n_ctx: 4096)"),
        ("0.4.21", "Input does not fit in context length."),
    ],
)
async def test_a_prompt_that_does_not_fit_is_refused_in_the_words_of_the_version(
    http: aiohttp.ClientSession, version: str, text: str
) -> None:
    async with serving(studio(version=version)) as url:
        status, answer = await post(http, url, body(LONG))
    assert status == 400 and isinstance(answer["error"], str) and text in answer["error"]


async def test_from_0_4_21_on_a_stream_begins_well_and_then_tells_that_the_prompt_does_not_fit(
    http: aiohttp.ClientSession,
) -> None:
    async with serving(studio(version="0.4.20")) as url:
        status, _ = await post(http, url, body(LONG, stream=True))
        assert status == 400
    async with serving(studio(version="0.4.21")) as url:
        (event,) = await stream(http, url, body(LONG))
    name, data = event.split("\n")
    assert name == "event: error"
    told = json.loads(data.removeprefix("data: "))
    assert told == {"error": {"message": told["message"]}, "message": told["message"]}
    assert told["message"].startswith("Input does not fit in context length.")


async def test_some_models_say_nothing_about_a_prompt_that_does_not_fit(http: aiohttp.ClientSession) -> None:
    async with serving(studio(LMStudioSettings(silent_overflow=frozenset({SMALL})))) as url:
        status, answer = await post(http, url, body(LONG))
        events = await stream(http, url, body(LONG, stream_options={"include_usage": True}))
        _, fitting = await post(http, url, body())
        other, _ = await post(http, url, body(LONG, THINKING))
    assert (status, answer["choices"][0]["message"]["content"]) == (200, "")
    assert answer["usage"]["prompt_tokens"] == 7004 and answer["usage"]["completion_tokens"] == 0
    assert len(events) == 3 and chunks(events)[0]["choices"][0]["finish_reason"] == "stop"
    assert fitting["choices"][0]["message"]["content"] and other == 400


async def test_an_error_in_a_stream_is_a_named_event_without_done(http: aiohttp.ClientSession) -> None:
    async with serving(studio(faults=[Fault(FaultName.ERROR_EVENT_MID_STREAM, after=3)])) as url:
        events = await stream(http, url, body())
    assert len(events) == 4 and events[-1].startswith("event: error\ndata: {")


async def test_other_faults_of_streams_keep_to_its_shapes(http: aiohttp.ClientSession) -> None:
    async with serving(studio(faults=[Fault(FaultName.SWALLOWED_ERROR, after=1)])) as url:
        events = await stream(http, url, body())
    last = json.loads(events[-1].removeprefix("data: "))
    assert len(events) == 2 and last["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    async with serving(studio(faults=[Fault(FaultName.MISSING_TERMINATOR)])) as url:
        events = await stream(http, url, body())
    assert json.loads(events[-1].removeprefix("data: "))["choices"][0]["finish_reason"] is None
    async with serving(studio(faults=[Fault(FaultName.WRONG_MODEL), Fault(FaultName.SPLIT_UTF8)])) as url:
        assert {chunk["model"] for chunk in chunks(await stream(http, url, body()))} == {"some-other-model"}
