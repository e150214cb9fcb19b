"""llama.cpp's server and vLLM, emulated: where each departs from OpenAI."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from tests.emulators.test_openai import PROMPT, WEATHER, Cloud, text_of
from tests.emulators.wire import Told, told

from turnout.emulators.openai import OpenAIEmulator, OpenAIOptions, make
from turnout.emulators.server import serving

pytestmark = pytest.mark.anyio

LLAMA = "llama-3.1-8b-instruct-q4_k_m.gguf"
QWEN = "Qwen/Qwen3-8B"
LONG = [{"role": "user", "content": "a " * 500}]
PICTURE = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}]


@pytest.fixture
async def llamacpp(http: aiohttp.ClientSession) -> AsyncIterator[Cloud]:
    async with serving(make(OpenAIOptions(server="llamacpp", context=200))) as url:
        yield Cloud(http, url, LLAMA)


@pytest.fixture
async def vllm(http: aiohttp.ClientSession) -> AsyncIterator[Cloud]:
    async with serving(make(OpenAIOptions(server="vllm", context=200))) as url:
        yield Cloud(http, url, QWEN)


def choice_of(answer: Told) -> Any:
    return answer.body["choices"][0]


# llama.cpp.


@pytest.mark.parametrize("name", ["no-such-model", 7, None])
async def test_llamacpp_answers_to_any_name_with_its_own(llamacpp: Cloud, name: object) -> None:
    answer = await llamacpp.chat(model=name)
    assert answer.body["model"] == LLAMA and answer.headers["server"] == "llama.cpp"
    assert answer.body["timings"]["prompt_n"] == answer.body["usage"]["prompt_tokens"]


async def test_llamacpp_lists_its_model_twice_with_its_window(llamacpp: Cloud) -> None:
    listing = (await llamacpp.get(f"{llamacpp.url}/models")).body
    assert listing["models"][0]["name"] == listing["data"][0]["id"] == LLAMA
    assert listing["data"][0]["owned_by"] == "llamacpp"
    assert listing["data"][0]["meta"]["n_ctx"] == 200 and listing["data"][0]["meta"]["n_ctx_train"] == 131072
    assert (await llamacpp.get(f"{llamacpp.url}/models/{LLAMA}")).error["type"] == "not_found_error"


async def test_llamacpp_streams_a_role_without_text_and_its_timings_last(llamacpp: Cloud) -> None:
    plain = (await llamacpp.chat(stream=True)).documents
    assert plain[0]["choices"][0]["delta"] == {"role": "assistant", "content": None}
    assert "timings" in plain[-2] and plain[-2]["choices"][0]["finish_reason"] == "stop"
    assert not any("logprobs" in chunk["choices"][0] for chunk in plain[:-1])
    counted = (await llamacpp.chat(stream=True, stream_options={"include_usage": True})).documents
    assert counted[-2]["choices"] == [] and counted[-2].keys() >= {"usage", "timings"} and "timings" not in counted[-3]
    assert text_of(await llamacpp.chat(stream=True)) == choice_of(await llamacpp.chat())["message"]["content"]


@pytest.mark.parametrize(("asked", "alternatives"), [({}, 20), ({"top_logprobs": 2}, 2), ({"top_logprobs": 0}, None)])
async def test_llamacpp_gives_log_probabilities_when_alternatives_are_wanted(
    llamacpp: Cloud, asked: dict[str, int], alternatives: int | None
) -> None:
    choice = choice_of(await llamacpp.chat(logprobs=True, **asked))
    if alternatives is None:
        assert "logprobs" not in choice
        return
    *entries, end = choice["logprobs"]["content"]
    assert "".join(entry["token"] for entry in entries) == choice["message"]["content"]
    assert all(len(entry["top_logprobs"]) == alternatives and isinstance(entry["id"], int) for entry in entries)
    assert (end["id"], end["token"], end["bytes"]) == (2, "", [])


@pytest.mark.parametrize("streamed", [False, True])
async def test_llamacpp_refuses_what_overflows_with_the_numbers(llamacpp: Cloud, streamed: bool) -> None:
    answer = await llamacpp.chat(messages=LONG, stream=streamed)
    assert answer.status == 400 and answer.headers["connection"] == "close"
    assert answer.error == {
        "code": 400,
        "message": "request (254 tokens) exceeds the available context size (200 tokens), try increasing it",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": 254,
        "n_ctx": 200,
    }


async def test_llamacpp_takes_a_limit_beyond_its_window_and_stops_there(llamacpp: Cloud) -> None:
    answer = await llamacpp.chat(messages=[{"role": "user", "content": "write 900 words"}], max_tokens=9000)
    assert choice_of(answer)["finish_reason"] == "length" and answer.body["usage"]["total_tokens"] == 200


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"messages": None}, 400, "'messages' is required"),
        ({"messages": "x"}, 400, "Expected 'messages' to be an array"),
        ({"messages": [{"content": "x"}]}, 500, "Missing 'role' in message"),
        ({"messages": PICTURE}, 500, "image input is not supported"),
        ({"temperature": "hot"}, 400, "type must be number, but is string"),
        ({"tools": 5}, 500, "Expected 'tools' to be an array, got 5"),
        ({"tool_choice": "wat"}, 400, "Invalid tool_choice: wat"),
        ({"top_logprobs": 2}, 400, "top_logprobs requires logprobs"),
        ({"response_format": {"type": "wat"}}, 400, "but got: wat"),
    ],
)
async def test_llamacpp_has_its_own_words_and_blames_itself_at_times(
    llamacpp: Cloud, changes: dict[str, Any], status: int, words: str
) -> None:
    answer = await llamacpp.chat(**changes)
    assert answer.status == answer.error["code"] == status and words in answer.error["message"]


async def test_llamacpp_takes_fields_it_does_not_know_and_ignores_a_tool_demanded_by_name(llamacpp: Cloud) -> None:
    assert (await llamacpp.chat(top_k=4, wat=1, max_tokens=0)).body["usage"]["completion_tokens"] == 1
    assert choice_of(await llamacpp.chat(tools=[WEATHER], tool_choice=WEATHER))["finish_reason"] == "stop"
    assert choice_of(await llamacpp.chat(tools=[WEATHER], tool_choice="required"))["finish_reason"] == "tool_calls"


async def test_llamacpp_refuses_what_is_no_text(llamacpp: Cloud) -> None:
    for body in (b"{", b"[]", b'{"messages": [{"role": "user", "content": "\\ud800"}]}'):
        answer = await llamacpp.post("/chat/completions", body)
        assert answer.status == 400 and "[json.exception.parse_error.101]" in answer.error["message"]


@pytest.mark.parametrize(("server", "told_at_once"), [("llamacpp", False), ("openai", True)])
async def test_a_queued_stream_learns_its_status_at_once_or_with_its_first_token(
    http: aiohttp.ClientSession, server: str, told_at_once: bool
) -> None:
    emulator = make(OpenAIOptions(server=server, speed=1, slots=1))
    async with serving(emulator) as url:
        body = {"model": next(iter(emulator.models)), "messages": LONG, "stream": True}
        async with http.post(f"{url}/v1/chat/completions", json=body):
            if told_at_once:
                async with http.post(f"{url}/v1/chat/completions", json=body) as second:
                    assert second.status == 200
                return
            with pytest.raises(TimeoutError):
                await http.post(f"{url}/v1/chat/completions", json=body, timeout=aiohttp.ClientTimeout(total=0.1))


async def test_llamacpp_knows_two_headers_for_its_key_and_answers_probes_without(http: aiohttp.ClientSession) -> None:
    async with serving(make(OpenAIOptions(server="llamacpp", api_key="k"))) as url:
        keys = ({"Authorization": "Bearer k"}, {"X-Api-Key": "k"}, {})
        answers = [await told(http, f"{url}/v1/models", headers=key) for key in keys]
        health = await told(http, f"{url}/health")
    assert [answer.status for answer in answers] == [200, 200, 401] and health.body == {"status": "ok"}
    assert answers[2].error == {"code": 401, "message": "Invalid API Key", "type": "authentication_error"}


async def test_llamacpp_embeds_only_with_a_model_for_it(http: aiohttp.ClientSession, llamacpp: Cloud) -> None:
    refused = await llamacpp.post("/embeddings", {"input": "x"})
    assert refused.status == 501 and refused.error["type"] == "not_supported_error"
    async with serving(make(OpenAIOptions(server="llamacpp", models=["nomic-embed.gguf"]))) as url:
        cloud = Cloud(http, url)
        packed = await cloud.post("/embeddings", {"content": "x", "encoding_format": "base64"})
        long = await cloud.post("/embeddings", {"input": "a " * 2000})
    assert packed.body["data"][0]["encoding_format"] == "base64"
    assert long.status == 500 and "current batch size: 512" in long.error["message"]


async def leave(cloud: Cloud, emulator: OpenAIEmulator, *, streamed: bool) -> None:
    """Ask for a long answer and go away once it is being generated."""
    words = [{"role": "user", "content": "write 3000 words about rain"}]
    asking = asyncio.create_task(cloud.chat(messages=words, stream=streamed))
    while not emulator.engine.counters.running:
        await asyncio.sleep(0.005)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)


@pytest.mark.parametrize(
    ("options", "streamed", "still_running"),
    [
        ({"server": "llamacpp"}, False, 1),
        ({"server": "llamacpp"}, True, 0),
        ({"server": "llamacpp", "outlives_client": False}, False, 0),
        ({"server": "vllm"}, False, 0),
        ({"server": "openai", "outlives_client": True}, False, 1),
    ],
)
async def test_who_generates_on_when_the_client_has_left(
    http: aiohttp.ClientSession, options: dict[str, Any], streamed: bool, still_running: int
) -> None:
    emulator = make(OpenAIOptions(speed=1, **options))
    async with serving(emulator) as url:
        cloud = Cloud(http, url, next(iter(emulator.models)))
        await leave(cloud, emulator, streamed=streamed)
        if still_running:
            await asyncio.sleep(0.1)
        while emulator.engine.counters.running > still_running:
            await asyncio.sleep(0.005)
        assert emulator.engine.counters.running == still_running


# vLLM.


async def test_vllm_shows_its_reasoning_and_fields_of_its_own(vllm: Cloud) -> None:
    whole = await vllm.chat()
    message = choice_of(whole)["message"]
    assert whole.body["model"] == QWEN and message["reasoning"] and message["tool_calls"] == []
    assert choice_of(whole)["stop_reason"] is None and whole.body["prompt_logprobs"] is None
    deltas = [c["choices"][0]["delta"] for c in (await vllm.chat(stream=True)).documents[:-1]]
    assert "".join(delta.get("reasoning", "") for delta in deltas) == message["reasoning"]
    assert "".join(delta.get("content") or "" for delta in deltas) == message["content"]


async def test_vllm_can_be_kept_from_thinking(vllm: Cloud) -> None:
    answer = await vllm.chat(chat_template_kwargs={"enable_thinking": False})
    assert choice_of(answer)["message"]["reasoning"] is None


async def test_vllm_lists_its_window_and_knows_its_model_by_one_name(vllm: Cloud) -> None:
    entry = (await vllm.get(f"{vllm.url}/models")).body["data"][0]
    assert (entry["id"], entry["owned_by"], entry["max_model_len"]) == (QWEN, "vllm", 200)
    assert (await vllm.chat(model=None)).body["model"] == QWEN
    unknown = await vllm.chat(model="gpt-4.1")
    assert (unknown.status, unknown.error["message"]) == (404, "The model `gpt-4.1` does not exist.")
    assert (unknown.error["type"], unknown.error["param"], unknown.error["code"]) == ("NotFoundError", "model", 404)


async def test_vllm_refuses_what_may_overflow(vllm: Cloud) -> None:
    long, both = await vllm.chat(messages=LONG), await vllm.chat(max_tokens=195)
    for answer in (long, both):
        assert (answer.status, answer.error["type"], answer.error["param"]) == (400, "BadRequestError", "input_tokens")
        assert "This model's maximum context length is 200 tokens" in answer.error["message"]
    assert "requested 195 output tokens and your prompt contains at least 18 input tokens" in both.error["message"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"messages": None}, "'loc': ('body', 'messages')"),
        ({"top_logprobs": 2}, "`logprobs` must be set to true"),
        ({"temperature": -1}, "temperature must be non-negative, got -1.0."),
        ({"max_tokens": 0}, "max_tokens must be at least 1, got 0."),
        ({"messages": PICTURE}, "is not a multimodal model"),
        ({"tool_choice": "required"}, "`tools` must be set"),
    ],
)
async def test_vllm_has_its_own_words(vllm: Cloud, changes: dict[str, Any], words: str) -> None:
    answer = await vllm.chat(**changes)
    assert answer.status == answer.error["code"] == 400 and words in answer.error["message"]


async def test_vllm_calls_tools_and_ends_by_name_with_stop(vllm: Cloud) -> None:
    for choice, finish in (("required", "tool_calls"), (WEATHER, "stop")):
        answer = choice_of(await vllm.chat(tools=[WEATHER], tool_choice=choice, stream=False))
        assert answer["finish_reason"] == finish
        assert "city" in json.loads(answer["message"]["tool_calls"][0]["function"]["arguments"])


async def test_vllm_guards_its_key_with_one_word(http: aiohttp.ClientSession) -> None:
    async with serving(make(OpenAIOptions(server="vllm", api_key="k"))) as url:
        refused, health = await told(http, f"{url}/v1/models"), await told(http, f"{url}/health")
    assert refused.status == 401 and refused.body == {"error": "Unauthorized"} and health.status == 200


async def test_vllm_and_llamacpp_complete_prompts_for_every_model(vllm: Cloud, llamacpp: Cloud) -> None:
    for cloud in (vllm, llamacpp):
        answer = await cloud.post("/completions", {"model": cloud.model, "prompt": PROMPT, "logprobs": 1})
        assert choice_of(answer)["text"] and choice_of(answer)["finish_reason"] in ("stop", "length")
    assert (await vllm.post("/embeddings", {"model": QWEN, "input": "x"})).error["type"] == "BadRequestError"
