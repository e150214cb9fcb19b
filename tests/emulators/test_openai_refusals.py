"""What OpenAI's cloud refuses, and in which words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from tests.emulators.test_openai import ASKED, CALLED, CLOSED, WEATHER, Cloud

from turnout.emulators.openai import make
from turnout.emulators.server import EmulatorOptions, serving

pytestmark = pytest.mark.anyio

OPEN = {"type": "object", "properties": {"a": {"type": "string"}}}
HALF = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}
NESTED = {**CLOSED, "properties": {"answer": OPEN}, "required": ["answer"]}


@pytest.fixture
async def cloud(http: aiohttp.ClientSession) -> AsyncIterator[Cloud]:
    models = ["gpt-4.1", "gpt-5", "blind-7b", "text-embedding-3-small"]
    async with serving(make(EmulatorOptions(models=models, context=200))) as url:
        yield Cloud(http, url)


def strictly(schema: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "it", "strict": True, "schema": schema}}


REFUSED: dict[str, tuple[dict[str, Any], str | None, str | None, str]] = {
    "unknown argument": ({"top_k": 1}, None, None, "Unrecognized request argument supplied: top_k"),
    "unknown arguments": ({"top_k": 1, "min_p": 0}, None, None, "Unrecognized request arguments supplied: min_p, top_k"),
    "effort without reasoning": (
        {"reasoning_effort": "low"}, None, None, "Unrecognized request argument supplied: reasoning_effort",
    ),
    "no messages": ({"messages": None}, "missing_required_parameter", "messages", "Missing required parameter"),
    "empty messages": ({"messages": []}, "empty_array", "messages", "empty array"),
    "unknown role": ({"messages": [{"role": "me", "content": "x"}]}, "invalid_value", "messages[0].role", "'me'"),
    "unanswered call": (
        {"messages": [*ASKED, {"role": "assistant", "tool_calls": [CALLED]}, *ASKED]}, None, "messages", "call_1",
    ),
    "result of nothing": (
        {"messages": [*ASKED, {"role": "tool", "tool_call_id": "x", "content": "y"}]}, None, "messages.[1].role",
        "must be a response to a preceeding message with 'tool_calls'",
    ),
    "too warm": ({"temperature": 3}, "decimal_above_max_value", "temperature", "<= 2, but got 3"),
    "temperature in words": ({"temperature": "hot"}, "invalid_type", "temperature", "got a string"),
    "no tokens": ({"max_tokens": 0}, "integer_below_min_value", "max_tokens", ">= 1, but got 0"),
    "too many tokens": ({"max_tokens": 40_000}, "invalid_value", "max_tokens", "max_tokens is too large: 40000"),
    "alternatives alone": ({"top_logprobs": 2}, None, "top_logprobs", "only allowed when 'logprobs' is enabled"),
    "too many alternatives": ({"logprobs": True, "top_logprobs": 21}, None, "top_logprobs", "equal to 20"),
    "too many stops": ({"stop": list("abcde")}, "array_above_max_length", "stop", "maximum length 4"),
    "usage of no stream": ({"stream_options": {"include_usage": True}}, None, "stream_options", "'stream' is enabled"),
    "choice without tools": ({"tool_choice": "required"}, None, "tool_choice", "'tools' are specified"),
    "tool with a dot": (
        {"tools": [{"type": "function", "function": {"name": "a.b"}}]}, "invalid_value", "tools[0].function.name",
        "string does not match pattern",
    ),
    "unknown choice": ({"tools": [WEATHER], "tool_choice": "wat"}, "invalid_value", "tool_choice", "'wat'"),
    "unknown format": ({"response_format": {"type": "xml"}}, "invalid_value", "response_format.type", "'xml'"),
    "json unmentioned": ({"response_format": {"type": "json_object"}}, None, "messages", "must contain the word 'json'"),
    "schema without a name": (
        {"response_format": {"type": "json_schema", "json_schema": {}}}, "missing_required_parameter",
        "response_format.json_schema", "Missing required parameter",
    ),
    "open schema": ({"response_format": strictly(OPEN)}, None, "response_format", "'additionalProperties' is required"),
    "optional property": ({"response_format": strictly(HALF)}, None, "response_format", "Missing 'a'"),
    "open object inside": (
        {"response_format": strictly(NESTED)}, None, "response_format", "In context=('properties', 'answer')",
    ),
    "no object": ({"response_format": strictly({"type": "array"})}, None, "response_format", "got 'type: \"array\"'"),
    "picture to the blind": (
        {
            "model": "blind-7b",
            "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}],
        },
        None, "messages[0].content", "image_url is only supported by certain models",
    ),
    "old limit": ({"model": "gpt-5", "max_tokens": 9}, "unsupported_parameter", "max_tokens", "max_completion_tokens"),
    "warm reasoning": ({"model": "gpt-5", "temperature": 0}, "unsupported_value", "temperature", "default (1)"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
async def test_it_is_refused_before_anything_is_generated(cloud: Cloud, case: str) -> None:
    changes, code, param, words = REFUSED[case]
    answer = await cloud.chat(**changes)
    assert answer.status == 400
    assert words in answer.error["message"]
    assert answer.error == {
        "message": answer.error["message"], "type": "invalid_request_error", "param": param, "code": code
    }  # fmt: skip


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_prompt_longer_than_the_window_is_refused_with_its_code(cloud: Cloud, streamed: bool) -> None:
    long = await cloud.chat(messages=[{"role": "user", "content": "a " * 500}], stream=streamed)
    both = await cloud.chat(max_tokens=195, stream=streamed)
    assert long.status == both.status == 400
    assert long.error["code"] == both.error["code"] == "context_length_exceeded"
    assert "maximum context length is 200 tokens. However, your messages resulted in 254" in long.error["message"]
    assert "(18 in the messages, 195 in the completion)" in both.error["message"]


async def test_the_window_ends_an_answer_without_a_limit(cloud: Cloud) -> None:
    answer = (await cloud.chat(messages=[{"role": "user", "content": "write 900 words about rain"}])).body
    assert answer["choices"][0]["finish_reason"] == "length" and answer["usage"]["total_tokens"] == 200


async def test_unknown_models_and_paths_are_not_found(cloud: Cloud) -> None:
    model, path, method = [
        await cloud.chat(model="gpt-9"),
        await cloud.post("/chat", {}),
        await cloud.get(f"{cloud.url}/chat/completions"),
    ]
    assert model.status == 404 and model.error["code"] == "model_not_found"
    assert model.error["message"] == "The model `gpt-9` does not exist or you do not have access to it."
    assert path.status == 404 and path.error["message"] == "Invalid URL (POST /v1/chat)"
    assert method.status == 405 and "Not allowed to GET on /v1/chat/completions" in method.error["message"]


async def test_what_is_no_json_is_told_so(cloud: Cloud) -> None:
    for body in (b"{", b"[]"):
        answer = await cloud.post("/chat/completions", body)
        assert answer.status == 400 and "could not parse the JSON body" in answer.error["message"]
    assert (await cloud.chat(model="")).error["message"] == "you must provide a model parameter"


async def test_each_model_has_its_endpoint(cloud: Cloud) -> None:
    chat = await cloud.chat(model="text-embedding-3-small")
    embeddings = await cloud.post("/embeddings", {"model": "gpt-4.1", "input": "x"})
    assert chat.status == 404 and "not a chat model" in chat.error["message"]
    assert embeddings.status == 403 and "not allowed to generate embeddings" in embeddings.error["message"]


@pytest.mark.parametrize("given", [None, "", [], [""], [1.5], {}])
async def test_nothing_cannot_be_embedded(cloud: Cloud, given: Any) -> None:
    answer = await cloud.post("/embeddings", {"model": "text-embedding-3-small", "input": given})
    assert answer.status == 400 and "'$.input' is invalid" in answer.error["message"]


async def test_tokens_can_be_embedded_and_too_many_cannot(cloud: Cloud) -> None:
    body = {"model": "text-embedding-3-small"}
    assert (await cloud.post("/embeddings", body | {"input": [1, 2, 3]})).body["usage"]["prompt_tokens"] == 3
    answer = await cloud.post("/embeddings", body | {"input": "ab " * 300})
    assert "maximum context length is 200 tokens, however you requested 225" in answer.error["message"]


async def test_reasoning_models_keep_log_probabilities_to_themselves(cloud: Cloud) -> None:
    answer = await cloud.chat(model="gpt-5", logprobs=True)
    assert answer.status == 403 and "not allowed to request logprobs" in answer.error["message"]
