"""What a client wants, whatever dialect it speaks: a request, who may answer it, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from turnout.errors import RequestError
from turnout.execution.asked import Options
from turnout.gateway.refusals import FieldError
from turnout.gateway.targets import Target
from turnout.policy.utility import exchange_rate
from turnout.types import Request

_PREFIX: Final = "x-turnout-"
_FLAGS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_SECRET: Final = frozenset({"x-api-key", "x-auth-token", "x-goog-api-key"})
_NAMED: Final = frozenset({"preference", "conversation", "user", "deadline", "candidate", "hold", "cache"})


@dataclass(slots=True)
class Wanted:
    """One request of a client. `warnings` say what of it is not passed on."""

    model: str
    request: Request
    streams: bool = False
    user: str = ""
    warnings: list[str] = field(default_factory=list)

    def options(self, target: Target, headers: Mapping[str, str], caller: str) -> Options:
        """What is said beside the request.

        Args:
            target: what the model's name means.
            headers: of the HTTP request; their names in any case.
            caller: whose key it is; empty where none are used.

        Raises:
            FieldError: a header of ours has no usable value, or the model's name means one that does not answer.
        """
        if target.embeds:
            raise FieldError("model", f"{target.candidate} makes embeddings, no answers")
        said = {name.lower(): value for name, value in headers.items() if name[:2] in ("x-", "X-")}
        options: Options = {}
        if target.preference:
            options["preference"] = target.preference
        if target.candidate:
            options["candidate"] = target.candidate
        if target.voice:
            options["voice"] = target.voice
        if target.ensemble:
            options["ensemble"] = target.ensemble
        ours = {name[len(_PREFIX) :]: value for name, value in said.items() if name.startswith(_PREFIX)}
        if ours:
            _read_ours(ours, options)
            self.warnings += (f"the header {_PREFIX}{name} is unknown" for name in ours.keys() - _NAMED)
        user = options.get("user", "") or self.user
        if caller:  # users of one key are told apart, and those of two keys never meet
            user = f"{caller}/{user}" if user else caller
        if user:
            options["user"] = user
        told = {name: value for name, value in said.items() if not name.startswith(_PREFIX) and name not in _SECRET}
        agent = headers.get("User-Agent")
        if agent:
            told["user-agent"] = agent
        options["headers"] = told
        return options


def _read_ours(ours: Mapping[str, str], options: Options) -> None:
    """The headers that say how a request is to be answered."""
    if preference := ours.get("preference"):
        options["preference"] = _preference(preference)
    if conversation := ours.get("conversation"):
        options["conversation"] = conversation
    if user := ours.get("user"):
        options["user"] = user
    if candidate := ours.get("candidate"):
        options["candidate"] = candidate
    if deadline := ours.get("deadline"):
        options["deadline_s"] = _seconds(deadline)
    if hold := ours.get("hold"):
        options["hold"] = _flag("hold", hold)
    if cache := ours.get("cache"):
        options["use_cache"] = _flag("cache", cache)


def _preference(value: str) -> str | float:
    try:
        number = float(value)
    except ValueError:
        number = None
    try:
        exchange_rate(value if number is None else number)
    except RequestError as error:
        raise FieldError(f"{_PREFIX}preference", str(error)) from None
    return value if number is None else number


def _seconds(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < 1e9:
        raise FieldError(f"{_PREFIX}deadline", f"{value[:40]!r} is of no use; expected seconds above 0")
    return seconds


def _flag(name: str, value: str) -> bool:
    flag = _FLAGS.get(value.strip().lower())
    if flag is None:
        raise FieldError(f"{_PREFIX}{name}", f"{value[:40]!r} is of no use; expected true or false")
    return flag
