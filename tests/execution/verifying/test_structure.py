"""What parses is a weak sign, what does not is a strong one, and what was not asked for is none."""

from __future__ import annotations

from turnout.execution.judging import read_signals
from turnout.execution.verifying.structure import structure_verdicts
from turnout.types import Answer, JsonSchema, Request

ASKED = Request.of("Write a Python function that adds two numbers.")
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def verdicts(request: Request, text: str) -> list[tuple[str, float, float]]:
    answer = Answer(candidate="c", model="m", text=text, finish="stop")
    return [tuple(one) for one in structure_verdicts(read_signals(request, answer).to_json())]  # type: ignore[misc]


def test_json_that_was_asked_for_is_verified() -> None:
    request = Request(Request.of("how many?").messages, answer_format=JsonSchema(SCHEMA))
    assert verdicts(request, '{"n": 3}') == [("format", 1.0, 0.2)]
    assert verdicts(request, '{"n": "three"}') == [("format", 0.0, 1.0)]


def test_code_that_was_asked_for_is_verified() -> None:
    assert verdicts(ASKED, "```python\ndef add(a, b):\n    return a + b\n```") == [("code", 1.0, 0.2)]
    assert verdicts(ASKED, "```python\ndef add(a, b:\n    return a +\n```") == [("code", 0.0, 0.5)]


def test_an_answer_in_prose_shows_nothing() -> None:
    assert verdicts(Request.of("why is the sky blue?"), "Because of Rayleigh scattering.") == []
