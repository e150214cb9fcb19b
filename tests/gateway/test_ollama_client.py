"""Ollama's own client, unchanged, in front of the gateway."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from ollama import AsyncClient, Client, ResponseError
from pydantic import BaseModel
from tests.gateway.world import (
    ASKS_FOR_WEATHER,
    CHATTING,
    EMBEDDER,
    ENDLESS,
    FAST,
    LONG,
    PIXEL,
    PLAIN,
    SEER,
    SHORT,
    THINKER,
    WEATHER,
    World,
    until,
)

ASK = [{"role": "user", "content": SHORT}]
ASK_ENDLESSLY = [{"role": "user", "content": ENDLESS}]
ASK_WEATHER = [{"role": "user", "content": ASKS_FOR_WEATHER}]


class Fact(BaseModel):
    answer: str
    count: int


class Ears:
    """Headers of the latest answer, which this client keeps to itself."""

    headers = httpx.Headers()

    def hear(self, response: httpx.Response) -> None:
        self.headers = response.headers


@pytest.fixture
def ears() -> Ears:
    return Ears()


@pytest.fixture
def client(world: World, ears: Ears) -> Iterator[Client]:
    with Client(host=world.url, event_hooks={"response": [ears.hear]}) as made:
        yield made


@pytest.fixture
async def later(world: World) -> AsyncIterator[AsyncClient]:
    made = AsyncClient(host=world.url)
    yield made
    await made.close()


# Answers


def test_a_chat_is_answered_with_its_tokens_and_times(client: Client, ears: Ears) -> None:
    made = client.chat("auto", ASK)
    assert made.message.content and made.done and made.done_reason == "stop" and made.model == "auto"
    assert made.prompt_eval_count and made.eval_count and made.total_duration and made.eval_duration
    assert ears.headers["x-turnout-candidate"] == FAST and ears.headers["x-turnout-decision"]
    assert ears.headers["x-turnout-reason"] and "x-turnout-warning" not in ears.headers


@pytest.mark.parametrize("name", ["auto", "auto:latest", "auto-quality", *CHATTING, "llama3.1:8b", "developer", "pair"])
def test_every_name_answers(client: Client, name: str) -> None:
    assert client.chat(name, ASK).message.content


@pytest.mark.parametrize("name", ["auto", "pair"])
def test_a_stream_says_the_same_in_pieces(client: Client, name: str) -> None:
    whole = client.chat(name, ASK).message.content
    *chunks, last = client.chat(name, ASK, stream=True)
    assert "".join(chunk.message.content or "" for chunk in (*chunks, last)) == whole
    assert last.done and last.eval_count and not any(chunk.done for chunk in chunks)


def test_a_prompt_is_continued(world: World, client: Client) -> None:
    whole = client.generate("auto", SHORT, system="be brief")
    assert [turn["role"] for turn in world.asked["messages"]] == ["system", "user"]
    said = "".join(chunk.response or "" for chunk in client.generate("auto", SHORT, system="be brief", stream=True))
    assert said == whole.response != ""


@pytest.mark.parametrize("name", [FAST, PLAIN])
def test_a_tool_is_called_and_its_result_is_answered(world: World, client: Client, name: str) -> None:
    asked = client.chat(name, ASK_WEATHER, tools=[WEATHER]).message
    (call,) = asked.tool_calls or ()
    assert call.function.name == "get_weather" and "city" in call.function.arguments
    world.reached.clear()
    turns = [*ASK_WEATHER, asked, {"role": "tool", "tool_name": "get_weather", "content": "rain"}]
    assert client.chat(name, turns, tools=[WEATHER]).message.content
    *_, calling, result = world.asked["messages"]
    assert result["content"] == "rain" and result["tool_call_id"] == calling["tool_calls"][0]["id"] != ""


def test_a_streamed_tool_call_comes_whole(client: Client) -> None:
    chunks = list(client.chat("auto", ASK_WEATHER, tools=[WEATHER], stream=True))
    (call,) = [call for chunk in chunks for call in chunk.message.tool_calls or ()]
    assert call.function.name == "get_weather" and call.function.arguments["city"]


def test_a_python_function_is_a_tool(client: Client) -> None:
    def get_weather(city: str) -> str:
        """The weather in a town.

        Args:
            city: its name.
        """
        return city

    assert client.chat("auto", ASK_WEATHER, tools=[get_weather]).message.tool_calls


@pytest.mark.parametrize("name", [FAST, PLAIN])
def test_an_answer_follows_a_schema(client: Client, name: str) -> None:
    made = client.chat(name, ASK, format=Fact.model_json_schema())
    assert Fact.model_validate_json(made.message.content or "").answer
    assert (client.generate(PLAIN, SHORT, format="json").response or "").startswith("{")


def test_thoughts_are_told_beside_the_answer(client: Client) -> None:
    made = client.chat(THINKER, ASK, think=True).message
    assert made.content and made.thinking == client.generate(THINKER, SHORT, think=True).thinking != ""
    assert not client.chat(THINKER, ASK, think=False).message.thinking
    chunks = list(client.chat(THINKER, ASK, think=True, stream=True))
    assert "".join(chunk.message.thinking or "" for chunk in chunks) == made.thinking


def test_pictures_go_to_who_can_see(world: World, client: Client, ears: Ears) -> None:
    client.chat("auto", [{"role": "user", "content": "what is it?", "images": [base64.b64decode(PIXEL)]}])
    assert ears.headers["x-turnout-candidate"] == SEER
    assert [one.body["messages"][0]["images"] for one in world.chats] == [[PIXEL]]
    client.generate("auto", "what else is it?", images=[PIXEL])
    assert ears.headers["x-turnout-candidate"] == SEER


def test_log_probabilities_come_back(client: Client) -> None:
    made = client.chat(PLAIN, ASK, logprobs=True, top_logprobs=2)
    assert "".join(entry.token for entry in made.logprobs or ()) == made.message.content
    chunks = client.chat(PLAIN, ASK, logprobs=True, stream=True)
    assert sum(len(chunk.logprobs or ()) for chunk in chunks) == len(made.logprobs or ())


def test_how_tokens_are_drawn_reaches_the_provider(world: World, client: Client) -> None:
    options = {"seed": 7, "stop": ["zebra"], "num_predict": 5, "temperature": 0.3, "top_k": 9}
    assert client.chat(PLAIN, ASK, options=options).done_reason == "length"
    assert world.asked["options"] == options


def test_what_is_left_out_is_told(client: Client, ears: Ears) -> None:
    client.chat("auto", ASK, keep_alive="5m", options={"num_ctx": 2048, "mirostat": 1})
    told = ears.headers["x-turnout-warning"]
    assert "keep_alive is left out" in told and "options.num_ctx" in told and "options.mirostat" in told


# Embeddings and names


@pytest.mark.parametrize("name", ["auto", EMBEDDER])
def test_texts_are_embedded(client: Client, ears: Ears, name: str) -> None:
    made = client.embed(name, ["one", "two"]).embeddings
    assert len(made) == 2 and made[0] != made[1] and ears.headers["x-turnout-candidate"] == EMBEDDER


def test_the_older_path_embeds_one_text(client: Client, ears: Ears) -> None:
    assert client.embeddings("nomic-embed-text", "one").embedding
    assert ears.headers["x-turnout-candidate"] == "ollama/nomic-embed-text:latest"


def test_the_lists_show_who_is_there(world: World, client: Client) -> None:
    assert {"auto", "pair", "developer", EMBEDDER, *CHATTING} <= {entry.model for entry in client.list().models}
    client.chat(PLAIN, ASK)
    assert PLAIN in {entry.model for entry in client.ps().models}


def test_a_language_model_is_shown(client: Client) -> None:
    shown = client.show(PLAIN)
    assert shown.details is not None and shown.details.family == "llama" and shown.modelinfo
    assert {"completion", "tools"} <= set(shown.capabilities or ())
    assert client.show(EMBEDDER).capabilities == ["embedding"]
    assert "completion" in (client.show("auto").capabilities or ())


def test_an_empty_prompt_brings_a_language_model_into_memory(world: World, client: Client, ears: Ears) -> None:
    assert client.generate(PLAIN, keep_alive="10m").done_reason == "load"
    assert world.chats == [] and world.count("loads") > 0
    assert client.chat("auto").done_reason == "load" and "nobody" in ears.headers["x-turnout-warning"]
    with pytest.raises(ResponseError, match="not sent away"):
        client.generate(PLAIN, keep_alive=0)


# Errors


@pytest.mark.parametrize("stream", [False, True])
def test_an_unknown_name_is_not_found(client: Client, stream: bool) -> None:
    with pytest.raises(ResponseError) as refused:
        list(client.chat("auot", ASK, stream=stream))
    assert refused.value.status_code == 404 and "auto" in refused.value.error


@pytest.mark.parametrize(
    "more",
    [
        {"options": {"temperature": "hot"}},
        {"options": {"seed": 1.5}},
        {"format": 5},
        {"think": "a lot"},
        {"top_logprobs": 99, "logprobs": True},
    ],
)
def test_a_value_of_no_use_is_refused(world: World, more: dict[str, Any]) -> None:
    response = httpx.post(f"{world.url}/api/chat", json={"model": "auto", "messages": ASK, **more})
    assert (response.status_code, response.json()["code"]) == (400, "invalid_value") and world.chats == []


@pytest.mark.parametrize("more", [{"raw": True}, {"suffix": "x"}, {"template": "x"}, {"context": [1, 2]}])
def test_what_would_change_the_answer_is_refused(client: Client, more: dict[str, Any]) -> None:
    with pytest.raises(ResponseError) as refused:
        client.generate("auto", SHORT, **more)
    assert refused.value.status_code == 400 and next(iter(more)) in refused.value.error


@pytest.mark.parametrize("stream", [False, True])
def test_a_failure_of_all_is_told(world: World, client: Client, stream: bool) -> None:
    world.fails("error_500")
    with pytest.raises(ResponseError, match="every attempt failed") as failed:
        list(client.chat("auto", ASK, stream=stream))
    assert failed.value.status_code == 502


def test_a_stream_that_breaks_ends_in_an_exception(world: World, client: Client) -> None:
    world.breaks()
    with pytest.raises(ResponseError, match="broke off"):
        list(client.chat(FAST, [{"role": "user", "content": LONG}], stream=True))


@pytest.mark.parametrize("stream", [False, True])
def test_language_models_are_changed_elsewhere(client: Client, stream: bool) -> None:
    with pytest.raises(ResponseError, match="ask the provider itself"):
        client.delete(PLAIN)
    with pytest.raises(ResponseError, match="ask the provider itself") as refused:
        list(client.pull("llama3.2", stream=stream))
    assert refused.value.status_code == 501


# Leaving early


def test_a_stream_that_is_closed_stops_the_provider(world: World, client: Client) -> None:
    world.slow()
    before = world.count("generations_cancelled")
    stream: Any = client.chat("auto", ASK_ENDLESSLY, stream=True)
    next(stream)
    stream.close()
    world.is_quiet()
    assert world.count("generations_cancelled") > before


def test_a_client_that_loses_patience_stops_the_provider(world: World) -> None:
    for patience_s in world.patience():
        with Client(host=world.url, timeout=patience_s) as hurried, pytest.raises(httpx.TimeoutException):
            hurried.chat("auto", ASK_ENDLESSLY)
    world.is_quiet()


@pytest.mark.anyio
async def test_a_task_that_is_cancelled_stops_the_provider(world: World, later: AsyncClient) -> None:
    world.slow()
    before = world.count("generations_cancelled")
    task = asyncio.create_task(later.generate("auto", ENDLESS))
    await asyncio.to_thread(world.is_busy)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(until, lambda: world.count("generations_cancelled") > before)


@pytest.mark.anyio
async def test_many_tasks_are_answered_at_once(later: AsyncClient) -> None:
    made = await asyncio.gather(*(later.chat("auto", ASK) for _ in range(20)))
    assert len({entry.message.content for entry in made}) == 1
    said = "".join([chunk.message.content or "" async for chunk in await later.chat("auto", ASK, stream=True)])
    assert said == made[0].message.content
