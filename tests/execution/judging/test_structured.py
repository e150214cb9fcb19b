"""The JSON and the calls that were asked for are told from what came instead."""

from __future__ import annotations

import json
from typing import Any

import pytest

from turnout.execution.judging.structured import MAX_JSON_CHARS, calls_broken, format_problems
from turnout.types import Answer, AnswerFormat, JsonSchema, Message, Request, Tool, ToolCall

SCHEMA = JsonSchema({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]})
WEATHER = Tool(
    "weather", parameters={"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]}
)
CLOCK = Tool("clock")


def formed(text: str, asked: AnswerFormat | None = "json", **more: Any) -> tuple[bool | None, bool | None]:
    request = Request((Message("user", "give me n"),), answer_format=asked)
    return format_problems(request, Answer("a/b", "b", text, **more))


def test_no_format_was_asked_for() -> None:
    assert formed("n is 1", None) == (None, None)


@pytest.mark.parametrize("text", ['{"n": 1}', " [1]\n", '\n{"n": "}"}'])
def test_plain_json_is_fine(text: str) -> None:
    assert formed(text) == (False, False)


@pytest.mark.parametrize(
    "text",
    ['```json\n{"n": 1}\n```', '```\n{"n": 1}\n```\n', 'Here it is: {"n": 1}. Enjoy!', "So:\n```json\n[1]\n```\nDone."],
)
def test_json_in_a_fence_or_in_prose_is_wrapped(text: str) -> None:
    assert formed(text) == (False, True)


@pytest.mark.parametrize(
    "text", ["n is 1", '{"n": 1', "{'n': 1}", '{"n": NaN}', "{n}", "```json\n{\n```", "null", '"n"', "1"]
)
def test_everything_else_is_broken(text: str) -> None:
    assert formed(text)[0] is True


def test_a_schema_counts() -> None:
    assert formed('{"n": 1}', SCHEMA) == (False, False) and formed('{"n": "1"}', SCHEMA) == (True, False)
    assert formed('```\n{"n": 1}\n```', SCHEMA) == (False, True) and formed('```\n{"n": "1"}\n```', SCHEMA) == (
        True,
        True,
    )
    assert formed("1", JsonSchema({"type": "integer"})) == (False, False)


def test_a_schema_that_cannot_be_checked_is_unknown_but_prose_is_not() -> None:
    remote = JsonSchema({"$ref": "http://127.0.0.1:9/"})
    assert formed('{"n": 1}', remote) == (None, False)
    assert formed("n is 1", remote) == (True, False)


def test_what_python_cannot_read_is_unknown() -> None:
    assert formed("[" * 20_000 + "]" * 20_000) == (None, False)
    assert formed("[" * 150 + "]" * 150) == (False, False) and formed("[[]]," * 500 + "[]") == (True, False)
    assert formed("9" * 5_000) == (None, False)
    assert formed("[" + "1," * MAX_JSON_CHARS + "1]") == (None, None)


def test_calls_instead_of_an_answer_have_no_format() -> None:
    assert formed("", tool_calls=(ToolCall("1", "clock", "{}"),)) == (None, None)


def called(
    *calls: tuple[str, str], choice: str = "auto", tools: tuple[Tool, ...] = (WEATHER, CLOCK), text: str = ""
) -> bool | None:
    request = Request((Message("user", "what is the weather?"),), tools, tool_choice=choice)
    return calls_broken(request, Answer("a/b", "b", text, tool_calls=tuple(ToolCall("1", *call) for call in calls)))


def test_a_valid_call_is_fine() -> None:
    assert called(("weather", '{"town": "Oslo"}')) is False
    assert called(("clock", "{}")) is False and called(("clock", "")) is False
    assert called(("weather", '{"town": "Oslo"}'), ("clock", "{}")) is False


@pytest.mark.parametrize(
    "call",
    [
        ("forecast", "{}"),
        ("weather", "{}"),
        ("weather", '{"town": 1}'),
        ("weather", '{"town": "Oslo"'),
        ("weather", "Oslo"),
        ("weather", '["Oslo"]'),
        ("", "{}"),
    ],
)
def test_a_call_that_cannot_be_carried_out_is_broken(call: tuple[str, str]) -> None:
    assert called(call) is True and called(("clock", "{}"), call) is True


def test_a_choice_is_kept() -> None:
    good = ("clock", "{}")
    assert called(choice="required", text="It rains.") is True and called(choice="clock", text="It is noon.") is True
    assert called(good, choice="required") is False and called(good, choice="clock") is False
    assert called(("weather", '{"town": "Oslo"}'), choice="clock") is True
    assert called(good, choice="none") is True and called(choice="none", text="It rains.") is None


def test_no_call_where_none_is_needed_says_nothing() -> None:
    assert called(text="It rains.") is None and called(tools=(), text="It rains.") is None
    assert called(("clock", "{}"), tools=()) is True


@pytest.mark.parametrize(
    "text",
    [
        '<tool_call>\n{"name": "clock", "arguments": {}}\n</tool_call>',
        '{"name": "clock", "arguments": {}}',
        '```json\n{"name": "weather", "parameters": {"town": "Oslo"}}\n```',
        "<function=clock></function>",
    ],
)
def test_a_call_written_as_text_is_broken(text: str) -> None:
    assert called(text=text) is True and called(text=text, tools=()) is None


def test_json_that_is_no_call_is_text() -> None:
    assert called(text='{"name": "Ada", "arguments": 1}') is None and called(text=json.dumps({"name": "clock"})) is None


def test_parameters_that_cannot_be_checked_leave_it_open() -> None:
    unknown = Tool("far", parameters={"$ref": "http://127.0.0.1:9/"})
    assert called(("far", "{}"), tools=(unknown,)) is None
    assert called(("far", "{}"), ("near", "{}"), tools=(unknown,)) is True
    assert called(("far", "{"), tools=(unknown,)) is True
