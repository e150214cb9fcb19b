"""From the bodies of OpenAI's chat completions and completions to requests; what cannot be passed on is refused or told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from turnout.gateway.bodies import Fields
from turnout.gateway.refusals import FieldError
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
}
_ROLES: Final = ("system", "developer", "user", "assistant", "tool", "function")
_TEXT_PARTS: Final = frozenset({"text", "input_text", "output_text", "refusal"})
_IMAGE_PARTS: Final = frozenset({"image_url", "input_image", "image"})
_HARMLESS: Final = frozenset(
    {
        "metadata",
        "store",
        "service_tier",
        "safety_identifier",
        "prompt_cache_key",
        "prompt_cache_retention",
        "parallel_tool_calls",
        "verbosity",
        "echo",
        "suffix",
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

MOST_STOPS: Final = 16
MOST_TOP_LOGPROBS: Final = 20


def chat_request(body: Mapping[str, Any]) -> Wanted:
    """A chat completion.

    Raises:
        FieldError: a field is of no use, or means something that cannot be honoured.
        RequestError: a message is of no use.
    """
    fields = Fields(body)
    refuse_too_much(fields)
    messages = fields.items("messages")
    if not messages:
        raise fields.refuse("messages", "a list with at least one message is needed")
    wanted = _wanted(fields, Request.of([_message(at, entry) for at, entry in enumerate(messages)]).messages)
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
    wanted = Wanted(fields.text("model"), Request((Message("user", prompt),), sampling=sampling), *_delivery(fields))
    wanted.warnings += left_out(fields)
    return wanted


def _wanted(fields: Fields, messages: tuple[Message, ...]) -> Wanted:
    logprobs = fields.flag("logprobs")
    top = fields.whole("top_logprobs", most=MOST_TOP_LOGPROBS)
    if top and not logprobs:
        raise fields.refuse("top_logprobs", "needs logprobs to be true")
    request = Request(
        messages,
        tools=tools(fields, "tools"),
        sampling=_sampling(fields, logprobs=logprobs, top_logprobs=top or 0),
        tool_choice=tool_choice(fields),
        answer_format=_answer_format(fields),
        reasoning=effort(fields, "reasoning_effort"),
    )
    return Wanted(fields.text("model"), request, *_delivery(fields))


def _delivery(fields: Fields) -> tuple[bool, str]:
    """Whether it is streamed, and for whom."""
    options = fields.mapping("stream_options") or {}
    Fields(options, "stream_options.").flag("include_usage")
    return fields.flag("stream"), fields.text("user")


def refuse_too_much(fields: Fields) -> None:
    """Refuse what cannot be left out.

    Raises:
        FieldError: something of it is asked for.
    """
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


def tools(fields: Fields, name: str) -> tuple[Tool, ...]:
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
    return tuple(found)


def tool_choice(fields: Fields) -> str:
    """auto, none, required or the name of the one function to call."""
    choice = fields.value("tool_choice")
    if choice is None:
        return "auto"
    if choice in ("auto", "none", "required"):
        return str(choice)
    if isinstance(choice, dict):
        inner = choice.get("function", choice)
        named = inner.get("name") if isinstance(inner, dict) else None
        if isinstance(named, str) and named:
            return named
    raise fields.refuse("tool_choice", "expected auto, none, required or one function")


def effort(fields: Fields, name: str) -> Reasoning | None:
    """How much is thought before the answer."""
    word = fields.one_of(name, tuple(EFFORTS))
    return EFFORTS[word] if word else None


def _answer_format(fields: Fields) -> AnswerFormat | None:
    wanted = fields.mapping("response_format")
    return None if wanted is None else answer_format(wanted, "response_format.")


def answer_format(wanted: Mapping[str, Any], path: str) -> AnswerFormat | None:
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
    inner = Fields(fields.mapping("json_schema") or wanted, f"{path}json_schema.")
    schema = inner.mapping("schema")
    if schema is None:
        raise inner.refuse("schema", "a JSON schema is needed")
    return JsonSchema(schema, inner.text("name") or "answer")


def _message(at: int, entry: object) -> Mapping[str, Any]:
    """The message as it came, once it is known that nothing of it would be lost."""
    if not isinstance(entry, dict):
        raise FieldError(f"messages.{at}", "expected an object with role and content")
    role = entry.get("role")
    if role not in _ROLES:
        raise FieldError(f"messages.{at}.role", f"expected one of {', '.join(_ROLES)}")
    check_parts(entry.get("content"), f"messages.{at}.content")
    if entry.get("audio") is not None:
        raise FieldError(f"messages.{at}.audio", "audio is not heard here")
    if entry.get("function_call") is not None:
        raise FieldError(f"messages.{at}.function_call", "give it as tool_calls; the older form is not understood")
    return entry if role != "function" else {**entry, "role": "tool"}


def check_parts(content: object, path: str) -> None:
    """Nothing but text and pictures.

    Raises:
        FieldError: something else is among the parts.
    """
    if not isinstance(content, Sequence) or isinstance(content, str):
        return
    for at, part in enumerate(content):
        kind = part.get("type", "text") if isinstance(part, dict) else None
        if not isinstance(kind, str) or kind not in _TEXT_PARTS | _IMAGE_PARTS:
            raise FieldError(
                f"{path}.{at}", f"a part of type {str(kind)[:40]!r} cannot be passed on; text and images can"
            )
