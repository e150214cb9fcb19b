"""From the body of one of OpenAI's responses to a request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from turnout.gateway.bodies import Fields
from turnout.gateway.openai.messages import content_parts, warn
from turnout.gateway.openai.requests import (
    MOST_TOP_LOGPROBS,
    answer_format,
    effort,
    left_out,
    streams,
    tool_choice,
    tools,
)
from turnout.gateway.refusals import FieldError
from turnout.gateway.wanted import Wanted
from turnout.types import Message, Request, Sampling, ToolCall

_KEPT_ELSEWHERE: Final = {
    "previous_response_id": "answers are not kept here; give the turns before as input",
    "conversation": "conversations are not kept here; give the turns before as input",
    "prompt": "prompt templates are kept at OpenAI only; give the text as input",
    "moderation": "nothing is moderated here",
}
_LOGPROBS: Final = "message.output_text.logprobs"
_ROLES: Final = ("system", "developer", "user", "assistant")


def response_request(body: Mapping[str, Any]) -> Wanted:
    """A response.

    Raises:
        FieldError: a field is of no use, or means something that cannot be honoured.
        RequestError: a message is of no use.
    """
    fields = Fields(body)
    for name, why in _KEPT_ELSEWHERE.items():
        if fields.value(name) is not None:
            raise fields.refuse(name, why)
    if fields.flag("background"):
        raise fields.refuse("background", "nothing runs on after its client has gone")
    warnings: list[str] = []
    messages = _messages(fields, warnings)
    top = fields.whole("top_logprobs", most=MOST_TOP_LOGPROBS)
    included = fields.texts("include", most=20)
    warnings += (f"include {entry[:60]} is left out" for entry in included if entry != _LOGPROBS)
    text = Fields(fields.mapping("text") or {}, "text.")
    wanted_format = text.mapping("format")
    reasoning = Fields(fields.mapping("reasoning") or {}, "reasoning.")
    offered = tools(fields, "tools", warnings)
    if fields.value("truncation") not in (None, "disabled"):
        warn(warnings, "truncation is left out: what does not fit is refused")
    request = Request(
        messages,
        tools=offered,
        sampling=Sampling(
            temperature=fields.number("temperature", least=0, most=2),
            top_p=fields.number("top_p", least=0, most=1),
            max_tokens=fields.whole("max_output_tokens", least=1),
            logprobs=bool(top) or _LOGPROBS in included,
            top_logprobs=top or 0,
        ),
        tool_choice=tool_choice(fields, offered),
        answer_format=None if wanted_format is None else answer_format(wanted_format, "text.format.", warnings),
        reasoning=effort(reasoning, "effort"),
    )
    wanted = Wanted(fields.text("model"), request, streams(fields, warnings), fields.text("user"), warnings)
    for each in (text, reasoning, fields):
        wanted.warnings += left_out(each)
    return wanted


def _messages(fields: Fields, warnings: list[str]) -> tuple[Message, ...]:
    given = fields.value("input")
    instructions = fields.text("instructions")
    first = [Message("system", instructions)] if instructions else []
    if isinstance(given, str):
        return (*first, Message("user", given))
    if not isinstance(given, list) or not given:
        raise fields.refuse("input", "a text or a list of items is needed")
    messages: list[Message] = first
    for at, item in enumerate(given):
        _add(messages, item, f"input.{at}", warnings)
    return tuple(messages)


def _add(messages: list[Message], item: object, path: str, warnings: list[str]) -> None:
    """Add one item. Calls of one turn come as items of their own; here they belong to one message."""
    if not isinstance(item, dict):
        raise FieldError(path, "expected an object")
    fields = Fields(item, f"{path}.")
    kind = fields.text("type", "message")
    if kind == "message":
        role = fields.one_of("role", _ROLES)
        if not role:
            raise fields.refuse("role", f"expected one of {', '.join(_ROLES)}")
        content = content_parts(item.get("content"), f"{path}.content", warnings)
        here = "system" if role == "developer" else role
        messages.append(Request.of([{"role": here, "content": content}]).messages[0])
    elif kind == "function_call":
        call = ToolCall(fields.text("call_id"), fields.text("name"), fields.text("arguments", "{}"))
        if not call.name:
            raise fields.refuse("name", "the name of a function is needed")
        last = messages[-1] if messages else None
        if last is not None and last.role == "assistant":
            messages[-1] = Message("assistant", last.content, last.images, (*last.tool_calls, call))
        else:
            messages.append(Message("assistant", "", (), (call,)))
    elif kind == "function_call_output":
        output = content_parts(fields.value("output"), f"{path}.output", warnings)
        said = Request.of([{"role": "tool", "content": output}]).messages[0]
        messages.append(Message("tool", said.content, said.images, tool_call_id=fields.text("call_id")))
    elif kind != "reasoning":  # what was thought before is the language model's own, and others would not read it
        raise fields.refuse("type", f"an item of type {kind[:40]!r} cannot be passed on")
