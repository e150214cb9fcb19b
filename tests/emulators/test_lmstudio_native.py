"""LM Studio's own chat as emulated: named events, progress of load and prefill, conversations, strict requests."""

from __future__ import annotations

import json
from itertools import groupby
from typing import Any

import aiohttp
import pytest

from turnout.emulators.faults import Fault, FaultName
from turnout.emulators.lmstudio import LMStudio
from turnout.emulators.server import EmulatorOptions, serving

pytestmark = pytest.mark.anyio

SMALL, THINKING, GPT_OSS, SEEING = "qwen2.5-coder-1.5b", "qwen3-4b", "gpt-oss-20b", "llava-7b"
PROMPT = "What is a turnout?"
LONG = "signal " * 4000
PIXEL = "data:image/png;base64,iVBORw0KGgo="


def studio(**options: Any) -> LMStudio:
    return LMStudio(EmulatorOptions(models=(SMALL, THINKING, GPT_OSS, SEEING), **options))


async def post(http: aiohttp.ClientSession, url: str, path: str, **body: Any) -> tuple[int, Any]:
    async with http.post(url + path, json=body) as response:
        return response.status, json.loads(await response.read())


async def chat(http: aiohttp.ClientSession, url: str, **fields: Any) -> tuple[int, Any]:
    return await post(http, url, "/api/v1/chat", **{"model": SMALL, "input": PROMPT, **fields})


async def events(http: aiohttp.ClientSession, url: str, **fields: Any) -> list[dict[str, Any]]:
    """The data of the events, each checked to carry its event's name."""
    found = []
    asked = {"model": SMALL, "input": PROMPT, "stream": True, **fields}
    async with http.post(f"{url}/api/v1/chat", json=asked) as response:
        assert (response.status, response.content_type) == (200, "text/event-stream")
        text = (await response.read()).decode()
    for event in text.split("\n\n")[:-1]:
        name, data = event.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name.removeprefix("event: ") == found[-1]["type"]
    return found


def kinds(found: list[dict[str, Any]]) -> list[str]:
    """The types in order, runs of one type once."""
    return [kind for kind, _ in groupby(event["type"] for event in found)]


async def test_a_cold_start_is_told_apart_from_generating(http: aiohttp.ClientSession) -> None:
    async with serving(studio()) as url:
        status, cold = await chat(http, url)
        _, warm = await chat(http, url)
    assert status == 200 and cold.keys() == {"model_instance_id", "output", "stats", "response_id"}
    assert cold["model_instance_id"] == SMALL and cold["response_id"].startswith("resp_")
    assert [item["type"] for item in cold["output"]] == ["message"]
    assert cold["stats"].pop("model_load_time_seconds") > 0
    assert cold["stats"].keys() == warm["stats"].keys()
    assert cold["stats"]["input_tokens"] > 0 and cold["stats"]["total_output_tokens"] > 0
    assert warm["output"] == cold["output"]


async def test_a_stream_tells_load_prefill_and_text_and_ends_with_the_whole_answer(http: aiohttp.ClientSession) -> None:
    async with serving(studio()) as url:
        cold = await events(http, url)
        warm = await events(http, url)
        _, whole = await chat(http, url)
    load = ["model_load.start", "model_load.progress", "model_load.end"]
    rest = [
        "prompt_processing.start",
        "prompt_processing.progress",
        "prompt_processing.end",
        "message.start",
        "message.delta",
        "message.end",
        "chat.end",
    ]
    assert kinds(cold) == ["chat.start", *load, *rest] and kinds(warm) == ["chat.start", *rest]
    for kind in ("model_load.progress", "prompt_processing.progress"):
        shares = [event["progress"] for event in cold if event["type"] == kind]
        assert shares == sorted(shares) and (shares[0], shares[-1]) == (0, 1)
    assert cold[0] == {"type": "chat.start", "model_instance_id": SMALL}
    ended = next(event for event in cold if event["type"] == "model_load.end")
    assert ended["load_time_seconds"] == cold[-1]["result"]["stats"]["model_load_time_seconds"] > 0
    text = "".join(event["content"] for event in cold if event["type"] == "message.delta")
    assert warm[-1]["result"]["output"] == whole["output"] == [{"type": "message", "content": text}]
    assert warm[-1]["result"].keys() == whole.keys() and warm[-1]["result"]["stats"].keys() == whole["stats"].keys()


async def test_reasoning_is_a_part_of_its_own(http: aiohttp.ClientSession) -> None:
    async with serving(studio()) as url:
        found = await events(http, url, model=THINKING)
        _, off = await chat(http, url, model=THINKING, reasoning="off")
        _, high = await chat(http, url, model=GPT_OSS, reasoning="high")
    expected = ["reasoning.start", "reasoning.delta", "reasoning.end", "message.start", "message.delta", "message.end"]
    assert kinds(found)[-7:-1] == expected
    result = found[-1]["result"]
    assert [item["type"] for item in result["output"]] == ["reasoning", "message"]
    assert 0 < result["stats"]["reasoning_output_tokens"] < result["stats"]["total_output_tokens"]
    assert [item["type"] for item in off["output"]] == ["message"]
    assert [item["type"] for item in high["output"]] == ["reasoning", "message"]


