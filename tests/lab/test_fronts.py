"""Real language models behind two dialects: the engine's text, log-probabilities and counts in each provider's frames."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any

import aiohttp
import pytest
from tests.lab.pretended import Pretended

from turnout.emulators.faults import Fault, FaultName
from turnout.emulators.server import Emulator, serving
from turnout.lab import generate
from turnout.lab.engine import MOST_TOKENS, Answer, LabEngine
from turnout.lab.fronts import LMStudioFront, OllamaFront
from turnout.lab.fronts_engine import connected

pytestmark = pytest.mark.anyio

TASKS = generate(4, seed=3)
FRONTS = (LMStudioFront, OllamaFront)
CHATS = {"lmstudio": "/v1/chat/completions", "ollama": "/api/chat"}


async def post(http: aiohttp.ClientSession, url: str, **body: Any) -> tuple[int, bytes]:
    async with http.post(url, json=body) as response:
        return response.status, await response.read()


def address(engine: LabEngine) -> str:
    return f"http://{engine.connection.host}:{engine.connection.port}"


async def asked(small: LabEngine, prompt: str) -> Answer:
    return await asyncio.to_thread(small.ask, prompt)


def spoken(answer: Answer) -> tuple[float, ...]:
    """Log-probabilities without that of the end, which an unstreamed answer of the engine has besides."""
    return answer.logprobs[: len(answer.text)]


def data(raw: bytes) -> list[Any]:
    """The objects of a stream, of events or of lines."""
    lines = [line.removeprefix(b"data: ") for line in raw.split(b"\n") if line and not line.startswith(b"event:")]
    return [json.loads(line) for line in lines if line != b"[DONE]"]


async def test_lm_studio_answers_with_the_engines_words_and_counts(
    small: LabEngine, http: aiohttp.ClientSession
) -> None:
    front = LMStudioFront("one", await connected(http, address(small)))
    async with serving(front) as url:
        for task in TASKS:
            real = await asked(small, task.prompt)
            body = {"model": "one", "messages": [{"role": "user", "content": task.prompt}], "temperature": 0}
            status, raw = await post(http, url + CHATS["lmstudio"], **body, max_tokens=MOST_TOKENS)
            told = json.loads(raw)
            assert status == 200 and told["choices"][0]["message"]["content"] == real.text
            assert told["usage"]["prompt_tokens"] == real.prompt_tokens
            assert told["usage"]["completion_tokens"] == real.completion_tokens


async def test_lm_studios_responses_carry_the_engines_log_probabilities(
    small: LabEngine, http: aiohttp.ClientSession
) -> None:
    real = await asked(small, TASKS[0].prompt)
    front = LMStudioFront("one", await connected(http, address(small)))
    include = {"include": ["message.output_text.logprobs"], "top_logprobs": 3}
    async with serving(front) as url:
        _, raw = await post(http, f"{url}/v1/responses", model="one", input=TASKS[0].prompt, temperature=0, **include)
    told = json.loads(raw)
    (part,) = told["output"][-1]["content"]
    assert part["text"] == real.text
    assert [token["logprob"] for token in part["logprobs"]] == pytest.approx(spoken(real), abs=1e-3)
    tops = [[other["logprob"] for other in token["top_logprobs"]] for token in part["logprobs"]]
    assert all(len(top) == 3 and sum(map(math.exp, top)) <= 1.001 and top == sorted(top, reverse=True) for top in tops)


async def test_ollama_streams_the_engines_tokens_one_by_one(small: LabEngine, http: aiohttp.ClientSession) -> None:
    front = OllamaFront("two:tag", await connected(http, address(small)))
    async with serving(front) as url:
        for task in TASKS:
            real = await asked(small, task.prompt)
            body = {"model": "two:tag", "messages": [{"role": "user", "content": task.prompt}], "logprobs": True}
            _, raw = await post(http, url + CHATS["ollama"], **body, options={"temperature": 0})
            *pieces, last = data(raw)
            assert "".join(piece["message"]["content"] for piece in pieces) == real.text
            logprobs = [entry["logprob"] for piece in pieces for entry in piece.get("logprobs", ())]
            assert logprobs == pytest.approx(spoken(real), abs=1e-3)
            assert (last["prompt_eval_count"], last["eval_count"]) == (real.prompt_tokens, real.completion_tokens)
            assert 0 < last["eval_duration"] <= last["total_duration"] < 10e9


async def test_lists_tell_what_the_engine_runs(small: LabEngine, http: aiohttp.ClientSession) -> None:
    real = await connected(http, address(small))
    async with serving(LMStudioFront("one", real)) as studio, serving(OllamaFront("two:tag", real)) as ollama:
        async with http.get(f"{studio}/api/v1/models") as response:
            (one,) = (await response.json())["models"]
        async with http.get(f"{ollama}/api/tags") as response:
            (two,) = (await response.json())["models"]
    assert (one["key"], one["max_context_length"], one["params_string"]) == ("one", real.model.context, "316K")
    assert (two["name"], two["size"]) == ("two:tag", real.model.size_bytes)


@pytest.mark.parametrize("kind", FRONTS)
async def test_a_prompt_too_long_for_the_engine_is_refused_in_the_dialect(
    kind: Any, small: LabEngine, http: aiohttp.ClientSession
) -> None:
    front: Emulator = kind("one:tag", await connected(http, address(small)))
    async with serving(front) as url:
        said = {"role": "user", "content": "Reverse " + "x" * 300}
        status, raw = await post(http, url + CHATS[front.kind], model="one:tag", messages=[said], stream=False)
    assert status == 400 and b"context" in raw


@pytest.mark.parametrize("kind", FRONTS)
async def test_a_caller_who_leaves_ends_the_generation(kind: Any, http: aiohttp.ClientSession) -> None:
    engine = Pretended(manner="wait")
    async with engine.serving() as real:
        front: Emulator = kind("one:tag", await connected(http, real))
        async with serving(front) as url:
            body = {"model": "one:tag", "messages": [{"role": "user", "content": "hi"}], "stream": True}
            async with http.post(url + CHATS[front.kind], json=body) as response:
                assert await response.content.readline()  # it is under way
                response.close()
            await asyncio.wait_for(engine.left.wait(), 10)


@pytest.mark.parametrize("kind", FRONTS)
async def test_an_engine_that_breaks_off_is_an_error_of_the_dialect(kind: Any, http: aiohttp.ClientSession) -> None:
    engine = Pretended(manner="break")
    async with engine.serving() as real:
        front: Emulator = kind("one:tag", await connected(http, real))
        async with serving(front) as url:
            messages = [{"role": "user", "content": "hi"}]
            _, streamed = await post(http, url + CHATS[front.kind], model="one:tag", messages=messages, stream=True)
            status, _ = await post(http, url + CHATS[front.kind], model="one:tag", messages=messages, stream=False)
    assert data(streamed)[-1]["error"] and status >= 400
    assert front.engine.counters.generations_failed == 2


async def test_faults_strike_real_answers_too(http: aiohttp.ClientSession) -> None:
    engine = Pretended()
    async with engine.serving() as real:
        front = OllamaFront("one:tag", await connected(http, real))
        front.faults.add(Fault(FaultName.EMPTY_ANSWER, count=1))
        async with serving(front) as url:
            ask = {"model": "one:tag", "messages": [{"role": "user", "content": "hi"}], "stream": False}
            answers = [json.loads((await post(http, url + CHATS["ollama"], **ask))[1]) for _ in range(2)]
    assert [answer["message"]["content"] for answer in answers] == ["", "ab"]
    assert len(engine.asked) == 1


async def test_the_conversation_reaches_the_engine_whole(http: aiohttp.ClientSession) -> None:
    engine = Pretended()
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]
    async with engine.serving() as real:
        for kind in FRONTS:
            front: Emulator = kind("one:tag", await connected(http, real))
            async with serving(front) as url:
                await post(http, url + CHATS[front.kind], model="one:tag", messages=turns)
    assert [body["messages"] for body in engine.asked] == [turns, turns]
