"""Ollama's `/v1` as emulated: what it changes, ignores and swallows, before and after 0.32.6."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import aiohttp
import pytest

from turnout.emulators.faults import Fault, FaultName
from turnout.emulators.ollama import Ollama, make
from turnout.emulators.server import EmulatorOptions, serving

pytestmark = pytest.mark.anyio

USER = [{"role": "user", "content": "What is a turnout?"}]
TOOL = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}
WEATHER = [{"role": "user", "content": "call get_weather for Rome"}]


def ollama(*faults: Fault, **options: Any) -> Ollama:
    return make(EmulatorOptions(faults=faults, **options))


async def post(
    http: aiohttp.ClientSession, url: str, path: str = "/v1/chat/completions", **body: Any
) -> tuple[int, dict[str, Any]]:
    async with http.post(url + path, json={"model": "llama3.1:8b", "messages": USER, **body}) as response:
        return response.status, json.loads(await response.read())


async def stream(http: aiohttp.ClientSession, url: str, **body: Any) -> tuple[list[dict[str, Any]], bool]:
    """The chunks, and whether the end was announced."""
    asked = {"model": "llama3.1:8b", "messages": USER, "stream": True, **body}
    async with http.post(f"{url}/v1/chat/completions", json=asked) as response:
        assert (response.status, response.content_type) == (200, "text/event-stream")
        events = [event.removeprefix("data: ") for event in (await response.text()).split("\n\n") if event]
    done = events[-1] == "[DONE]"
    return [json.loads(event) for event in (events[:-1] if done else events)], done


def deltas(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]


def reasons(chunks: list[dict[str, Any]]) -> list[str | None]:
    return [chunk["choices"][0]["finish_reason"] for chunk in chunks if chunk["choices"]]


async def test_an_answer_has_the_shape_of_openai_and_the_fingerprint_of_ollama(http: aiohttp.ClientSession) -> None:
    async with serving(ollama()) as url:
        status, answer = await post(http, url)
    assert status == 200 and answer["object"] == "chat.completion" and answer["system_fingerprint"] == "fp_ollama"
    assert int(answer["id"].removeprefix("chatcmpl-")) < 999
    choice = answer["choices"][0]
    assert choice["finish_reason"] == "stop" and choice["message"]["content"] and "logprobs" not in choice
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > usage["prompt_tokens"] > 0


async def test_a_stream_since_0_32_6_has_the_role_once_and_the_reason_alone(http: aiohttp.ClientSession) -> None:
    async with serving(ollama()) as url:
        chunks, done = await stream(http, url, stream_options={"include_usage": True})
        _, whole = await post(http, url)
    assert done and len({chunk["created"] for chunk in chunks}) == 1
    assert ["role" in delta for delta in deltas(chunks)] == [True] + [False] * (len(chunks) - 2)
    assert deltas(chunks)[-1] == {} and reasons(chunks)[-1] == "stop" and set(reasons(chunks)[:-1]) == {None}
    assert chunks[-1]["choices"] == [] and chunks[-1]["usage"] == whole["usage"]
    text = "".join(delta.get("content", "") for delta in deltas(chunks))
    assert text == whole["choices"][0]["message"]["content"]


async def test_a_stream_before_0_32_6_repeats_the_role(http: aiohttp.ClientSession) -> None:
    async with serving(ollama(version="0.32.5")) as url:
        chunks, done = await stream(http, url)
    assert done and all(delta["role"] == "assistant" for delta in deltas(chunks))
    assert deltas(chunks)[-1]["content"] == "" and reasons(chunks)[-1] == "stop" and "usage" not in chunks[-1]


async def test_a_failure_after_the_first_chunk_is_swallowed(http: aiohttp.ClientSession) -> None:
    for name in (FaultName.SWALLOWED_ERROR, FaultName.ERROR_EVENT_MID_STREAM):
        async with serving(ollama(Fault(name, after=3))) as url:
            chunks, done = await stream(http, url)
        assert not done and len(chunks) == 4 and set(reasons(chunks)) == {None}
        assert chunks[-1]["model"] == "" and deltas(chunks)[-1] == {"content": ""}


async def test_thinking_is_called_reasoning_and_an_effort_of_none_turns_it_off(http: aiohttp.ClientSession) -> None:
    async with serving(ollama()) as url:
        chunks, _ = await stream(http, url, model="qwen3:4b")
        _, off = await post(http, url, model="qwen3:4b", reasoning_effort="none")
        _, nested = await post(http, url, model="qwen3:4b", reasoning={"effort": "high"})
        refused, error = await post(http, url, model="qwen3:4b", reasoning_effort="heroic")
        incapable, _ = await post(http, url, reasoning_effort="high")
    assert deltas(chunks)[0]["reasoning"] and deltas(chunks)[0]["content"] == ""
    assert "reasoning" not in off["choices"][0]["message"] and nested["choices"][0]["message"]["reasoning"]
    assert refused == incapable == 400 and "heroic" in error["error"]["message"]
    for version, status in (("0.32.10", 400), ("0.32.11", 200)):
        async with serving(ollama(version=version)) as url:
            assert (await post(http, url, model="qwen3:4b", reasoning_effort="xhigh"))[0] == status


async def test_a_tool_call_is_one_delta_with_its_arguments_as_text(http: aiohttp.ClientSession) -> None:
    async with serving(ollama()) as url:
        chunks, _ = await stream(http, url, messages=WEATHER, tools=[TOOL])
        _, whole = await post(http, url, messages=WEATHER, tools=[TOOL])
    calls = [delta["tool_calls"] for delta in deltas(chunks) if "tool_calls" in delta]
    assert len(calls) == 1 and "city" in json.loads(calls[0][0]["function"]["arguments"])
    assert reasons(chunks)[-1] == whole["choices"][0]["finish_reason"] == "tool_calls"


async def test_many_parameters_are_ignored_without_an_error(http: aiohttp.ClientSession) -> None:
    ignored = {
        "tools": [TOOL],
        "tool_choice": "required",
        "max_completion_tokens": 1,
        "n": 3,
        "options": {"num_ctx": "nonsense"},
        "num_ctx": 16,
        "keep_alive": 0,
        "response_format": {"type": "grammar"},
    }
    emulator = ollama()
    async with serving(emulator) as url:
        _, answer = await post(http, url, **ignored)
        _, cut = await post(http, url, max_tokens=2)
    choice = answer["choices"][0]
    assert choice["finish_reason"] == "stop" and "tool_calls" not in choice["message"] and len(answer["choices"]) == 1
    assert emulator.engine.loaded() and emulator.engine.loaded()[0].context == 32768
    assert cut["choices"][0]["finish_reason"] == "length" and cut["usage"]["completion_tokens"] == 2


async def test_logprobs_and_schemas_are_understood(http: aiohttp.ClientSession) -> None:
    schema = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
    async with serving(ollama()) as url:
        _, answer = await post(
            http, url, logprobs=True, response_format={"type": "json_schema", "json_schema": {"schema": schema}}
        )
        _, anything = await post(http, url, response_format={"type": "json_object"})
        chunks, _ = await stream(http, url, logprobs=True, top_logprobs=1)
    choice = answer["choices"][0]
    assert "answer" in json.loads(choice["message"]["content"])
    assert "".join(entry["token"] for entry in choice["logprobs"]["content"]) == choice["message"]["content"]
    assert isinstance(json.loads(anything["choices"][0]["message"]["content"]), dict)
    bare = [c for chunk in chunks for c in chunk["choices"] if "logprobs" in c and not c["delta"]["content"]]
    assert bare and bare[0]["logprobs"]["content"][0]["top_logprobs"]


def image(url: str) -> list[dict[str, Any]]:
    parts = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": url}}]
    return [{"role": "user", "content": parts}]


@pytest.mark.parametrize(
    ("body", "status", "kind", "message"),
    [
        ({"messages": []}, 400, "invalid_request_error", "[] is too short - 'messages'"),
        ({"model": "nope"}, 404, "not_found_error", "model 'nope' not found"),
        ({"messages": image("https://x.org/a.png")}, 400, "invalid_request_error", "image URLs are not currently"),
        ({"messages": image("data:image/gif;base64,AA")}, 400, "invalid_request_error", "invalid image input"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}]},
            400,
            "invalid_request_error",
            "invalid tool call arguments",
        ),
        ({"top_logprobs": 99}, 400, "invalid_request_error", "top_logprobs must be between 0 and 20"),
    ],
)
async def test_errors_are_objects_with_a_type(
    http: aiohttp.ClientSession, body: dict[str, Any], status: int, kind: str, message: str
) -> None:
    async with serving(ollama()) as url:
        got, answer = await post(http, url, **body)
    error = answer["error"]
    assert got == status and error["type"] == kind and message in error["message"]
    assert error["param"] is None and error["code"] is None


async def test_an_overflow_of_a_native_template_is_json_within_json(http: aiohttp.ClientSession) -> None:
    long = [{"role": "user", "content": "word " * 40_000}]
    async with serving(ollama()) as url:
        status, answer = await post(http, url, model="llama3.3:70b", messages=long)
        _, cut = await post(http, url, messages=long)
    assert status == 400 and json.loads(answer["error"]["message"])["error"]["n_ctx"] == 32768
    assert cut["usage"]["prompt_tokens"] == 16387


async def test_a_data_image_is_taken(http: aiohttp.ClientSession) -> None:
    async with serving(ollama(models=("llava:7b",))) as url:
        status, answer = await post(http, url, model="llava:7b", messages=image("data:image/png;base64,AAAA"))
    assert status == 200 and answer["usage"]["prompt_tokens"] > 256


async def test_models_are_listed_and_none_at_all_is_null(http: aiohttp.ClientSession) -> None:
    emulator = ollama()
    async with serving(emulator) as url:
        async with http.get(f"{url}/v1/models") as response:
            listed = (await response.json())["data"]
        async with http.get(f"{url}/v1/models/qwen3:4b") as response:
            assert (await response.json())["id"] == "qwen3:4b"
        async with http.get(f"{url}/v1/models/nope") as response:
            assert response.status == 404 and (await response.json())["error"]["type"] == "not_found_error"
        emulator.models.clear()
        async with http.get(f"{url}/v1/models") as response:
            assert await response.json() == {"object": "list", "data": None}
        async with http.get(f"{url}/api/tags") as response:
            assert await response.json() == {"models": []}
    assert {model["owned_by"] for model in listed} == {"library"} and all("created" in model for model in listed)


async def test_embeddings_come_as_numbers_or_base64(http: aiohttp.ClientSession) -> None:
    asked = {"model": "nomic-embed-text", "input": ["a b", "c"]}
    async with serving(ollama()) as url:
        _, plain = await post(http, url, "/v1/embeddings", **asked)
        _, packed = await post(http, url, "/v1/embeddings", encoding_format="base64", **asked)
        refused, _ = await post(http, url, "/v1/embeddings", encoding_format="hex", **asked)
        empty, _ = await post(http, url, "/v1/embeddings", model="nomic-embed-text", input="")
        missing, error = await post(http, url, "/v1/embeddings", model="nope", input="x")
    vector = plain["data"][0]["embedding"]
    raw = base64.b64decode(packed["data"][0]["embedding"])
    assert struct.unpack(f"<{len(vector)}f", raw) == pytest.approx(vector)
    assert [entry["index"] for entry in plain["data"]] == [0, 1] and plain["usage"]["prompt_tokens"] == 2
    assert refused == empty == 400
    assert (missing, error["error"]["message"]) == (404, 'model "nope" not found, try pulling it first')
