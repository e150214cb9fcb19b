"""Whether an answer has the structure that was asked for: JSON, a schema's JSON, calls of the tools there are."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from turnout.execution.judging.brackets import nests_deeply
from turnout.execution.judging.schemas import MAX_CPU_S, conforms
from turnout.types import Answer, JsonSchema, Request, ToolCall

MAX_JSON_CHARS: Final = 200_000
"""Longer answers are not parsed; 200 kB take 3 ms."""

MAX_ARGUMENT_CHARS: Final = 50_000
"""Longer arguments of a call are not parsed."""

_FENCED: Final = re.compile(r"\s*```[a-zA-Z0-9]*[ \t]*\n([\s\S]*?)\n[ \t]*```\s*\Z")
_NAMED: Final = frozenset(("auto", "none", "required"))
_LEAKS: Final = (
    "<tool_call",
    "<function=",
    "<|python_tag|>",
    "[TOOL_CALLS]",
    "<｜tool",
    "<function_call",
    "<|tool_call",
)
"""How calls look in the chat templates of Hermes and Qwen, Llama 3, Mistral, DeepSeek and others, where the server did not
read them."""

_UNKNOWN: Final = object()
_INVALID: Final = object()


def format_problems(request: Request, answer: Answer) -> tuple[bool | None, bool | None]:
    """Whether the text is not the JSON that was asked for, and whether that JSON stands inside something else.

    Both None where no format was asked for, where tools were called instead of answering, or where it cannot be told.
    """
    asked = request.answer_format
    if asked is None or (answer.tool_calls and not answer.text.strip()):
        return None, None
    if len(answer.text) > MAX_JSON_CHARS:
        return None, None
    value, wrapped = _parse(answer.text), False
    if value is _INVALID and (inner := _unwrapped(answer.text)) is not None:
        value, wrapped = _parse(inner), True
    if value is _INVALID:
        return True, False
    if value is _UNKNOWN:
        return None, wrapped
    if not isinstance(asked, JsonSchema):
        # 'json' means an object with most providers; a list is still JSON.
        return not isinstance(value, dict | list), wrapped
    fits = conforms(value, asked.schema)
    return None if fits is None else not fits, wrapped


def calls_broken(request: Request, answer: Answer) -> bool | None:
    """Whether the calls of tools are not what was asked for; None where none is asked for and none is made.

    A call is broken by a name that is none of the tools', arguments that are no JSON object or not valid under the
    tool's parameters. So is an answer without the call that `tool_choice` requires, or with a call written as text.
    """
    choice = request.tool_choice
    if not answer.tool_calls:
        if not request.tools or choice == "none":
            return None
        return True if choice != "auto" or _leaks(request, answer.text) else None
    if choice == "none" or (choice not in _NAMED and any(call.name != choice for call in answer.tool_calls)):
        return True
    tools = {tool.name: tool.parameters for tool in request.tools}
    if any(call.name not in tools for call in answer.tool_calls):
        return True
    unknown = False
    until_s = time.thread_time() + MAX_CPU_S
    for call in answer.tool_calls:
        fits = _arguments_fit(call, tools[call.name], until_s)
        if fits is False:
            return True
        unknown = unknown or fits is None
    return None if unknown else False


def _arguments_fit(call: ToolCall, parameters: Mapping[str, Any], until_s: float) -> bool | None:
    left_s = until_s - time.thread_time()
    if len(call.arguments) > MAX_ARGUMENT_CHARS or left_s <= 0:
        return None
    # Servers write nothing at all for a tool without parameters.
    value = _parse(call.arguments) if call.arguments.strip() else {}
    if value is _UNKNOWN:
        return None
    return conforms(value, parameters, left_s) if isinstance(value, dict) else False


def _leaks(request: Request, text: str) -> bool:
    """Whether a call of a tool stands in the text."""
    start = text[:2_000].lstrip()
    if any(mark in start for mark in _LEAKS):
        return True
    if not start.startswith(("{", "```")) or len(text) > 2_000:
        return False
    value = _parse(_unwrapped(text) or text)
    return (
        isinstance(value, dict)
        and value.get("name") in [tool.name for tool in request.tools]
        and ("arguments" in value or "parameters" in value)
    )


def _unwrapped(text: str) -> str | None:
    """The JSON inside a fence, or between prose before and after it."""
    if found := _FENCED.match(text):
        return found[1]
    start = min((place for place in (text.find("{"), text.find("[")) if place >= 0), default=-1)
    end = max(text.rfind("}"), text.rfind("]"))
    return text[start : end + 1] if 0 <= start < end else None


def _parse(text: str) -> Any:
    if nests_deeply(text):
        return _UNKNOWN
    try:
        return json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError:
        return _INVALID
    except _NotJsonError:
        return _INVALID
    except (ValueError, RecursionError):  # more digits or levels than Python reads
        return _UNKNOWN


class _NotJsonError(Exception):
    pass


def _refuse(constant: str) -> NoReturn:
    """NaN and infinities are no JSON, though Python reads them."""
    raise _NotJsonError(constant)
