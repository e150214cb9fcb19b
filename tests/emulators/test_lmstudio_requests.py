"""What LM Studio as emulated takes and refuses: bodies of requests, pictures, embeddings, and faults in its words."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

from turnout.emulators.faults import Fault, FaultName
from turnout.emulators.lmstudio import LMStudio, make
from turnout.emulators.server import EmulatorOptions, serving

pytestmark = pytest.mark.anyio

SMALL, EMBEDDING = "qwen2.5-coder-1.5b", "text-embedding-nomic"
USER = [{"role": "user", "content": "What is a turnout?"}]
PIXEL = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}


def studio(**options: Any) -> LMStudio:
    return make(EmulatorOptions(**options))


async def post(http: aiohttp.ClientSession, url: str, body: Any) -> tuple[int, Any]:
    async with http.post(url, json=body) as response:
        return response.status, json.loads(await response.read())


async def chat(http: aiohttp.ClientSession, url: str, model: str = SMALL, **fields: Any) -> tuple[int, Any]:
    return await post(http, f"{url}/v1/chat/completions", {"model": model, "messages": USER, **fields})


@pytest.mark.parametrize("path", ["/v1/embeddings", "/api/v0/embeddings"])
async def test_embeddings_are_floats_and_count_no_tokens(http: aiohttp.ClientSession, path: str) -> None:
    async with serving(studio()) as url:
        body = {"model": EMBEDDING, "input": ["a signal", "a signal", "cheese"], "encoding_format": "base64"}
        status, answer = await post(http, url + path, body)
        _, one = await post(http, url + path, {"model": EMBEDDING, "input": "a signal"})
    assert status == 200 and answer["object"] == "list" and answer["model"] == EMBEDDING
    assert answer["usage"] == {"prompt_tokens": 0, "total_tokens": 0}
    assert [entry["index"] for entry in answer["data"]] == [0, 1, 2]
    first, second, third = [entry["embedding"] for entry in answer["data"]]
    assert first == second == one["data"][0]["embedding"] != third
    assert len(first) == 768 and all(isinstance(value, float) for value in first)


async def test_a_chat_model_makes_no_embeddings_and_an_embedding_model_does_not_chat(
    http: aiohttp.ClientSession,
) -> None:
    async with serving(studio()) as url:
        for path, body in (
            ("/v1/embeddings", {"model": SMALL, "input": "x"}),
            ("/v1/chat/completions", {"model": EMBEDDING, "messages": USER}),
        ):
            status, answer = await post(http, url + path, body)
            assert status == 400 and answer["error"]["message"].startswith("No models loaded.")
        for wrong in (None, 3, ["a", 3]):
            status, answer = await post(http, f"{url}/v1/embeddings", {"model": EMBEDDING, "input": wrong})
            assert status == 400 and "'input'" in answer["error"]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"messages": None}, "'messages' field is required"),
        ({"messages": {"role": "user"}}, "'messages' field must be an array"),
        ({"messages": []}, "must not be empty"),
        ({"messages": ["hi"]}, "must only contain objects"),
        ({"messages": [{"role": "poet", "content": "hi"}]}, "must only contain objects"),
        ({"messages": [{"role": "user", "content": [{"text": "hi"}]}]}, "Invalid 'content'"),
        ({"messages": [{"role": "user", "content": 3}]}, "Invalid 'content'"),
        ({"seed": "7"}, "llm.prediction.seed"),
        ({"temperature": True}, "llm.prediction.temperature"),
        ({"stop": 3}, "llm.prediction.stopStrings"),
        ({"stream": "yes"}, "stream"),
        ({"response_format": {"type": "json_object"}}, "'response_format.type' must be 'json_schema' or 'text'"),
        ({"tool_choice": {"type": "function"}}, "Invalid tool_choice type: 'object'. Supported string values: none"),
        ({"tools": [{"name": "flat"}]}, "Invalid 'tools'"),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x/y.png"}}]}
                ]
            },
            "'url' field must be a base64 encoded image.",
        ),
        ({"messages": [{"role": "user", "content": [PIXEL]}]}, "Model does not support images."),
    ],
)
async def test_what_is_wrong_with_a_request_is_said_in_a_string(
    http: aiohttp.ClientSession, fields: dict[str, Any], text: str
) -> None:
    async with serving(studio()) as url:
        status, answer = await chat(http, url, **fields)
    assert status == 400 and isinstance(answer["error"], str) and text in answer["error"]


async def test_a_body_that_is_no_json_object_is_refused(http: aiohttp.ClientSession) -> None:
    async with serving(studio()) as url:
        for path in ("/v1/chat/completions", "/v1/responses", "/v1/embeddings"):
            for raw in (b'{"model"', b"[]", b""):
                async with http.post(url + path, data=raw) as response:
                    assert response.status == 400 and isinstance((await response.json())["error"], str)
        async with http.post(f"{url}/api/v1/chat", data=b"{") as response:
            assert response.status == 400 and (await response.json())["error"]["type"] == "invalid_request"


async def test_a_seeing_model_takes_pictures_inside_the_request(http: aiohttp.ClientSession) -> None:
    async with serving(studio(models=("llava-7b",))) as url:
        messages = [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, PIXEL]}]
        status, answer = await chat(http, url, "llava-7b", messages=messages)
    assert status == 200 and answer["usage"]["prompt_tokens"] > 256


@pytest.mark.parametrize(
    ("fault", "status", "kind"),
    [
        (FaultName.ERROR_500, 500, "internal_error"),
        (FaultName.NOT_FOUND, 404, "invalid_request_error"),
        (FaultName.LOAD_FAILED, 400, "invalid_request_error"),
        (FaultName.UNAUTHORIZED, 401, "invalid_request_error"),
        (FaultName.ERROR_WITH_200, 200, "server_error"),
    ],
)
async def test_faults_speak_its_language(http: aiohttp.ClientSession, fault: FaultName, status: int, kind: str) -> None:
    async with serving(studio(faults=[Fault(fault)])) as url:
        got, answer = await chat(http, url)
        assert got == status and answer["error"]["type"] == kind
        got, answer = await post(http, f"{url}/api/v1/chat", {"model": SMALL, "input": "hi"})
        assert got == status and not answer["error"]["type"].endswith(("_request_error", "server_error"))
