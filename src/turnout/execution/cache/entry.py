"""A kept answer and its form in JSON. What cannot be read exactly as it was written is no answer."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Final, get_args

from turnout.types import Answer, Finish, Timings, TokenLogprob, ToolCall, Usage

_VERSION: Final = 1
_FINISHES: Final = frozenset(get_args(Finish))
_USAGE: Final = ("prompt_tokens", "completion_tokens", "reasoning_tokens", "cached_tokens")
_TIMINGS: Final = ("load_s", "prefill_s", "decode_s")


@dataclass(frozen=True, slots=True)
class CachedAnswer:
    """An answer with what is known of it: how far it was trusted, when it was made, how long it took.

    `confidence` is the probability that it is good, `made_at` seconds since the epoch, `seconds` those from the request
    to the answer's end.
    """

    answer: Answer
    confidence: float
    made_at: float
    seconds: float

    def to_bytes(self) -> bytes:
        """JSON, its version in front."""
        answer = self.answer
        return _encode(
            [
                _VERSION,
                [self.confidence, self.made_at, self.seconds],
                [answer.candidate, answer.model, answer.text, answer.reasoning, answer.finish],
                [[call.id, call.name, call.arguments] for call in answer.tool_calls],
                [getattr(answer.usage, name) for name in _USAGE],
                [getattr(answer.timings, name) for name in _TIMINGS],
                [[token.token, token.logprob, token.top] for token in answer.logprobs],
                answer.warnings,
            ]
        ).encode("ascii")

    @classmethod
    def from_bytes(cls, content: bytes) -> CachedAnswer | None:
        """What `to_bytes` wrote; None for anything else, another version included."""
        try:
            version, (confidence, made_at, seconds), said, calls, usage, timings, logprobs, warnings = json.loads(
                content
            )
            if version is True or version != _VERSION:
                return None
            candidate, model, text, reasoning, finish = map(_text, said)
            if finish not in _FINISHES or len(usage) != len(_USAGE) or len(timings) != len(_TIMINGS):
                return None
            answer = Answer(
                candidate,
                model,
                text,
                reasoning,
                tuple(_tool_call(*call) for call in _list(calls)) if calls else (),
                finish,  # type: ignore[arg-type]
                Usage(*map(_count, usage)),
                tuple(_logprob(*token) for token in _list(logprobs)) if logprobs else (),
                Timings(*map(_seconds, timings)),
                tuple(_text(warning) for warning in _list(warnings)) if warnings else (),
            )
            return cls(answer, _number(confidence), _number(made_at), _number(seconds))
        except (ValueError, TypeError, RecursionError, OverflowError):
            return None


_encode: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("a list is expected")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is expected")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError("a finite number is expected")
    return value


def _count(value: Any) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53):
        raise TypeError("a count is expected")
    return value


def _seconds(value: Any) -> float | None:
    return None if value is None else _number(value)


def _tool_call(identifier: Any, name: Any, arguments: Any) -> ToolCall:
    return ToolCall(_text(identifier), _text(name), _text(arguments))


def _logprob(token: Any, logprob: Any, top: Any) -> TokenLogprob:
    return TokenLogprob(
        _text(token), _likelihood(logprob), tuple((_text(other), _likelihood(value)) for other, value in _list(top))
    )


def _likelihood(value: Any) -> float:
    """A log-probability; that of what cannot be is -∞."""
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        raise TypeError("a number is expected")
    return value
