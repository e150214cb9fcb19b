"""Responses, as OpenAI's own client asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from openai import APIError, BadRequestError, NotFoundError, OpenAI
from pydantic import BaseModel
from tests.gateway.world import (
    ASKS_FOR_WEATHER,
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
)

TOOLS: Any = [{"type": "function", **WEATHER["function"], "strict": False}]


class Fact(BaseModel):
    answer: str
    count: int


@pytest.fixture
def client(world: World) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{world.url}/v1", api_key="none") as made:
        yield made


@pytest.mark.parametrize("name", ["auto", "developer", "pair"])
def test_a_response_is_answered(client: OpenAI, name: str) -> None:
    made = client.responses.create(model=name, input=SHORT, instructions="be brief")
    assert made.output_text and made.status == "completed" and made.id.startswith("resp_") and made.error is None
    assert made.usage is not None and made.usage.total_tokens == made.usage.input_tokens + made.usage.output_tokens
    assert made.instructions == "be brief"


@pytest.mark.parametrize("name", [FAST, THINKER])
def test_a_stream_is_told_in_events_that_end_in_the_whole(client: OpenAI, name: str) -> None:
    more: Any = {"reasoning": {"effort": "high"}} if name == THINKER else {}
    with client.responses.create(model=name, input=SHORT, stream=True, **more) as stream:
        events: list[Any] = list(stream)
    assert [event.type for event in events[:2]] == ["response.created", "response.in_progress"]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[-1].type == "response.completed"
    said = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert (
        said == events[-1].response.output_text == client.responses.create(model=name, input=SHORT, **more).output_text
    )
    kinds = ["reasoning", "message"] if name == THINKER else ["message"]
    assert [item.type for item in events[-1].response.output] == kinds
    begun = [event.type for event in events if event.type.startswith("response.output_item")]
    assert begun == ["response.output_item.added", "response.output_item.done"] * len(kinds)


def test_a_tool_is_called_and_its_result_is_answered(world: World, client: OpenAI) -> None:
    (call,) = client.responses.create(model="auto", input=ASKS_FOR_WEATHER, tools=TOOLS).output
    assert call.type == "function_call" and call.name == "get_weather"
    world.reached.clear()
    turns: Any = [
        {"role": "user", "content": ASKS_FOR_WEATHER},
        call,
        {"type": "function_call_output", "call_id": call.call_id, "output": "rain"},
    ]
    assert client.responses.create(model="auto", input=turns, tools=TOOLS).output_text
    *_, calling, result = world.asked["messages"]
    assert calling["tool_calls"][0]["id"] == result["tool_call_id"] == call.call_id and result["content"] == "rain"


def test_a_streamed_tool_call_is_put_together_by_the_client(client: OpenAI) -> None:
    with client.responses.stream(model="auto", input=ASKS_FOR_WEATHER, tools=TOOLS) as stream:
        events = [event.type for event in stream]
        (call,) = stream.get_final_response().output
    assert call.type == "function_call" and '"city"' in call.arguments
    assert events.count("response.output_item.done") == 1 and "response.function_call_arguments.done" in events


def test_an_answer_follows_the_schema_of_a_model(client: OpenAI) -> None:
    parsed = client.responses.parse(model="auto", input=SHORT, text_format=Fact).output_parsed
    assert parsed is not None and parsed.answer
    with client.responses.stream(model="auto", input=SHORT, text_format=Fact) as stream:
        assert stream.get_final_response().output_parsed == parsed


def test_pictures_and_roles_pass(world: World, client: OpenAI) -> None:
    look: Any = [
        {"role": "developer", "content": "be brief"},
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "what is it?"},
                {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "auto"},
            ],
        },
    ]
    assert client.responses.create(model="auto", input=look).model == SEER
    system, user = world.asked["messages"]
    assert system["role"] == "system" and user["images"] == [PIXEL]


@pytest.mark.parametrize("stream", [False, True])
def test_log_probabilities_come_back(client: OpenAI, stream: bool) -> None:
    made: Any = client.responses.create(
        model=PLAIN, input=SHORT, include=["message.output_text.logprobs"], top_logprobs=2, stream=stream
    )
    whole = list(made)[-1].response if stream else made
    part = whole.output[0].content[0]
    assert "".join(entry.token for entry in part.logprobs) == part.text != ""


def test_an_answer_that_was_cut_is_incomplete(client: OpenAI) -> None:
    made = client.responses.create(model=PLAIN, input=SHORT, max_output_tokens=5)
    assert made.status == "incomplete" and made.incomplete_details is not None
    assert made.incomplete_details.reason == "max_output_tokens"


@pytest.mark.parametrize(
    "more",
    [
        {"previous_response_id": "resp_1"},
        {"conversation": "conv_1"},
        {"background": True},
        {"tools": [{"type": "web_search"}]},
        {"temperature": 9},
        {"tool_choice": "required"},
        {"input": [{"type": "item_reference", "id": "x"}]},
        {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "x"}]}]},
        {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "x", "detail": "auto"}]}]},
    ],
)
def test_what_would_change_the_answer_is_refused(world: World, client: OpenAI, more: Any) -> None:
    with pytest.raises(BadRequestError) as refused:
        client.responses.create(**{"model": "auto", "input": SHORT, **more})
    assert refused.value.code == "invalid_value" and (refused.value.param or "").startswith(next(iter(more)))
    assert world.chats == []


def test_what_is_left_out_is_told(client: OpenAI) -> None:
    made = client.responses.with_raw_response.create(
        model="auto",
        input=SHORT,
        store=True,
        truncation="auto",
        include=["reasoning.encrypted_content"],
        text={"verbosity": "low"},
        reasoning={"summary": "auto"},
    )
    told = made.headers["x-turnout-warning"]
    for name in ("store", "truncation", "include reasoning.encrypted_content", "text.verbosity", "reasoning.summary"):
        assert f"{name} is left out" in told


def test_an_unknown_name_is_not_found(client: OpenAI) -> None:
    with pytest.raises(NotFoundError):
        client.responses.create(model="nobody", input=SHORT)


@pytest.mark.parametrize("helper", [False, True])
def test_a_stream_that_breaks_ends_in_an_exception(world: World, client: OpenAI, helper: bool) -> None:
    world.breaks()
    seen: list[Any] = []
    with pytest.raises(APIError) as broken:
        if helper:
            with client.responses.stream(model=FAST, input=LONG) as told:
                seen += told
        else:
            seen.extend(client.responses.create(model=FAST, input=LONG, stream=True))
    assert broken.value.code == "broken_answer"


def test_a_stream_that_is_closed_stops_the_provider(world: World, client: OpenAI) -> None:
    world.slow()
    before = world.count("generations_cancelled")
    with client.responses.create(model="auto", input=ENDLESS, stream=True) as stream:
        for event in stream:
            if event.type == "response.output_text.delta":
                break
    world.is_quiet()
    assert world.count("generations_cancelled") > before
