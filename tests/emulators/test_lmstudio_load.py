"""LM Studio under load as emulated: copies, eviction, idle time, slots, one window for all, and clients that leave."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from turnout.emulators.instance import Instance
from turnout.emulators.lmstudio import LMStudio
from turnout.emulators.server import EmulatorOptions, serving

pytestmark = pytest.mark.anyio

SMALL, LARGE, EMBEDDING = "qwen2.5-coder-1.5b", "qwen2.5-coder-7b", "text-embedding-nomic"
STORY, NOVEL = "Tell me of signals in 600 words", "Tell me of signals in 1200 words"


def studio(**options: Any) -> LMStudio:
    return LMStudio(EmulatorOptions(models=(SMALL, LARGE, EMBEDDING), **options))


def body(model: str = SMALL, prompt: str = "Hi", **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": prompt}], **fields}


async def post(http: aiohttp.ClientSession, url: str, asked: dict[str, Any]) -> tuple[int, Any]:
    path = "/v1/chat/completions" if "messages" in asked else "/api/v1/models/load"
    async with http.post(url + path, json=asked) as response:
        return response.status, json.loads(await response.read())


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(8):
        while not condition():
            await asyncio.sleep(0.002)


def names(emulator: LMStudio) -> list[str]:
    return [instance.id for instance in emulator.engine.loaded()]


def only(emulator: LMStudio) -> Instance:
    (instance,) = emulator.engine.loaded()
    return instance


async def test_simultaneous_first_requests_load_a_copy_each(http: aiohttp.ClientSession) -> None:
    emulator = studio(speed=5)
    async with serving(emulator) as url:
        answers = await asyncio.gather(*(post(http, url, body(LARGE, max_tokens=1)) for _ in range(3)))
    assert {answer["model"] for _, answer in answers} == {LARGE, f"{LARGE}:2", f"{LARGE}:3"}
    assert sorted(names(emulator)) == [LARGE, f"{LARGE}:2", f"{LARGE}:3"]
    assert emulator.engine.counters.loads == 3


async def test_a_loaded_model_is_not_loaded_again_on_request(http: aiohttp.ClientSession) -> None:
    emulator = studio()
    async with serving(emulator) as url:
        for _ in range(3):
            await post(http, url, body())
    assert names(emulator) == [SMALL] and emulator.engine.counters.loads == 1


async def test_a_load_on_request_kills_what_runs_on_the_model_before(http: aiohttp.ClientSession) -> None:
    emulator = studio(speed=5)
    async with serving(emulator) as url:
        async with http.post(f"{url}/v1/chat/completions", json=body(SMALL, NOVEL, stream=True)) as running:
            assert (await running.content.readuntil(b"\n\n")).startswith(b"data: {")
            queued = asyncio.create_task(post(http, url, body(SMALL, NOVEL)))
            await until(lambda: only(emulator).running == 2)
            status, answer = await post(http, url, body(LARGE, max_tokens=1))
            rest = (await running.read()).decode()
        assert (status, answer["model"]) == (200, LARGE)
        message = "Model unloaded."
        assert rest.endswith(f'event: error\ndata: {{"error":{{"message":"{message}"}},"message":"{message}"}}\n\n')
        assert await queued == (400, {"error": message})
    assert names(emulator) == [LARGE]


async def test_unloading_on_purpose_ends_what_runs(http: aiohttp.ClientSession) -> None:
    emulator = studio(speed=5)
    async with serving(emulator) as url:
        chat = {"model": SMALL, "input": NOVEL, "stream": True}
        async with http.post(f"{url}/api/v1/chat", json=chat) as running:
            while b"message.delta" not in await running.content.readuntil(b"\n\n"):
                pass
            async with http.post(f"{url}/api/v1/models/unload", json={"instance_id": SMALL}) as response:
                assert response.status == 200
            rest = (await running.read()).decode()
    assert '"type":"error","error":{"type":"internal_error","message":"Model unloaded."}' in rest
    assert rest.rsplit("event: ", 1)[1].startswith("chat.end")


async def test_what_was_loaded_on_purpose_stays(http: aiohttp.ClientSession) -> None:
    emulator = studio()
    async with serving(emulator) as url:
        await post(http, url, {"model": SMALL})
        await post(http, url, body(LARGE))
        emulator.engine.clock.skip(7 * 24 * 3600)
    assert names(emulator) == [SMALL]


async def test_without_eviction_models_stay_until_their_idle_time_is_over(http: aiohttp.ClientSession) -> None:
    emulator = studio(policy={"keep_one_automatic": False})
    async with serving(emulator) as url:
        await post(http, url, body(SMALL))
        await post(http, url, body(LARGE))
        assert names(emulator) == [SMALL, LARGE]
        emulator.engine.clock.skip(3000)
        await post(http, url, body(LARGE))
        emulator.engine.clock.skip(1000)
        assert names(emulator) == [LARGE]


async def test_a_ttl_counts_for_the_load_only_and_each_request_begins_it_anew(http: aiohttp.ClientSession) -> None:
    emulator = studio()
    async with serving(emulator) as url:
        await post(http, url, body(ttl=100))
        emulator.engine.clock.skip(90)
        await post(http, url, body(ttl=100_000))
        emulator.engine.clock.skip(90)
        assert names(emulator) == [SMALL]
        emulator.engine.clock.skip(20)
        assert names(emulator) == []


async def test_models_that_do_not_fit_are_refused_with_a_reason(http: aiohttp.ClientSession) -> None:
    for version, expected in (("0.3.5", 404), ("0.4.20", 400)):
        async with serving(studio(version=version, policy={"memory_bytes": 3 * 2**30})) as url:
            status, answer = await post(http, url, body(LARGE))
            assert status == expected
            assert (
                answer["error"].pop("message").startswith(f'Failed to load model "{LARGE}". Error: Model loading was')
            )
            assert answer["error"] == {"type": "invalid_request_error", "param": "model", "code": None}
            assert (await post(http, url, body(SMALL)))[0] == 200
    async with serving(studio(policy={"memory_bytes": 3 * 2**30})) as url:
        _, answer = await post(http, url, {"model": LARGE})
        assert answer["error"]["type"] == "model_load_failed"


async def test_four_run_and_any_number_wait_in_line_without_a_word(http: aiohttp.ClientSession) -> None:
    emulator = studio(speed=10)
    async with serving(emulator) as url:
        await post(http, url, {"model": SMALL})
        asked = [asyncio.create_task(post(http, url, body(SMALL, "Signals in 400 words"))) for _ in range(9)]
        await until(lambda: (only(emulator).running, only(emulator).waiting) == (4, 5))
        answers = await asyncio.gather(*asked)
    assert {status for status, _ in answers} == {200}
    assert emulator.engine.counters.max_running == 4


async def test_before_0_4_one_runs_at_a_time(http: aiohttp.ClientSession) -> None:
    emulator = studio(version="0.3.20")
    async with serving(emulator) as url:
        await post(http, url, body())
        answers = await asyncio.gather(*(post(http, url, body()) for _ in range(3)))
    assert {status for status, _ in answers} == {200} and emulator.engine.counters.max_running == 1


async def test_a_full_window_kills_all_that_share_it(http: aiohttp.ClientSession) -> None:
    emulator = studio(speed=2, context=1300)
    async with serving(emulator) as url:
        async with http.post(f"{url}/v1/chat/completions", json=body(SMALL, STORY, stream=True)) as first:
            await first.content.readuntil(b"\n\n")
            second = await post(http, url, body(SMALL, STORY))
            rest = (await first.read()).decode()
        assert second == (400, {"error": "Context size has been exceeded."})
        assert '"message":"Context size has been exceeded."}\n\n' in rest and "[DONE]" not in rest
        assert (await post(http, url, body(SMALL, STORY)))[0] == 200
    assert only(emulator).tokens_held == 0


async def test_reading_a_long_prompt_goes_on_in_its_slot_after_the_client_has_left(http: aiohttp.ClientSession) -> None:
    emulator = studio(speed=3, slots=1)
    async with serving(emulator) as url:
        await post(http, url, {"model": LARGE})
        leaving = asyncio.create_task(post(http, url, body(LARGE, "signal " * 2000)))
        await until(lambda: emulator.engine.counters.running)
        leaving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await leaving
        await until(lambda: emulator.engine.counters.generations_cancelled)
        assert only(emulator).running == 1 and emulator.engine.counters.running == 0
        status, _ = await post(http, url, body(LARGE, max_tokens=1))
        assert status == 200 and only(emulator).running == 0


async def test_a_client_that_leaves_while_text_is_made_frees_its_slot(http: aiohttp.ClientSession) -> None:
    emulator = studio(speed=10)
    async with serving(emulator) as url:
        for path, asked in (
            ("/v1/chat/completions", body(SMALL, NOVEL, stream=True)),
            ("/api/v1/chat", {"model": SMALL, "input": NOVEL, "stream": True}),
            ("/v1/responses", {"model": SMALL, "input": NOVEL, "stream": True}),
        ):
            async with http.post(url + path, json=asked) as response:
                await response.content.readuntil(b"\n\n")
                response.close()
            await until(lambda: only(emulator).running == 0 and only(emulator).users == 0)
    assert only(emulator).tokens_held == 0


async def test_many_embeddings_at_once_are_all_made(http: aiohttp.ClientSession) -> None:
    emulator = studio()
    async with serving(emulator) as url:
        await post(http, url, {"model": EMBEDDING})

        async def embed(text: str) -> int:
            asked = {"model": EMBEDDING, "input": [text, "word " * 1700]}
            async with http.post(f"{url}/v1/embeddings", json=asked) as response:
                return len((await response.json())["data"])

        assert await asyncio.gather(*(embed(str(number)) for number in range(8))) == [2] * 8
    assert only(emulator).model.name == EMBEDDING
