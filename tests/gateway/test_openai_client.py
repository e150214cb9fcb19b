"""OpenAI's own client, unchanged, in front of the gateway: chat completions, completions, embeddings, models, errors."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from openai import (
    APIError,
    APIStatusError,
    APITimeoutError,
    AsyncOpenAI,
    BadRequestError,
    NotFoundError,
    OpenAI,
)
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

ASK: Any = [{"role": "user", "content": SHORT}]
ASK_ENDLESSLY: Any = [{"role": "user", "content": ENDLESS}]
ASK_WEATHER: Any = [{"role": "user", "content": ASKS_FOR_WEATHER}]
LOOK: Any = [
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "what is in this picture?"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
        ],
    }
]
TOOLS: Any = [WEATHER]


class Fact(BaseModel):
    answer: str
    count: int


@pytest.fixture
def client(world: World) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{world.url}/v1", api_key="none") as made:
        yield made


@pytest.fixture
async def later(world: World) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{world.url}/v1", api_key="none") as made:
        yield made


# Answers


def test_a_chat_is_answered_with_its_candidate_and_its_tokens(client: OpenAI) -> None:
    made = client.chat.completions.create(model="auto", messages=ASK)
    assert made.choices[0].message.content and made.choices[0].finish_reason == "stop"
    assert made.model == FAST and made.id.startswith("chatcmpl-") and made.object == "chat.completion"
    assert made.usage is not None and made.usage.total_tokens == made.usage.prompt_tokens + made.usage.completion_tokens


@pytest.mark.parametrize("name", ["auto", "auto-fast", "auto-quality", "auto:latest", *CHATTING, "developer", "pair"])
def test_every_listed_name_answers(client: OpenAI, name: str) -> None:
    made = client.chat.completions.create(model=name, messages=ASK)
    assert made.choices[0].message.content
    assert name not in CHATTING or made.model == name


@pytest.mark.parametrize("name", ["auto", "developer", "pair"])
def test_a_stream_says_the_same_in_pieces(client: OpenAI, name: str) -> None:
    whole = client.chat.completions.create(model=name, messages=ASK).choices[0].message.content
    with client.chat.completions.create(model=name, messages=ASK, stream=True) as stream:
        chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole
    assert chunks[0].choices[0].delta.role == "assistant" and chunks[-1].choices[0].finish_reason == "stop"
    assert len({chunk.id for chunk in chunks}) == 1 and len(chunks[0].id) > len("chatcmpl-")


def test_a_stream_tells_its_tokens_where_they_are_asked_for(client: OpenAI) -> None:
    with client.chat.completions.create(
        model="auto", messages=ASK, stream=True, stream_options={"include_usage": True}
    ) as stream:
        *chunks, last = stream
    assert last.choices == [] and last.usage is not None and last.usage.completion_tokens > 0
    assert all(chunk.usage is None for chunk in chunks)


def test_a_tool_is_called_and_its_result_is_answered(world: World, client: OpenAI) -> None:
    asked = client.chat.completions.create(model="auto", messages=ASK_WEATHER, tools=TOOLS).choices[0]
    (call,) = asked.message.tool_calls or ()
    assert asked.finish_reason == "tool_calls" and call.function.name == "get_weather"  # type: ignore[union-attr]
    world.reached.clear()
    turns = [*ASK_WEATHER, asked.message, {"role": "tool", "tool_call_id": call.id, "content": "rain"}]
    assert client.chat.completions.create(model="auto", messages=turns, tools=TOOLS).choices[0].message.content
    *_, calling, result = world.asked["messages"]
    assert calling["tool_calls"][0]["id"] == result["tool_call_id"] == call.id and result["content"] == "rain"


@pytest.mark.parametrize("name", [FAST, PLAIN])
def test_a_streamed_tool_call_is_put_together_by_the_client(client: OpenAI, name: str) -> None:
    with client.chat.completions.stream(model=name, messages=ASK_WEATHER, tools=TOOLS) as stream:
        (call,) = stream.get_final_completion().choices[0].message.tool_calls or ()
    assert call.function.name == "get_weather" and '"city"' in call.function.arguments


@pytest.mark.parametrize("name", [FAST, PLAIN])
def test_an_answer_follows_the_schema_of_a_model(client: OpenAI, name: str) -> None:
    parsed = client.chat.completions.parse(model=name, messages=ASK, response_format=Fact).choices[0].message.parsed
    assert parsed is not None and parsed.answer


def test_any_json_can_be_asked_for(client: OpenAI) -> None:
    made = client.chat.completions.create(model=PLAIN, messages=ASK, response_format={"type": "json_object"})
    assert (made.choices[0].message.content or "").startswith("{")


@pytest.mark.parametrize("name", [FAST, PLAIN])
def test_log_probabilities_come_back(client: OpenAI, name: str) -> None:
    made = client.chat.completions.create(model=name, messages=ASK, logprobs=True, top_logprobs=2).choices[0]
    assert made.logprobs is not None and made.logprobs.content
    assert "".join(entry.token for entry in made.logprobs.content) == made.message.content
    assert all(entry.logprob <= 0 and entry.top_logprobs for entry in made.logprobs.content)


def test_reasoning_is_told_beside_the_answer(client: OpenAI) -> None:
    made = client.chat.completions.create(model=THINKER, messages=ASK, reasoning_effort="high").choices[0].message
    assert made.content and getattr(made, "reasoning_content", "")
    with client.chat.completions.create(model=THINKER, messages=ASK, reasoning_effort="high", stream=True) as stream:
        thought = [getattr(chunk.choices[0].delta, "reasoning_content", None) or "" for chunk in stream]
    assert "".join(thought) == made.reasoning_content  # type: ignore[attr-defined]


def test_a_picture_goes_to_who_can_see(world: World, client: OpenAI) -> None:
    assert client.chat.completions.create(model="auto", messages=LOOK).model == SEER
    assert world.asked["messages"][0]["images"] == [PIXEL]


def test_how_tokens_are_drawn_reaches_the_provider(world: World, client: OpenAI) -> None:
    made = client.chat.completions.create(
        model=PLAIN, messages=ASK, seed=7, stop=["zebra"], max_completion_tokens=5, temperature=0.3, top_p=0.9
    )
    assert made.choices[0].finish_reason == "length"
    options = world.asked["options"]
    assert options == {"seed": 7, "stop": ["zebra"], "num_predict": 5, "temperature": 0.3, "top_p": 0.9}


def test_a_text_is_completed(client: OpenAI) -> None:
    whole = client.completions.create(model="auto", prompt=SHORT, max_tokens=60)
    assert whole.id.startswith("cmpl-") and whole.usage is not None
    with client.completions.create(model="auto", prompt=SHORT, max_tokens=60, stream=True) as stream:
        assert "".join(chunk.choices[0].text for chunk in stream) == whole.choices[0].text != ""


def test_a_completed_text_has_its_log_probabilities_in_place(client: OpenAI) -> None:
    with client.completions.create(model=PLAIN, prompt=SHORT, max_tokens=6, logprobs=2, stream=True) as stream:
        told = [chunk.choices[0].logprobs for chunk in stream]
    offsets = [at for entry in told if entry is not None for at in entry.text_offset or ()]
    assert offsets == sorted(set(offsets)) and offsets[0] == 0 and len(offsets) > 1


# Embeddings and names


@pytest.mark.parametrize("name", ["auto", EMBEDDER, "text-embedding-nomic"])
def test_texts_are_embedded(client: OpenAI, name: str) -> None:
    made = client.embeddings.create(model=name, input=["one", "two"])
    assert made.model == EMBEDDER and [entry.index for entry in made.data] == [0, 1]
    assert made.data[0].embedding != made.data[1].embedding
    assert all(math.isfinite(value) for entry in made.data for value in entry.embedding)


def test_embeddings_packed_and_plain_are_alike(client: OpenAI) -> None:
    packed, plain = (
        client.embeddings.create(model="auto", input="one", encoding_format=form).data[0].embedding
        for form in ("base64", "float")
    )
    assert plain == pytest.approx(client.embeddings.create(model="auto", input="one").data[0].embedding, rel=1e-5)
    assert isinstance(packed, str)


def test_who_answers_makes_no_embeddings_and_the_other_way_round(client: OpenAI) -> None:
    with pytest.raises(BadRequestError, match="makes embeddings"):
        client.chat.completions.create(model=EMBEDDER, messages=ASK)
    with pytest.raises(APIStatusError) as refused:
        client.embeddings.create(model="developer", input="one")
    assert refused.value.status_code == 404


def test_the_list_names_everything_that_can_be_asked(client: OpenAI) -> None:
    names = [entry.id for entry in client.models.list()]
    assert {"auto", "auto-fast", "auto-quality", "pair", "developer", EMBEDDER, *CHATTING} <= set(names)
    assert client.models.retrieve(FAST).owned_by == "lmstudio"
    with pytest.raises(NotFoundError):
        client.models.retrieve("nobody")


# Errors


def test_an_unknown_name_is_not_found(client: OpenAI) -> None:
    with pytest.raises(NotFoundError) as refused:
        client.chat.completions.create(model="auot", messages=ASK)
    assert refused.value.code == "model_not_found" and refused.value.param == "model" and "auto" in str(refused.value)


@pytest.mark.parametrize("stream", [False, True])
def test_nobody_is_asked_over_and_over_when_all_fail(world: World, client: OpenAI, stream: bool) -> None:
    world.fails("error_500")
    before = world.calls()
    with pytest.raises(APIStatusError) as failed:
        client.chat.completions.create(model="auto", messages=ASK, stream=stream)
    assert (failed.value.status_code, failed.value.code) == (502, "no_answer")
    assert failed.value.response.headers["x-turnout-decision"]
    assert world.calls() - before <= len(CHATTING)


def test_what_no_candidate_can_do_is_told_once(client: OpenAI) -> None:
    with pytest.raises(BadRequestError, match="cannot see pictures") as refused:
        client.chat.completions.create(model=FAST, messages=LOOK)
    assert refused.value.code == "no_candidate"


@pytest.mark.parametrize("fault", ["reset_mid_stream", "swallowed_error", "missing_terminator", "truncated_body"])
def test_a_stream_that_breaks_ends_in_an_exception(world: World, client: OpenAI, fault: str) -> None:
    world.fails(fault)
    with (
        pytest.raises(APIError) as broken,
        client.chat.completions.create(model="auto", messages=[{"role": "user", "content": LONG}], stream=True) as told,
    ):
        list(told)
    assert broken.value.code in ("broken_answer", "no_answer")


# Leaving early


def test_a_stream_that_is_closed_stops_the_provider(world: World, client: OpenAI) -> None:
    world.slow()
    before = world.count("generations_cancelled")
    stream = client.chat.completions.create(model="auto", messages=ASK_ENDLESSLY, stream=True)
    next(iter(stream))
    stream.close()
    world.is_quiet()
    assert world.count("generations_cancelled") > before


def test_a_client_that_loses_patience_stops_the_provider(world: World, client: OpenAI) -> None:
    for patience_s in world.patience():
        hurried = client.with_options(timeout=patience_s, max_retries=0)
        with pytest.raises(APITimeoutError):
            hurried.chat.completions.create(model="auto", messages=ASK_ENDLESSLY)
    world.is_quiet()


@pytest.mark.anyio
@pytest.mark.parametrize("stream", [False, True])
async def test_a_task_that_is_cancelled_stops_the_provider(world: World, later: AsyncOpenAI, stream: bool) -> None:
    world.slow()
    before = world.count("generations_cancelled")

    async def read() -> None:
        made: Any = await later.chat.completions.create(model="auto", messages=ASK_ENDLESSLY, stream=stream)
        async for _ in made:
            pass

    task = asyncio.create_task(read())
    await asyncio.to_thread(world.is_busy)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(until, lambda: world.count("generations_cancelled") > before)
    await asyncio.to_thread(world.is_quiet)


@pytest.mark.anyio
async def test_many_tasks_are_answered_at_once(later: AsyncOpenAI) -> None:
    made = await asyncio.gather(*(later.chat.completions.create(model="auto", messages=ASK) for _ in range(20)))
    assert len({entry.id for entry in made}) == 20
    async with await later.chat.completions.create(model="auto", messages=ASK, stream=True) as stream:
        said = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    assert said == made[0].choices[0].message.content
