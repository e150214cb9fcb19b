"""What a front asks the engine, and what it makes of refusals."""

from __future__ import annotations

from contextlib import aclosing

import aiohttp
import pytest
from tests.lab.pretended import Pretended

from turnout.emulators.instance import EngineError
from turnout.emulators.questions import Question
from turnout.lab.fronts_engine import TooLongError, connected, engine_body

pytestmark = pytest.mark.anyio

MESSAGES = ({"role": "user", "content": [{"type": "input_text", "text": "hi"}]},)


def test_sampling_of_either_dialect_is_passed_on() -> None:
    question = Question("hi", 1, messages=MESSAGES, max_tokens=9, stop=("x",))
    asked = engine_body(question, {"temperature": 0.5, "options": {"top_k": 3, "num_ctx": 64}, "ttl": 5})
    assert asked["temperature"] == 0.5 and asked["top_k"] == 3 and not {"num_ctx", "ttl", "options"} & asked.keys()
    assert (asked["max_tokens"], asked["stop"]) == (9, ["x"])
    assert asked["messages"] == [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize(("schema", "expected"), [({}, {"type": "object"}), ({"type": "string"}, {"type": "string"})])
def test_a_schema_binds_the_engine(schema: dict[str, str], expected: dict[str, str]) -> None:
    asked = engine_body(Question("hi", 1, messages=MESSAGES, schema=schema), {})
    assert asked["response_format"]["json_schema"]["schema"] == expected
    assert "response_format" not in engine_body(Question("hi", 1, messages=MESSAGES), {})


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (
            {"type": "exceed_context_size_error", "message": "too long", "n_prompt_tokens": 300, "n_ctx": 160},
            TooLongError,
        ),
        ({"type": "invalid_request_error", "message": "too odd"}, EngineError),
        ("words", EngineError),
    ],
)
async def test_a_refusal_says_what_the_engine_said(
    refusal: object, kind: type[EngineError], http: aiohttp.ClientSession
) -> None:
    async with Pretended(refusal=refusal).serving() as address:
        real = await connected(http, address)
        with pytest.raises(kind, match=r"too|words"):
            async with aclosing(real.events({})) as events:
                [event async for event in events]


async def test_what_is_no_engine_is_an_error(http: aiohttp.ClientSession) -> None:
    with pytest.raises(EngineError, match="does not tell what it runs"):
        await connected(http, "http://127.0.0.1:9")
