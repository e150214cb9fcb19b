"""Anthropic's Messages API, emulated: messages, events, models."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from jsonschema import validate
from tests.emulators.wire import Told, told

from turnout.emulators.answers import judge
from turnout.emulators.anthropic import AnthropicOptions, make
from turnout.emulators.server import EmulatorOptions, serving

pytestmark = pytest.mark.anyio

HEADERS = {"x-api-key": "sk-ant-any", "anthropic-version": "2023-06-01"}
PROMPT = "Name the track that the night train to Oslo leaves from"
ASKED = [{"role": "user", "content": PROMPT}]
WEATHER: dict[str, Any] = {
    "name": "get_weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
CALLED = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Oslo"}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "rain"}
THINKS = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2000}


class Cloud:
    """One emulator and a client for it."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self.http, self.url = http, f"{url}/v1"

    async def ask(self, *, headers: dict[str, str] = HEADERS, path: str = "/messages", **changes: Any) -> Told:
        body = {"model": "claude-sonnet-4-5", "messages": ASKED, "max_tokens": 400, **changes}
        return await told(self.http, self.url + path, {k: v for k, v in body.items() if v is not None}, headers)

    async def get(self, path: str) -> Told:
        return await told(self.http, self.url + path, headers=HEADERS)


@pytest.fixture
async def cloud(http: aiohttp.ClientSession) -> AsyncIterator[Cloud]:
    models = ["claude-sonnet-4-5", "claude-haiku-4-5", "claude-opus-4-7"]
    async with serving(make(EmulatorOptions(models=models))) as url:
        yield Cloud(http, url)


def replay(answer: Told) -> dict[str, Any]:
    """The message that a stream builds, by the rules of its documentation; every event has to follow them."""
    message: dict[str, Any] = {}
    block: dict[str, Any] | None = None
    for name, data in answer.events:
        assert name == data["type"]
        match name:
            case "message_start":
                assert not message
                message = data["message"]
                assert message["content"] == [] and message["stop_reason"] is None
            case "content_block_start":
                assert block is None and data["index"] == len(message["content"])
                block = dict(data["content_block"], partial="")
                message["content"].append(block)
            case "content_block_delta":
                assert block is not None and data["index"] == len(message["content"]) - 1
                kind, field = {
                    "text_delta": ("text", "text"),
                    "thinking_delta": ("thinking", "thinking"),
                    "signature_delta": ("thinking", "signature"),
                    "input_json_delta": ("tool_use", "partial"),
                }[data["delta"]["type"]]
                assert block["type"] == kind
                block[field] += data["delta"]["partial_json" if field == "partial" else field]
            case "content_block_stop":
                assert block is not None and data["index"] == len(message["content"]) - 1
                partial = block.pop("partial")
                if block["type"] == "tool_use":
                    assert block["input"] == {}
                    block["input"] = json.loads(partial)
                block = None
            case "message_delta":
                assert block is None
                message.update(data["delta"])
                message["usage"].update(data["usage"])
            case _:
                assert name in ("ping", "message_stop")
    assert answer.events[-1] == ("message_stop", {"type": "message_stop"})
    return message


def nameless(message: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in message.items() if key != "id"}


async def test_an_answer_has_the_fields_of_a_message(cloud: Cloud) -> None:
    answer = await cloud.ask()
    message = answer.body
    assert (message["type"], message["role"], message["stop_reason"]) == ("message", "assistant", "end_turn")
    assert message["id"].startswith("msg_01") and answer.headers["request-id"].startswith("req_011")
    assert [block["type"] for block in message["content"]] == ["text"]
    assert judge(PROMPT, message["content"][0]["text"])
    assert message["usage"]["input_tokens"] > 10 and message["usage"]["output_tokens"] > 10
    assert message["usage"]["cache_read_input_tokens"] == 0


async def test_an_alias_is_answered_with_the_dated_release(cloud: Cloud) -> None:
    assert (await cloud.ask()).body["model"] == "claude-sonnet-4-5-20250929"
    assert (await cloud.ask(model="claude-sonnet-4-5-20250929")).body["model"] == "claude-sonnet-4-5-20250929"
    assert (await cloud.ask(model="claude-opus-4-7")).body["model"] == "claude-opus-4-7"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"max_tokens": 3},
        THINKS,
        {"tools": [WEATHER], "tool_choice": {"type": "any"}},
        {**THINKS, "tools": [WEATHER], "messages": [{"role": "user", "content": "call get_weather for Oslo"}]},
    ],
    ids=["text", "cut", "thinking", "call", "thinking and call"],
)
async def test_a_stream_builds_the_same_message(cloud: Cloud, changes: dict[str, Any]) -> None:
    whole, streamed = await cloud.ask(**changes), await cloud.ask(**changes, stream=True)
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert nameless(replay(streamed)) == nameless(whole.body)


async def test_pings_come_after_the_first_piece_and_between_later_ones(http: aiohttp.ClientSession) -> None:
    pings = []
    for every in (0, 4):
        async with serving(make(AnthropicOptions(ping_every=every))) as url:
            names = [name for name, _ in (await Cloud(http, url).ask(max_tokens=12, stream=True)).events]
        assert names[:4] == ["message_start", "content_block_start", "content_block_delta", "ping"]
        pings.append(names.count("ping"))
    assert pings == [1, 4]


