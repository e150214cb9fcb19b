"""What Anthropic's Messages API refuses, and in which words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from tests.emulators.test_anthropic import ASKED, CALLED, HEADERS, RESULT, THINKS, WEATHER, Cloud
from tests.emulators.wire import told

from turnout.emulators.anthropic import AnthropicOptions, make
from turnout.emulators.server import EmulatorOptions, serving

pytestmark = pytest.mark.anyio

CALLS = {"role": "assistant", "content": [CALLED]}
RESULTS = {"role": "user", "content": [RESULT]}
OLD, NEW = "claude-sonnet-4", "claude-opus-4-7"


@pytest.fixture
async def cloud(http: aiohttp.ClientSession) -> AsyncIterator[Cloud]:
    models = ["claude-sonnet-4-5", OLD, NEW]
    async with serving(make(EmulatorOptions(models=models, context=3000))) as url:
        yield Cloud(http, url)


def formatted(schema: Any) -> dict[str, Any]:
    return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no limit": ({"max_tokens": None}, "max_tokens: Field required"),
    "no messages": ({"messages": None}, "messages: Field required"),
    "limit in words": ({"max_tokens": "9"}, "max_tokens: Input should be a valid integer"),
    "no tokens": ({"max_tokens": 0}, "max_tokens: must be greater than or equal to 1"),
    "longer than it can": (
        {"max_tokens": 64_001}, "64001 > 64000, which is the maximum allowed number of output tokens for claude-",
    ),
    "unknown field": ({"seed": 1}, "seed: Extra inputs are not permitted"),
    "too warm": ({"temperature": 1.5}, "temperature: range: 0..1"),
    "two samplings": ({"temperature": 0.5, "top_p": 0.9}, "`temperature` and `top_p` cannot both be specified"),
    "sampling of the newest": ({"model": NEW, "top_k": 3}, "`top_k` is deprecated for this model."),
    "empty messages": ({"messages": []}, "messages: at least one message is required"),
    "system among them": ({"messages": [{"role": "system", "content": "x"}]}, 'Unexpected role "system"'),
    "unknown role": ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role: Input should be 'user'"),
    "assistant first": ({"messages": [{"role": "assistant", "content": "x"}, *ASKED]}, 'must use the "user" role'),
    "empty message": ({"messages": [{"role": "user", "content": ""}]}, "messages.0: all messages must have non-empty"),
    "empty text": (
        {"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]},
        "messages: text content blocks must be non-empty",
    ),
    "trailing space": (
        {"messages": [*ASKED, {"role": "assistant", "content": "It is "}]}, "cannot end with trailing whitespace",
    ),
    "unanswered call": ({"messages": [*ASKED, CALLS, *ASKED]}, "messages.1: `tool_use` ids were found without"),
    "call at the end": ({"messages": [*ASKED, CALLS]}, "messages.1: `tool_use` ids were found without"),
    "result of nothing": ({"messages": [RESULTS]}, "messages.0.content.0: unexpected `tool_use_id` found"),
    "odd identifier": (
        {"messages": [*ASKED, {"role": "assistant", "content": [{**CALLED, "id": "a b"}]}, RESULTS]},
        "messages.1.content.0.tool_use.id: String should match pattern",
    ),
    "tool without a schema": ({"tools": [{"name": "x"}]}, "tools.0.custom.input_schema: Field required"),
    "tool of no object": (
        {"tools": [{"name": "x", "input_schema": {}}]}, "tools.0.custom.input_schema.type: Field required",
    ),
    "tool with a space": ({"tools": [{**WEATHER, "name": "get weather"}]}, "tools.0.custom.name: String should match"),
    "choice without tools": ({"tool_choice": {"type": "any"}}, "only be specified while providing tools"),
    "unknown tool": (
        {"tools": [WEATHER], "tool_choice": {"type": "tool", "name": "x"}}, "Tool 'x' not found in provided tools",
    ),
    "open schema": (
        formatted({"type": "object"}),
        "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false",
    ),
    "schema that says it is open": (
        formatted({"type": "object", "additionalProperties": True}), "'additionalProperties: true' is not supported",
    ),
    "open object inside": (
        formatted({"type": "array", "items": {"type": "object"}}), "'additionalProperties' must be explicitly set",
    ),
    "unknown format": ({"output_config": {"format": {"type": "json"}}}, "output_config.format.type: Input should be"),
    "small budget": (
        {"thinking": {"type": "enabled", "budget_tokens": 9}}, "budget_tokens: Input should be greater than or equal",
    ),
    "budget without room": ({**THINKS, "max_tokens": 1024}, "`max_tokens` must be greater than `thinking.budget_tokens`"),
    "budget for the newest": ({**THINKS, "model": NEW}, '"thinking.type.enabled" is not supported for this model.'),
    "adaptive for the old": ({"thinking": {"type": "adaptive"}}, "adaptive thinking is not supported on this model"),
    "cool thoughts": ({**THINKS, "temperature": 0.2}, "`temperature` may only be set to 1 when thinking is enabled."),
    "narrow thoughts": ({**THINKS, "top_k": 5}, "`top_k` must be unset when thinking is enabled."),
    "forced thoughts": (
        {**THINKS, "tools": [WEATHER], "tool_choice": {"type": "any"}},
        "Thinking may not be enabled when tool_choice forces tool use.",
    ),
    "thoughts left out": (
        {**THINKS, "tools": [WEATHER], "messages": [*ASKED, CALLS, RESULTS]},
        "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`.",
    ),
    "too long": (
        {"messages": [{"role": "user", "content": "a " * 8000}]}, "prompt is too long: 4004 tokens > 3000 maximum",
    ),
    "too long together": (
        {"model": OLD, "max_tokens": 2990},
        "input length and `max_tokens` exceed context limit: 18 + 2990 > 3000, decrease input length or",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
async def test_it_is_refused_before_anything_is_generated(cloud: Cloud, case: str) -> None:
    changes, words = REFUSED[case]
    answer = await cloud.ask(**changes, stream=True)
    assert answer.status == 400
    assert answer.body.keys() == {"type", "error", "request_id"} and answer.body["type"] == "error"
    assert answer.body["request_id"] == answer.headers["request-id"]
    assert answer.error["type"] == "invalid_request_error" and words in answer.error["message"]


async def test_the_window_ends_an_answer_since_a_generation(cloud: Cloud) -> None:
    words = [{"role": "user", "content": "write 3000 words about rain"}]
    message = (await cloud.ask(messages=words, max_tokens=20_000)).body
    assert message["stop_reason"] == "model_context_window_exceeded"
    assert message["usage"]["input_tokens"] + message["usage"]["output_tokens"] == 3000


async def test_thoughts_that_come_back_are_welcome(cloud: Cloud) -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "Er"}
    turns = [*ASKED, {"role": "assistant", "content": [thought, CALLED]}, RESULTS]
    assert (await cloud.ask(**THINKS, tools=[WEATHER], messages=turns)).status == 200


@pytest.mark.parametrize(
    ("headers", "status", "kind", "words"),
    [
        ({}, 401, "authentication_error", "x-api-key header is required"),
        ({"x-api-key": "k"}, 400, "invalid_request_error", "anthropic-version: header is required"),
        ({"x-api-key": "k", "anthropic-version": "1"}, 400, "invalid_request_error", '"1" is not a valid version'),
        ({**HEADERS, "x-api-key": "wrong"}, 401, "authentication_error", "invalid x-api-key"),
    ],
)
@pytest.mark.parametrize("path", ["/messages", "/models"])
async def test_a_key_and_a_version_are_needed_everywhere(
    http: aiohttp.ClientSession, headers: dict[str, str], status: int, kind: str, words: str, path: str
) -> None:
    async with serving(make(AnthropicOptions(api_key="k"))) as url:
        answer = await told(http, f"{url}/v1{path}", None if path == "/models" else {}, headers)
    assert answer.status == status and answer.error["type"] == kind and words in answer.error["message"]


async def test_unknown_models_and_paths_are_not_found(cloud: Cloud) -> None:
    model, path = await cloud.ask(model="claude-9"), await cloud.ask(path="/complete")
    assert model.status == path.status == 404
    assert model.error == {"type": "not_found_error", "message": "model: claude-9"}
    assert path.error["type"] == "not_found_error"
    assert (await cloud.get("/messages")).status == 405


async def test_what_is_no_json_is_told_so(cloud: Cloud) -> None:
    half = b'{"model": "claude-sonnet-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": "\\ud800"}]}'
    for body in (b"{", b"[]", b"\xff", half):
        answer = await told(cloud.http, f"{cloud.url}/messages", body, HEADERS)
        assert answer.status == 400 and "The request body is not valid JSON" in answer.error["message"]
