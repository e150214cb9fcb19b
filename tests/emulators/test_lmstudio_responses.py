"""LM Studio's responses as emulated: log-probabilities, numbered events, and what this endpoint does not do."""

from __future__ import annotations

import json
import math
from itertools import groupby
from typing import Any

import aiohttp
import pytest

from turnout.emulators.lmstudio import LMStudio
from turnout.emulators.lmstudio_settings import LMStudioSettings
from turnout.emulators.server import EmulatorOptions, serving

pytestmark = pytest.mark.anyio

SMALL, THINKING = "qwen2.5-coder-1.5b", "qwen3-4b"
PROMPT = "What is a turnout?"
LONG = "signal " * 4000
LOGPROBS = {"include": ["message.output_text.logprobs"], "top_logprobs": 3}


def studio(settings: LMStudioSettings | None = None, **options: Any) -> LMStudio:
    return LMStudio(EmulatorOptions(models=(SMALL, THINKING), **options), settings)


async def respond(http: aiohttp.ClientSession, url: str, **fields: Any) -> tuple[int, Any]:
    async with http.post(f"{url}/v1/responses", json={"model": SMALL, "input": PROMPT, **fields}) as response:
        return response.status, json.loads(await response.read())


async def events(http: aiohttp.ClientSession, url: str, **fields: Any) -> list[dict[str, Any]]:
    """The data of the events, each checked to carry its event's name."""
    found = []
    asked = {"model": SMALL, "input": PROMPT, "stream": True, **fields}
    async with http.post(f"{url}/v1/responses", json=asked) as response:
        assert (response.status, response.content_type) == (200, "text/event-stream")
        text = (await response.read()).decode()
    for event in text.split("\n\n")[:-1]:
        name, data = event.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert name.removeprefix("event: ") == found[-1].get("type", "error")
    return found


def kinds(found: list[dict[str, Any]]) -> list[str]:
    """The types in order, runs of one type once."""
    return [kind for kind, _ in groupby(event["type"] for event in found)]


async def test_a_response_gives_logprobs_when_they_are_included(http: aiohttp.ClientSession) -> None:
    async with serving(studio()) as url:
        status, answer = await respond(http, url, **LOGPROBS)
        _, plain = await respond(http, url, top_logprobs=3)
    (item,) = answer["output"]
    (part,) = item["content"]
    assert status == 200 and answer["object"] == "response" and answer["status"] == "completed"
    assert (item["type"], item["role"], part["type"]) == ("message", "assistant", "output_text")
    assert "".join(entry["token"] for entry in part["logprobs"]) == part["text"]
    assert len(part["logprobs"]) == answer["usage"]["output_tokens"]
    for entry in part["logprobs"]:
        assert entry.keys() == {"token", "logprob", "bytes", "top_logprobs"} and entry["logprob"] <= 0
        assert bytes(entry["bytes"]).decode() == entry["token"] == entry["top_logprobs"][0]["token"]
        assert len(entry["top_logprobs"]) == 3
        assert sum(math.exp(other["logprob"]) for other in entry["top_logprobs"]) < 1.001
    assert plain["output"][0]["content"][0]["logprobs"] == []


@pytest.mark.parametrize(
    ("settings", "version"), [(LMStudioSettings(logprobs=False), None), (None, "0.3.38")], ids=["engine", "version"]
)
async def test_older_engines_and_versions_give_no_logprobs(
    http: aiohttp.ClientSession, settings: LMStudioSettings | None, version: str | None
) -> None:
    async with serving(studio(settings, version=version)) as url:
        _, answer = await respond(http, url, **LOGPROBS)
    assert answer["output"][0]["content"][0]["logprobs"] == []


async def test_responses_came_with_0_3_29(http: aiohttp.ClientSession) -> None:
    async with serving(studio(version="0.3.28")) as url:
        status, answer = await respond(http, url)
    assert (status, answer) == (200, {"error": "Unexpected endpoint or method. (POST /v1/responses)"})


async def test_a_streamed_response_is_created_grows_and_is_completed(http: aiohttp.ClientSession) -> None:
    async with serving(studio()) as url:
        _, whole = await respond(http, url, model=THINKING, **LOGPROBS)
        found = await events(http, url, model=THINKING, **LOGPROBS)
    assert kinds(found)[0] == "response.created" and kinds(found)[-1] == "response.completed"
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    for kind, place, item in (("reasoning_text", 0, 0), ("output_text", 0, 1)):
        text = "".join(event["delta"] for event in found if event["type"] == f"response.{kind}.delta")
        assert text == whole["output"][item]["content"][place]["text"]
    final = found[-1]["response"]
    assert final["usage"] == whole["usage"] and final["output"][1]["content"] == whole["output"][1]["content"]
    assert found[0]["response"]["status"] == "in_progress"


async def test_a_response_knows_no_schema_and_says_when_it_was_cut(http: aiohttp.ClientSession) -> None:
    schema = {"format": {"type": "json_schema", "name": "x", "schema": {"type": "object"}}}
    async with serving(studio()) as url:
        _, answer = await respond(http, url, text=schema)
        _, cut = await respond(http, url, max_output_tokens=2)
        _, thoughts = await respond(http, url, model=THINKING, max_output_tokens=2)
        _, calm = await respond(http, url, model=THINKING, reasoning={"effort": "none"})
        found = await events(http, url, max_output_tokens=2)
    with pytest.raises(ValueError, match="Expecting"):
        json.loads(answer["output"][0]["content"][0]["text"])
    assert (cut["status"], cut["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert [item["type"] for item in thoughts["output"]] == ["reasoning"]
    assert [item["type"] for item in calm["output"]] == ["message"]
    assert found[-1]["type"] == "response.incomplete"


async def test_a_response_takes_turns_of_parts_and_refuses_pictures_from_elsewhere(http: aiohttp.ClientSession) -> None:
    turns = [
        {"role": "developer", "content": "Be brief."},
        {"role": "assistant", "content": [{"type": "output_text", "text": "Yes?"}]},
        {"role": "user", "content": [{"type": "input_text", "text": PROMPT}]},
    ]
    picture = [{"role": "user", "content": [{"type": "input_image", "image_url": "https://x/y.png"}]}]
    async with serving(studio()) as url:
        _, text = await respond(http, url)
        status, answer = await respond(http, url, input=turns)
        refused, told = await respond(http, url, input=picture)
        nothing, missing = await respond(http, url, input=None)
    assert status == 200 and answer["output"][0]["content"][0]["text"] == text["output"][0]["content"][0]["text"]
    assert (refused, told) == (400, {"error": "'url' field must be a base64 encoded image."})
    assert nothing == 400 and missing["error"]["param"] == "input"


async def test_a_response_that_does_not_fit_fails_as_chats_do(http: aiohttp.ClientSession) -> None:
    async with serving(studio(version="0.4.23")) as url:
        status, answer = await respond(http, url, input=LONG)
        (event,) = await events(http, url, input=LONG)
    assert status == 400 and answer["error"].startswith("Input does not fit")
    assert event["error"]["message"].startswith("Input does not fit")
