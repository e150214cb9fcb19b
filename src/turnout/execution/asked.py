"""What a caller asks of the client, with everything that is said beside the request, as one frozen value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from sys import float_info
from typing import Any, Final, TypedDict, Unpack, get_args

from turnout.config.rules import ExchangeRates
from turnout.errors import RequestError
from turnout.policy.utility import exchange_rate
from turnout.types import AnswerFormat, Hints, JsonSchema, Reasoning, Request, RequestLike, Sampling, Tool


class Options(TypedDict, total=False):
    """What can be said beside a prompt or messages; the keywords of `complete`, `stream` and `route`.

    `preference` is fast, balanced, quality, a number or exchange rates; left out, configuration and rules say it.
    `deadline_s` is for everything together. `candidate` is the only one that may answer; `voice` and `ensemble` name
    entries of the configuration. `hold` keeps a stream back until the answer is judged. `use_cache` false asks afresh
    and still keeps the answer. `metadata` comes back with the completion and goes nowhere else. `tools`,
    `tool_choice`, `answer_format`, `sampling`, `reasoning` and `files` are those of `Request`, for whoever gives a
    prompt or messages instead of one.
    """

    preference: str | float | ExchangeRates | None
    deadline_s: float | None
    candidate: str
    voice: str
    ensemble: str
    conversation: str
    user: str
    headers: Mapping[str, str]
    hold: bool
    use_cache: bool
    metadata: Mapping[str, Any]
    tools: Sequence[Tool | Mapping[str, Any]]
    tool_choice: str
    answer_format: AnswerFormat | None
    sampling: Sampling
    reasoning: Reasoning | None
    files: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request and its circumstances; see `Options`."""

    request: Request
    hints: Hints = field(default_factory=Hints)
    preference: str | float | ExchangeRates | None = None
    deadline_s: float | None = None
    candidate: str = ""
    voice: str = ""
    ensemble: str = ""
    hold: bool = False
    use_cache: bool = True
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, request: RequestLike, **options: Unpack[Options]) -> Asked:
        """Put a request and its options together.

        Raises:
            RequestError: an option nobody knows, or of a value that makes no sense; it names the option.
        """
        for name, value in options.items():
            if name not in _CHECKS:
                raise RequestError(f"unknown option {name!r}; there are {', '.join(_CHECKS)}")
            expected, is_right = _CHECKS[name]
            if not is_right(value):
                raise RequestError(f"{name} is {str(value)[:80]!r}; expected {expected}")
        preference = options.get("preference")
        if preference is not None and not isinstance(preference, ExchangeRates):
            exchange_rate(preference)
        hints = Hints(options.get("conversation", ""), options.get("user", ""), options.get("headers", {}))
        return cls(
            request=_request(request, options),
            hints=hints,
            preference=preference,
            deadline_s=options.get("deadline_s"),
            candidate=options.get("candidate", ""),
            voice=options.get("voice", ""),
            ensemble=options.get("ensemble", ""),
            hold=options.get("hold", False),
            use_cache=options.get("use_cache", True),
            metadata=options.get("metadata", {}),
        )


def _request(request: RequestLike, options: Options) -> Request:
    """The request with what the options say of it."""
    made = Request.of(request)
    said: dict[str, Any] = {name: options[name] for name in _OF_THE_REQUEST if name in options}
    if "tools" in options:
        said["tools"] = tuple(Tool.of(tool) for tool in options["tools"])
    if "files" in options:
        said["files"] = tuple(options["files"])
    return replace(made, **said) if said else made


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray)


def _are_texts(value: object) -> bool:
    return isinstance(value, Sequence) and _is_list(value) and all(map(_is_text, value))


def _are_headers(value: object) -> bool:
    return isinstance(value, Mapping) and all(map(_is_text, (*value.keys(), *value.values())))


def _is_deadline(value: object) -> bool:
    if value is None:
        return True
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return 0 < value <= float_info.max


_OF_THE_REQUEST: Final = ("tool_choice", "answer_format", "sampling", "reasoning")

_CHECKS: Final[dict[str, tuple[str, Callable[[object], bool]]]] = {
    "preference": ("fast, balanced, quality, a number of 0 or more, or exchange rates", lambda _: True),
    "deadline_s": ("seconds above 0", _is_deadline),
    "candidate": ("the name of a candidate", _is_text),
    "voice": ("the name of a voice", _is_text),
    "ensemble": ("the name of an ensemble", _is_text),
    "conversation": ("text", _is_text),
    "user": ("text", _is_text),
    "headers": ("a mapping from text to text", _are_headers),
    "hold": ("true or false", _is_flag),
    "use_cache": ("true or false", _is_flag),
    "metadata": ("a mapping", lambda value: isinstance(value, Mapping)),
    "tools": ("a list of tools", _is_list),
    "tool_choice": ("auto, none, required or the name of a tool", _is_text),
    "answer_format": ("'json', a JsonSchema or none", lambda v: v in (None, "json") or isinstance(v, JsonSchema)),
    "sampling": ("a Sampling", lambda value: isinstance(value, Sampling)),
    "reasoning": ("off, on, low, medium, high or none", lambda v: v is None or v in get_args(Reasoning)),
    "files": ("a list of paths", _are_texts),
}
"""For every option what is expected, and whether a value is that. The preference is checked where it is read."""