async def test_thoughts_come_first_and_are_signed(cloud: Cloud) -> None:
    thinking, text = (await cloud.ask(**THINKS)).body["content"]
    assert thinking["type"] == "thinking" and thinking["thinking"] and thinking["signature"]
    assert text["type"] == "text"
    adaptive = await cloud.ask(model="claude-opus-4-7", thinking={"type": "adaptive"})
    assert [block["type"] for block in adaptive.body["content"]] == ["thinking", "text"]


async def test_a_limit_ends_the_answer(cloud: Cloud) -> None:
    message = (await cloud.ask(max_tokens=3)).body
    assert message["stop_reason"] == "max_tokens" and message["usage"]["output_tokens"] == 3


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_stop_sequence_is_named(cloud: Cloud, streamed: bool) -> None:
    text = (await cloud.ask()).body["content"][0]["text"]
    word = text.split()[4]
    answer = await cloud.ask(stop_sequences=["never said", word], stream=streamed)
    message = replay(answer) if streamed else answer.body
    assert (message["stop_reason"], message["stop_sequence"]) == ("stop_sequence", word)
    assert message["content"][0]["text"] == text.partition(word)[0]


async def test_a_schema_is_followed(cloud: Cloud) -> None:
    schema = {
        "type": "object",
        "properties": {"answer": {"type": "string"}, "tracks": {"type": "array", "items": {"type": "integer"}}},
        "required": ["answer", "tracks"],
        "additionalProperties": False,
    }
    answer = await cloud.ask(output_config={"format": {"type": "json_schema", "schema": schema}})
    validate(json.loads(answer.body["content"][0]["text"]), schema)


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "get_weather"}])
async def test_a_demanded_tool_is_called(cloud: Cloud, choice: dict[str, str]) -> None:
    message = (await cloud.ask(tools=[WEATHER], tool_choice=choice)).body
    call = message["content"][0]
    assert message["stop_reason"] == "tool_use" and call["type"] == "tool_use" and call["id"].startswith("toolu_")
    validate(call["input"], WEATHER["input_schema"])


async def test_arguments_stream_in_pieces_after_an_empty_one(cloud: Cloud) -> None:
    answer = await cloud.ask(tools=[WEATHER], tool_choice={"type": "any"}, stream=True)
    pieces = [data["delta"]["partial_json"] for name, data in answer.events if name == "content_block_delta"]
    assert pieces[0] == "" and len(pieces) > 3


async def test_a_tool_result_is_answered_in_prose(cloud: Cloud) -> None:
    turns = [*ASKED, {"role": "assistant", "content": [CALLED]}, {"role": "user", "content": [RESULT]}]
    message = (await cloud.ask(messages=turns, tools=[WEATHER])).body
    assert message["stop_reason"] == "end_turn" and judge(PROMPT, message["content"][0]["text"])


async def test_tokens_are_counted_without_an_answer(cloud: Cloud) -> None:
    counted = await cloud.ask(path="/messages/count_tokens", max_tokens=None)
    assert counted.body == {"input_tokens": (await cloud.ask()).body["usage"]["input_tokens"]}
    longer = await cloud.ask(path="/messages/count_tokens", max_tokens=None, system="Be brief.", tools=[WEATHER])
    assert longer.body["input_tokens"] > counted.body["input_tokens"] + 10


async def test_models_are_listed_in_pages(cloud: Cloud) -> None:
    everything = (await cloud.get("/models?limit=1000")).body
    names = [model["id"] for model in everything["data"]]
    assert names == ["claude-sonnet-4-5-20250929", "claude-haiku-4-5-20251001", "claude-opus-4-7"]
    assert not everything["has_more"] and (everything["first_id"], everything["last_id"]) == (names[0], names[-1])
    first = (await cloud.get("/models?limit=2")).body
    assert [m["id"] for m in first["data"]] == names[:2] and first["has_more"]
    second = (await cloud.get(f"/models?limit=2&after_id={first['last_id']}")).body
    assert [m["id"] for m in second["data"]] == names[2:] and not second["has_more"]
    before = (await cloud.get(f"/models?limit=1&before_id={names[2]}")).body
    assert [m["id"] for m in before["data"]] == names[1:2] and before["has_more"]
    assert "less than or equal to 1000" in (await cloud.get("/models?limit=1001")).error["message"]


async def test_a_model_is_described_under_both_names(cloud: Cloud) -> None:
    for name in ("claude-haiku-4-5", "claude-haiku-4-5-20251001"):
        model = (await cloud.get(f"/models/{name}")).body
        assert model["id"] == "claude-haiku-4-5-20251001" and model["display_name"] == "Claude Haiku 4.5"
        assert (model["type"], model["created_at"]) == ("model", "2025-10-01T00:00:00Z")
        assert model["max_input_tokens"] == 200_000 and model["max_tokens"] == 64_000
    assert (await cloud.get("/models/gpt-4")).error == {"type": "not_found_error", "message": "model: gpt-4"}
