"""From the bodies of Ollama's chat and generate to requests; what cannot be passed on is refused or told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from turnout.gateway.bodies import Fields
from turnout.gateway.openai.messages import warn
from turnout.gateway.openai.requests import EFFORTS, MOST_STOPS, MOST_TOP_LOGPROBS, left_out, tools
from turnout.gateway.refusals import FieldError
from turnout.gateway.wanted import Wanted
from turnout.types import AnswerFormat, Image, JsonSchema, Message, Reasoning, Request, Sampling, ToolCall

_ROLES: Final = ("system", "user", "assistant", "tool")
_OWN_TO_OLLAMA: Final = frozenset(
    (
        "num_ctx",
        "num_keep",
        "num_batch",
        "num_gpu",
        "main_gpu",
        "use_mmap",
        "num_thread",
        "low_vram",
        "numa",
        "vocab_only",
    )
)
"""How a language model is run: the configuration says it for each candidate, a request cannot."""


def chat_request(body: Mapping[str, Any]) -> Wanted:
    """A chat.

    Raises:
        FieldError: a field is of no use, or means something that cannot be honoured.
        RequestError: a tool is of no use.
    """
    fields = Fields(body)
    warnings: list[str] = []
    messages = _answered([_message(at, entry, warnings) for at, entry in enumerate(fields.items("messages") or ())])
    return _wanted(fields, messages, warnings, tools=tools(fields, "tools", warnings))


def generate_request(body: Mapping[str, Any]) -> Wanted:
    """A prompt, with a system prompt where there is one.

    Raises:
        FieldError: a field is of no use, or means something that cannot be honoured.
    """
    fields = Fields(body)
    for name, why in (
        ("suffix", "nothing is filled in between two texts here"),
        ("template", "the template is the provider's"),
        ("context", "give the turns before as messages to /api/chat"),
    ):
        if fields.value(name):
            raise fields.refuse(name, why)
    if fields.flag("raw"):
        raise fields.refuse("raw", "prompts are put into the template of whoever answers")
    system, prompt = fields.text("system"), fields.text("prompt")
    images = _images(fields, "images")
    messages = [Message("system", system)] if system else []
    if prompt or images:
        messages.append(Message("user", prompt, images))
    return _wanted(fields, tuple(messages) if prompt or images else (), [])


def _wanted(fields: Fields, messages: tuple[Message, ...], warnings: list[str], **more: Any) -> Wanted:
    logprobs, top = fields.flag("logprobs"), fields.whole("top_logprobs", most=MOST_TOP_LOGPROBS) or 0
    if fields.value("keep_alive") is not None and messages:
        warnings.append("keep_alive is left out; the configuration says how long a language model stays")
    sampling = _sampling(Fields(fields.mapping("options") or {}, "options."), warnings, logprobs, top)
    request = Request(messages, sampling=sampling, answer_format=_format(fields), reasoning=_think(fields), **more)
    wanted = Wanted(
        fields.text("model") or fields.text("name"), request, fields.flag("stream", True), warnings=warnings
    )
    wanted.warnings += left_out(fields)
    return wanted


def _sampling(options: Fields, warnings: list[str], logprobs: bool, top_logprobs: int) -> Sampling:
    most = options.whole("num_predict", least=-2)
    made = Sampling(
        temperature=options.number("temperature", least=0, most=10),
        top_p=options.number("top_p", least=0, most=1),
        top_k=options.whole("top_k"),
        min_p=options.number("min_p", least=0, most=1),
        presence_penalty=options.number("presence_penalty", least=-2, most=2),
        frequency_penalty=options.number("frequency_penalty", least=-2, most=2),
        repeat_penalty=options.number("repeat_penalty", least=0, most=10),
        max_tokens=None if most is None or most <= 0 else most,  # -1 and -2 are "as many as it takes"
        seed=options.whole("seed", least=-(2**63), most=2**63 - 1),
        stop=options.texts("stop", most=MOST_STOPS),
        logprobs=logprobs or top_logprobs > 0,
        top_logprobs=top_logprobs,
    )
    for name in options.unread:
        if name.removeprefix("options.") in _OWN_TO_OLLAMA:
            warnings.append(f"{name} is left out; the configuration says how a language model is run")
        else:
            warnings.append(f"{name[:60]} is left out")
    return made


def _format(fields: Fields) -> AnswerFormat | None:
    wanted = fields.value("format")
    if wanted is None or wanted == "":
        return None
    if wanted == "json":
        return "json"
    if isinstance(wanted, dict):
        return JsonSchema(wanted)
    raise fields.refuse("format", "expected json or a JSON schema")


def _think(fields: Fields) -> Reasoning | None:
    wanted = fields.value("think")
    if wanted is None:
        return None
    if isinstance(wanted, bool):
        return "on" if wanted else "off"
    if isinstance(wanted, str) and wanted in EFFORTS:
        return EFFORTS[wanted]
    raise fields.refuse("think", "expected true, false, low, medium or high")


def _answered(messages: list[Message]) -> tuple[Message, ...]:
    """The messages with each result of a tool under the id of its call. In this dialect results tell the name of the
    tool, or follow in the order of the calls; other dialects know them by their ids alone."""
    made: list[Message] = []
    unanswered: list[ToolCall] = []
    for message in messages:
        if message.tool_calls:
            unanswered = list(message.tool_calls)
        elif message.role == "tool":
            known = message.tool_call_id
            call = next(
                (one for one in unanswered if one.id == known or (not known and message.name in ("", one.name))), None
            )
            if call is not None:
                unanswered.remove(call)
                message = replace(message, tool_call_id=call.id, name=call.name)
        made.append(message)
    return tuple(made)


def _message(at: int, entry: object, warnings: list[str]) -> Message:
    if not isinstance(entry, dict):
        raise FieldError(f"messages.{at}", "expected an object with role and content")
    fields = Fields(entry, f"messages.{at}.")
    role = fields.text("role")
    if role not in _ROLES:
        raise fields.refuse("role", f"expected one of {', '.join(_ROLES)}")
    calls = tuple(_tool_call(at, number, call) for number, call in enumerate(fields.items("tool_calls") or ()))
    name = fields.text("tool_name") or fields.text("name")
    said = Message(role, fields.text("content"), _images(fields, "images"), calls, fields.text("tool_call_id"), name)
    fields.text("thinking")  # of an earlier turn: the language model's own, and others would not read it
    for left in fields.unread:
        warn(warnings, f"{left.rpartition('.')[2][:60]} of a message is unknown and left out")
    return said


def _tool_call(at: int, number: int, call: object) -> ToolCall:
    fields = Fields(call if isinstance(call, dict) else {}, f"messages.{at}.tool_calls.{number}.")
    function = Fields(fields.mapping("function") or {}, f"messages.{at}.tool_calls.{number}.function.")
    name, arguments = function.text("name"), function.value("arguments")
    if not name:
        raise function.refuse("name", "the name of a function is needed")
    text = arguments if isinstance(arguments, str) else json.dumps({} if arguments is None else arguments)
    return ToolCall(fields.text("id") or f"call_{at}_{number}", name, text)


def _images(fields: Fields, name: str) -> tuple[Image, ...]:
    """Base64 without a word about the kind; clients send PNG and JPEG, which tell themselves by their first bytes."""
    found = fields.items(name) or []
    if not all(isinstance(entry, str) and entry for entry in found):
        raise fields.refuse(name, "expected a list of images in base64")
    return tuple(
        Image(entry if entry.startswith("data:") else f"data:{_kind(entry)};base64,{entry}") for entry in found
    )


def _kind(content: str) -> str:
    starts = {"/9j/": "image/jpeg", "R0lG": "image/gif", "UklG": "image/webp"}
    return starts.get(content[:4], "image/png")