@pytest.mark.parametrize(
    ("model", "setting", "text"),
    [
        (SMALL, "off", f"Model '{SMALL}' does not expose reasoning configuration."),
        (THINKING, "high", "Supported settings: 'off', 'on'."),
        (GPT_OSS, "off", "Supported settings: 'low', 'medium', 'high'."),
    ],
)
async def test_a_reasoning_setting_that_the_model_does_not_have_is_refused(
    http: aiohttp.ClientSession, model: str, setting: str, text: str
) -> None:
    async with serving(studio()) as url:
        status, answer = await chat(http, url, model=model, reasoning=setting)
    assert status == 400 and text in answer["error"].pop("message")
    assert answer["error"] == {"type": "invalid_request", "param": "reasoning", "code": "invalid_value"}


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"model": ""}, {"message": "'model' is required", "code": "missing_required_parameter", "param": "model"}),
        ({"input": None}, {"code": "missing_required_parameter", "param": "input"}),
        ({"seed": 1}, {"message": "Unrecognized key(s) in object: 'seed'", "code": "unrecognized_keys"}),
        ({"temperature": "hot"}, {"code": "invalid_type", "param": "temperature"}),
        ({"input": 3}, {"code": "invalid_type", "param": "input"}),
        ({"input": [{"type": "poem"}]}, {"code": "invalid_union", "param": "input"}),
        (
            {"input": [{"type": "text", "text": "hi"}]},
            {
                "message": "'input.0.content' is required, Unrecognized key(s) in object: 'text'",
                "code": "invalid_union",
                "param": "input",
            },
        ),
        ({"input": [{"type": "image", "data_url": "https://x/y.png"}]}, {"type": "invalid_request"}),
        ({"previous_response_id": "resp_none"}, {"param": "previous_response_id"}),
        ({"integrations": ["mcp/playwright"]}, {"type": "not_implemented"}),
    ],
)
async def test_a_strict_schema_refuses_everything_else(
    http: aiohttp.ClientSession, fields: dict[str, Any], error: dict[str, str]
) -> None:
    async with serving(studio()) as url:
        status, answer = await chat(http, url, **fields)
    assert status >= 400 and error.items() <= answer["error"].items()


async def test_input_may_be_parts_and_pictures(http: aiohttp.ClientSession) -> None:
    async with serving(studio()) as url:
        _, text = await chat(http, url)
        for kind in ("message", "text"):
            _, parts = await chat(http, url, input=[{"type": kind, "content": PROMPT}])
            assert parts["output"] == text["output"]
        picture = {"type": "image", "data_url": PIXEL}
        status, _ = await chat(http, url, input=[{"type": "text", "content": PROMPT}, picture])
        assert status == 400
        status, seen = await chat(http, url, model=SEEING, input=[{"type": "text", "content": PROMPT}, picture])
        assert status == 200 and seen["stats"]["input_tokens"] > 256


async def test_a_conversation_goes_on_unless_it_was_not_stored(http: aiohttp.ClientSession) -> None:
    async with serving(studio()) as url:
        _, first = await chat(http, url, system_prompt="Be brief.")
        _, second = await chat(http, url, input="And a frog?", previous_response_id=first["response_id"])
        _, alone = await chat(http, url, input="And a frog?", store=False)
        responses = {"model": SMALL, "input": PROMPT, "previous_response_id": second["response_id"]}
        _, third = await post(http, url, "/v1/responses", **responses)
    assert "response_id" not in alone
    said = first["stats"]["total_output_tokens"]
    assert second["stats"]["input_tokens"] > alone["stats"]["input_tokens"] + said // 2
    assert third["usage"]["input_tokens"] > second["stats"]["input_tokens"]


async def test_the_window_of_a_request_counts_for_its_own_load_only(http: aiohttp.ClientSession) -> None:
    emulator = studio()
    async with serving(emulator) as url:
        await chat(http, url, context_length=9000)
        await chat(http, url, context_length=2000)
    assert [instance.context for instance in emulator.engine.loaded()] == [9000]


async def test_a_limit_ends_the_text_without_saying_so(http: aiohttp.ClientSession) -> None:
    async with serving(studio()) as url:
        _, answer = await chat(http, url, max_output_tokens=3)
    assert answer["stats"]["total_output_tokens"] == 3 and "finish_reason" not in answer


async def test_an_error_in_the_stream_is_followed_by_what_there_is(http: aiohttp.ClientSession) -> None:
    async with serving(studio(faults=[Fault(FaultName.ERROR_EVENT_MID_STREAM, after=4)])) as url:
        found = await events(http, url)
    text = "".join(event["content"] for event in found if event["type"] == "message.delta")
    assert [event["type"] for event in found][-2:] == ["error", "chat.end"]
    assert found[-2]["error"].keys() == {"type", "message"}
    result = found[-1]["result"]
    assert result["output"] == [{"type": "message", "content": text}] and "response_id" not in result
    assert result["stats"]["total_output_tokens"] == 4


async def test_a_prompt_that_does_not_fit_is_an_error_of_the_stream(http: aiohttp.ClientSession) -> None:
    async with serving(studio()) as url:
        status, answer = await chat(http, url, input=LONG)
        found = await events(http, url, input=LONG)
    assert status == 400 and "n_ctx: 4096" in answer["error"]["message"]
    assert kinds(found) == ["chat.start", "error", "chat.end"] and "n_ctx: 4096" in found[1]["error"]["message"]
    assert found[-1]["result"]["output"] == []
