"""From the bodies of OpenAI's chat completions and completions to requests; what cannot be passed on is refused or told."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

from turnout.gateway.bodies import Fields
from turnout.gateway.openai.messages import chat_message, warn
from turnout.gateway.wanted import Wanted
from turnout.types import AnswerFormat, JsonSchema, Message, Reasoning, Request, Sampling, Tool

EFFORTS: Final[Mapping[str, Reasoning]] = {
    "none": "off",
    "off": "off",
    "on": "on",
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "high",
}
_HARMLESS: Final = frozenset(
    {
        "metadata",
        "store",
        "service_tier",
        "safety_identifier",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "parallel_tool_calls",
        "verbosity",
        "text.verbosity",
        "reasoning.summary",
        "reasoning.generate_summary",
        "stream_options.include_obfuscation",
    }
)
"""What an answer does not depend on much: left out, and told in a header."""

_TOO_MUCH: Final = {
    "audio": "audio is not spoken here",
    "prediction": "predicted outputs are not passed on",
    "web_search_options": "nobody searches the web here; give the language model a tool for it",
    "moderation": "nothing is moderated here",
}
"""What would change the answer: refused, because an answer without it is another one."""

_DRAWN_BY: Final = frozenset(entry.name for entry in dataclasses.fields(Sampling)) | {"max_completion_tokens"}
_AS_USUAL: Final = Sampling()
_USUAL: Final = _DRAWN_BY - {"logprobs", "top_logprobs"} | {"model", "messages", "stream", "user"}
"""All that most requests say: whatever else there is need not be looked for in them."""

MOST_STOPS: Final = 16
MOST_TOP_LOGPROBS: Final = 20


def chat_request(body: Mapping[str, Any]) -> Wanted:
    """A chat completion.

    Raises:
        FieldError: a field is of no use, or means something that cannot be honoured.
        RequestError: a message is of no use.
    """
    fields = Fields(body)
    is_usual = body.keys() <= _USUAL
    if not is_usual:
        refuse_too_much(fields)
    messages = fields.items("messages")
    if not messages:
        raise fields.refuse("messages", "a list with at least one message is needed")
    warnings: list[str] = []
    said = Request.of([chat_message(at, entry, warnings) for at, entry in enumerate(messages)]).messages
    if is_usual:
        request = Request(said, sampling=_sampling(fields, logprobs=False, top_logprobs=0))
        wants_stream = fields.flag("stream")
        return Wanted(fields.text("model"), request, wants_stream, fields.text("user"), warnings)
    wanted = _wanted(fields, said, warnings)
    if body.get("functions") is not None or body.get("function_call") is not None:
        raise fields.refuse("functions", "give them as tools; the older form is not understood")
    wanted.warnings += left_out(fields)
    return wanted


def text_request(body: Mapping[str, Any]) -> Wanted:
    """A completion of a text. The text is asked as a user's message: chat templates are the provider's.

    Raises:
        FieldError: a field is of no use, or means something that cannot be honoured.
    """
    fields = Fields(body)
    refuse_too_much(fields)
    prompt = fields.value("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if not isinstance(prompt, str):
        raise fields.refuse("prompt", "one text is needed; several at once and token ids are not understood")
    if fields.text("suffix"):
        raise fields.refuse("suffix", "nothing is filled in between two texts here")
    if fields.flag("echo"):
        raise fields.refuse("echo", "the prompt is not repeated here")
    if (fields.whole("best_of", least=1) or 1) > 1:
        raise fields.refuse("best_of", "ask an ensemble of the kind best_of instead")
    top = fields.whole("logprobs", most=MOST_TOP_LOGPROBS)
    sampling = _sampling(fields, logprobs=top is not None, top_logprobs=top or 0)
    request = Request((Message("user", prompt),), sampling=sampling)
    wanted = Wanted(fields.text("model"), request, user=fields.text("user"))
    wanted.streams = streams(fields, wanted.warnings)
    wanted.warnings += left_out(fields)
    return wanted


def _wanted(fields: Fields, messages: tuple[Message, ...], warnings: list[str]) -> Wanted:
    logprobs = fields.flag("logprobs")
    top = fields.whole("top_logprobs", most=MOST_TOP_LOGPROBS)
    if top and not logprobs:
        raise fields.refuse("top_logprobs", "needs logprobs to be true")
    offered = tools(fields, "tools", warnings)
    request = Request(
        messages,
        tools=offered,
        sampling=_sampling(fields, logprobs=logprobs, top_logprobs=top or 0),
        tool_choice=tool_choice(fields, offered),
        answer_format=_answer_format(fields, warnings),
        reasoning=effort(fields, "reasoning_effort"),
    )
    wants_stream = streams(fields, warnings)
    return Wanted(fields.text("model"), request, wants_stream, fields.text("user"), warnings)


def streams(fields: Fields, warnings: list[str]) -> bool:
    """Whether the answer is streamed; with a warning for each option of the stream that is not understood."""
    options = Fields(fields.mapping("stream_options") or {}, "stream_options.")
    options.flag("include_usage")
    warnings += left_out(options)
    return fields.flag("stream")


def refuse_too_much(fields: Fields) -> None:
    """Refuse what cannot be left out.

    Raises:
        FieldError: something of it is asked for.
    """
    if fields.holds(_TOO_MUCH.keys()):
        for name, why in _TOO_MUCH.items():
            if fields.value(name) is not None:
                raise fields.refuse(name, why)
    if (fields.whole("n", least=1, most=128) or 1) > 1:
        raise fields.refuse("n", "one answer is given; ask again, or an ensemble, for more")
    modalities = fields.value("modalities")
    if modalities is not None and modalities != ["text"]:
        raise fields.refuse("modalities", "only text is answered")
    if fields.mapping("logit_bias"):
        raise fields.refuse("logit_bias", "token ids differ between language models, so it cannot be passed on")


def left_out(fields: Fields) -> list[str]:
    """A warning for each field that is not passed on."""
    return [
        f"{name[:60]} is left out" if name in _HARMLESS else f"{name[:60]} is unknown and left out"
        for name in fields.unread
    ]


def _sampling(fields: Fields, *, logprobs: bool, top_logprobs: int) -> Sampling:
    if not (logprobs or fields.holds(_DRAWN_BY)):  # most requests say nothing of it
        return _AS_USUAL
    newer, older = fields.whole("max_completion_tokens", least=1), fields.whole("max_tokens", least=1)
    return Sampling(
        temperature=fields.number("temperature", least=0, most=2),
        top_p=fields.number("top_p", least=0, most=1),
        top_k=fields.whole("top_k"),
        min_p=fields.number("min_p", least=0, most=1),
        presence_penalty=fields.number("presence_penalty", least=-2, most=2),
        frequency_penalty=fields.number("frequency_penalty", least=-2, most=2),
        repeat_penalty=fields.number("repeat_penalty", least=0, most=10),
        max_tokens=older if newer is None else newer,
        seed=fields.whole("seed", least=-(2**63), most=2**63 - 1),
        stop=fields.texts("stop", most=MOST_STOPS),
        logprobs=logprobs,
        top_logprobs=top_logprobs,
    )


def tools(fields: Fields, name: str, warnings: list[str]) -> tuple[Tool, ...]:
    """Functions in the list of this name; other kinds of tools run at OpenAI only.

    Raises:
        FieldError: there are others.
        RequestError: a function is of no use.
    """
    found = []
    for at, entry in enumerate(fields.items(name) or ()):
        kind = entry.get("type", "function") if isinstance(entry, dict) else None
        if kind != "function":
            raise fields.refuse(f"{name}.{at}", "only functions can be called here")
        found.append(Tool.of(entry))
        function = entry.get("function", entry)
        if isinstance(function, dict) and function.get("strict"):
            warn(warnings, "strict of a tool is left out: arguments follow the schema as the language model can")
    return tuple(found)


def tool_choice(fields: Fields, offered: Sequence[Tool]) -> str:
    """auto, none, required or the name of the one function to call.

    Raises:
        FieldError: none of these, or nobody offers the function.
    """
    choice = fields.value("tool_choice")
    if choice is None or choice in ("auto", "none"):
        return choice or "auto"
    if choice == "required" and offered:
        return "required"
    if isinstance(choice, dict):
        inner = choice.get("function", choice)
        named = inner.get("name") if isinstance(inner, dict) else None
        if named in [tool.name for tool in offered]:
            return str(named)
    raise fields.refuse(
        "tool_choice", "expected auto, none, required or one function, and required ones among the tools"
    )


def effort(fields: Fields, name: str) -> Reasoning | None:
    """How much is thought before the answer."""
    word = fields.one_of(name, tuple(EFFORTS))
    return EFFORTS[word] if word else None


def _answer_format(fields: Fields, warnings: list[str]) -> AnswerFormat | None:
    wanted = fields.mapping("response_format")
    return None if wanted is None else answer_format(wanted, "response_format.", warnings)


def answer_format(wanted: Mapping[str, Any], path: str, warnings: list[str]) -> AnswerFormat | None:
    """text, json_object or json_schema; the schema inside an object of its own, or beside its name.

    Raises:
        FieldError: none of these, or no schema.
    """
    fields = Fields(wanted, path)
    kind = fields.one_of("type", ("text", "json_object", "json_schema"))
    if kind == "json_object":
        return "json"
    if kind != "json_schema":
        return None
    nested = fields.mapping("json_schema")
    inner = fields if nested is None else Fields(nested, f"{path}json_schema.")
    schema = inner.mapping("schema")
    if schema is None:
        raise inner.refuse("schema", "a JSON schema is needed")
    inner.flag("strict")  # schemas are followed strictly wherever the provider can
    made = JsonSchema(schema, inner.text("name") or "answer")
    warnings += left_out(inner)
    return made
