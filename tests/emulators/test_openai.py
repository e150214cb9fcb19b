"""OpenAI's cloud, emulated: documents, streams, refusals."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import aiohttp
import pytest
from jsonschema import validate
from tests.emulators.wire import Told, told

from turnout.emulators.answers import judge
from turnout.emulators.openai import OpenAIOptions, make
from turnout.emulators.server import EmulatorOptions, serving
from turnout.errors import ConfigurationError

pytestmark = pytest.mark.anyio

PROMPT = "Name the track that the night train to Oslo leaves from"
ASKED = [{"role": "user", "content": PROMPT}]
WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
CALLED = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'}}
CLOSED = {
    "type": "object",
    "properties": {"answer": {"type": "string"}, "tracks": {"type": "array", "items": {"type": "integer"}}},
    "required": ["answer", "tracks"],
    "additionalProperties": False,
}


class Cloud:
    """One emulator and a client for it."""

    def __init__(self, http: aiohttp.ClientSession, url: str, model: str = "gpt-4.1") -> None:
        self.get = partial(told, http)
        self.http, self.url, self.model = http, f"{url}/v1", model

    async def chat(self, **changes: Any) -> Told:
        return await self.post("/chat/completions", {"model": self.model, "messages": ASKED, **changes})

    async def post(self, path: str, body: Any, **headers: str) -> Told:
        return await told(self.http, self.url + path, body, headers)


@pytest.fixture
async def cloud(http: aiohttp.ClientSession) -> AsyncIterator[Cloud]:
    async with serving(make(EmulatorOptions())) as url:
        yield Cloud(http, url)


def text_of(answer: Told) -> str:
    return "".join(
        choice["delta"].get("content") or "" for chunk in answer.documents[:-1] for choice in chunk["choices"]
    )


async def test_an_answer_has_the_fields_of_a_chat_completion(cloud: Cloud) -> None:
    answer = (await cloud.chat()).body
    assert answer["object"] == "chat.completion" and answer["id"].startswith("chatcmpl-")
    choice = answer["choices"][0]
    assert choice["message"]["role"] == "assistant" and choice["message"]["refusal"] is None
    assert choice["finish_reason"] == "stop" and choice["logprobs"] is None
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert judge(PROMPT, choice["message"]["content"])


async def test_an_alias_is_answered_with_the_dated_release(cloud: Cloud) -> None:
    assert (await cloud.chat()).body["model"] == "gpt-4.1-2025-04-14"
    assert (await cloud.chat(model="gpt-4.1-2025-04-14")).status == 200


async def test_a_stream_begins_with_the_role_and_ends_with_done(cloud: Cloud) -> None:
    answer = await cloud.chat(stream=True)
    assert answer.headers["content-type"].startswith("text/event-stream")
    first, *middle, last, done = answer.documents
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    assert all(chunk["choices"][0]["finish_reason"] is None for chunk in middle) and len(middle) > 5
    assert last["choices"][0]["finish_reason"] == "stop" and last["choices"][0]["delta"] == {}
    assert done == "[DONE]"
    assert not any("usage" in chunk for chunk in (first, *middle, last))
    assert text_of(answer) == (await cloud.chat()).body["choices"][0]["message"]["content"]


async def test_usage_is_one_more_chunk_without_choices_when_it_is_asked_for(cloud: Cloud) -> None:
    *chunks, usage, _ = (await cloud.chat(stream=True, stream_options={"include_usage": True})).documents
    assert all(chunk["usage"] is None for chunk in chunks)
    assert usage["choices"] == [] and usage["usage"] == (await cloud.chat()).body["usage"]


@pytest.mark.parametrize("streamed", [False, True])
async def test_log_probabilities_come_with_as_many_alternatives_as_were_asked_for(cloud: Cloud, streamed: bool) -> None:
    answer = await cloud.chat(logprobs=True, top_logprobs=3, max_tokens=8, stream=streamed)
    choices = [d["choices"][0] for d in (answer.documents[:-1] if streamed else [answer.body])]
    entries = [entry for choice in choices if choice["logprobs"] for entry in choice["logprobs"]["content"]]
    text = text_of(answer) if streamed else choices[0]["message"]["content"]
    assert "".join(entry["token"] for entry in entries) == text
    assert b"".join(bytes(entry["bytes"]) for entry in entries) == text.encode()
    assert all(len(entry["top_logprobs"]) == 3 and entry["logprob"] <= 0 for entry in entries) and len(entries) == 8
    bare = (await cloud.chat(logprobs=True)).body["choices"][0]["logprobs"]["content"]
    assert all(entry["top_logprobs"] == [] for entry in bare)


async def test_a_limit_of_tokens_ends_the_answer(cloud: Cloud) -> None:
    answer = (await cloud.chat(max_tokens=3)).body
    assert answer["choices"][0]["finish_reason"] == "length" and answer["usage"]["completion_tokens"] == 3


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_schema_is_followed(cloud: Cloud, streamed: bool) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "track", "strict": True, "schema": CLOSED}}
    answer = await cloud.chat(response_format=wanted, stream=streamed)
    validate(json.loads(text_of(answer) if streamed else answer.body["choices"][0]["message"]["content"]), CLOSED)


async def test_json_without_a_schema_is_an_object(cloud: Cloud) -> None:
    asked = [{"role": "user", "content": f"{PROMPT}, as JSON"}]
    answer = await cloud.chat(messages=asked, response_format={"type": "json_object"})
    assert isinstance(json.loads(answer.body["choices"][0]["message"]["content"]), dict)


@pytest.mark.parametrize(("choice", "finish"), [("required", "tool_calls"), (WEATHER, "stop")])
async def test_a_demanded_tool_is_called_and_its_arguments_stream_in_pieces(
    cloud: Cloud, choice: Any, finish: str
) -> None:
    whole = (await cloud.chat(tools=[WEATHER], tool_choice=choice)).body["choices"][0]
    assert whole["finish_reason"] == finish and whole["message"]["content"] is None
    call = whole["message"]["tool_calls"][0]
    assert call["function"]["name"] == "get_weather"
    validate(json.loads(call["function"]["arguments"]), WEATHER["function"]["parameters"])
    streamed = await cloud.chat(tools=[WEATHER], tool_choice=choice, stream=True)
    deltas = [c["choices"][0]["delta"] for c in streamed.documents[:-1]]
    pieces = [delta["tool_calls"][0] for delta in deltas if "tool_calls" in delta]
    assert pieces[0] == {
        "index": 0, "id": call["id"], "type": "function", "function": {"name": "get_weather", "arguments": ""}
    }  # fmt: skip
    assert len(pieces) > 3 and not any("id" in piece for piece in pieces[1:])
    assert "".join(piece["function"]["arguments"] for piece in pieces) == call["function"]["arguments"]
    assert streamed.documents[-2]["choices"][0]["finish_reason"] == finish


async def test_a_tool_result_is_answered_in_prose(cloud: Cloud) -> None:
    turns = [*ASKED, {"role": "assistant", "content": None, "tool_calls": [CALLED]}]
    answer = await cloud.chat(
        messages=[*turns, {"role": "tool", "tool_call_id": "call_1", "content": "rain"}], tools=[WEATHER]
    )
    assert answer.body["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize("streamed", [False, True])
async def test_reasoning_is_counted_and_kept_secret(http: aiohttp.ClientSession, streamed: bool) -> None:
    async with serving(make(EmulatorOptions(models=["gpt-5-mini"]))) as url:
        options = {"stream_options": {"include_usage": True}} if streamed else {}
        answer = await Cloud(http, url).chat(model="gpt-5-mini", reasoning_effort="low", stream=streamed, **options)
    usage = (answer.documents[-2] if streamed else answer.body)["usage"]
    assert usage["completion_tokens"] > usage["completion_tokens_details"]["reasoning_tokens"] > 5
    assert b"They ask about" not in answer.raw


@pytest.mark.parametrize("kind", ["float", "base64"])
async def test_embeddings_come_in_both_encodings(cloud: Cloud, kind: str) -> None:
    body = {"model": "text-embedding-3-small", "input": ["a", "b c"], "encoding_format": kind, "dimensions": 16}
    answer = (await cloud.post("/embeddings", body)).body
    vectors = [entry["embedding"] for entry in answer["data"]]
    if kind == "base64":
        vectors = [struct.unpack("<16f", base64.b64decode(vector)) for vector in vectors]
    assert [entry["index"] for entry in answer["data"]] == [0, 1]
    assert all(len(v) == 16 and sum(x * x for x in v) == pytest.approx(1, abs=1e-5) for v in vectors)
    assert answer["usage"] == {"prompt_tokens": 2, "total_tokens": 2}


async def test_old_completions_are_for_old_models(http: aiohttp.ClientSession) -> None:
    async with serving(make(EmulatorOptions(models=["gpt-3.5-turbo-instruct", "gpt-4.1"]))) as url:
        cloud = Cloud(http, url)
        asked = {"model": "gpt-3.5-turbo-instruct", "prompt": PROMPT, "max_tokens": 6, "logprobs": 2}
        whole = (await cloud.post("/completions", asked)).body
        *chunks, done = (await cloud.post("/completions", asked | {"stream": True})).documents
        refused = await cloud.post("/completions", asked | {"model": "gpt-4.1"})
    assert whole["object"] == "text_completion" and whole["choices"][0]["finish_reason"] == "length"
    assert "".join(whole["choices"][0]["logprobs"]["tokens"]) == whole["choices"][0]["text"]
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == whole["choices"][0]["text"] and done == "[DONE]"
    assert refused.status == 404 and "v1/chat/completions" in refused.error["message"]


async def test_models_are_listed_and_described(cloud: Cloud) -> None:
    listing = (await cloud.get(f"{cloud.url}/models")).body
    assert [model["id"] for model in listing["data"]] == ["gpt-4.1", "gpt-4.1-mini", "text-embedding-3-small"]
    assert (await cloud.get(f"{cloud.url}/models/gpt-4.1")).body == listing["data"][0]
    assert (await cloud.get(f"{cloud.url}/models/gpt-9")).error["code"] == "model_not_found"


async def test_a_key_is_needed_when_there_is_one(http: aiohttp.ClientSession) -> None:
    async with serving(make(OpenAIOptions(api_key="sk-right"))) as url:
        cloud = Cloud(http, url)
        none, wrong, right = [
            await told(http, f"{cloud.url}/models", headers=headers)
            for headers in ({}, {"Authorization": "Bearer sk-wrong"}, {"Authorization": "Bearer sk-right"})
        ]
    assert none.status == wrong.status == 401 and right.status == 200
    assert none.error["code"] is None and "didn't provide an API key" in none.error["message"]
    assert wrong.error["code"] == "invalid_api_key" and wrong.error["type"] == "invalid_request_error"


async def test_an_unknown_server_is_a_mistake() -> None:
    with pytest.raises(ConfigurationError, match="openai, llamacpp, vllm"):
        make(OpenAIOptions(server="gguf"))
