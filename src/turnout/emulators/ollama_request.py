"""What Ollama accepts in a request, and the words in which it refuses the rest."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from turnout.emulators.api_error import ApiError
from turnout.emulators.call import Call
from turnout.emulators.questions import count_prompt_tokens

_GO_NAMES: Final = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}
_FIELD_TYPES: Final[Mapping[str, type]] = {
    "model": str,
    "messages": list,
    "prompt": str,
    "stream": bool,
    "options": dict,
    "tools": list,
    "logprobs": bool,
    "top_logprobs": int,
    "truncate": bool,
    "shift": bool,
}
_OPTION_TYPES: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        (
            "num_ctx num_batch num_gpu main_gpu num_thread draft_num_predict top_k repeat_last_n seed num_predict num_keep"
        ).split(),
        "integer",
    ),
    **dict.fromkeys(
        "temperature top_p min_p typical_p repeat_penalty presence_penalty frequency_penalty".split(), "float32"
    ),
    "use_mmap": "boolean",
    "stop": "array",
}
_LOAD_OPTIONS: Final = ("num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread")
_DURATION: Final = re.compile(r"(?:\d+(?:\.\d+)?(?:ns|us|ms|s|m|h))+")
_UNIT_S: Final = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_THINK_LEVELS: Final = ("low", "medium", "high", "max")


def read_body(call: Call, struct: str) -> Mapping[str, Any]:
    """The body, with the fields that matter of the right type; `struct` is the name that errors call it by."""
    if call.bad_json is not None:
        raise ApiError(400, _decoder_error(call.bad_json))
    if call.body is None:
        raise ApiError(400, "missing request body")
    if not isinstance(call.body, Mapping):
        raise _wrong_type(call.body, f"value of type api.{struct}")
    for name, expected in _FIELD_TYPES.items():
        value = call.body.get(name)
        if value is not None and (not isinstance(value, expected) or (expected is int and isinstance(value, bool))):
            go_type = {str: "string", bool: "bool", int: "int"}.get(expected, "[]api.Message")
            raise _wrong_type(value, f"struct field {struct}.{name} of type {go_type}")
    for name, element in (("messages", "api.Message"), ("tools", "api.Tool")):
        for value in call.body.get(name) or ():
            if not isinstance(value, Mapping):
                raise _wrong_type(value, f"struct field {struct}.{name} of type {element}")
    if not 0 <= (call.body.get("top_logprobs") or 0) <= 20:
        raise ApiError(400, "top_logprobs must be between 0 and 20")
    return call.body


def _decoder_error(reason: str) -> str:
    if "Expecting value: line 1 column 1 " in reason:
        return "invalid character looking for beginning of value"
    return "unexpected EOF" if "Expecting" in reason or "Unterminated" in reason else f"invalid character: {reason}"


def _wrong_type(value: Any, where: str) -> ApiError:
    return ApiError(400, f"json: cannot unmarshal {_GO_NAMES.get(type(value), 'value')} into Go {where}")


def read_messages(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Native messages, whose content is text and nothing else."""
    messages = body.get("messages") or []
    for message in messages:
        content = message.get("content")
        if content is not None and not isinstance(content, str):
            raise _wrong_type(content, "struct field ChatRequest.messages.content of type string")
    return list(messages)


def read_options(body: Mapping[str, Any]) -> dict[str, Any]:
    """The options that are known; unknown ones are ignored, as they are there. Wrong types are a 500."""
    options = {name: value for name, value in (body.get("options") or {}).items() if name in _OPTION_TYPES}
    for name, value in options.items():
        kind = _OPTION_TYPES[name]
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        right = {
            "integer": number,
            "float32": number,
            "boolean": isinstance(value, bool),
            "array": isinstance(value, list),
        }
        if not right[kind]:
            raise ApiError(500, f'option "{name}" must be of type {kind}')
    return {name: int(value) if _OPTION_TYPES[name] == "integer" else value for name, value in options.items()}


def load_settings(options: Mapping[str, Any], shift: bool | None) -> dict[str, Any]:
    """Everything but the context window that a runner is started with; other values mean another start."""
    settings = {name: options[name] for name in _LOAD_OPTIONS if options.get(name) is not None}
    return settings if shift is None else {**settings, "shift": shift}


def read_keep_alive(value: Any) -> float | None:
    """Seconds: a number, or text like `10m`; negative means for ever."""
    if value is None:
        return None
    if isinstance(value, str):
        sign, text = (-1, value[1:]) if value.startswith("-") else (1, value)
        if not _DURATION.fullmatch(text):
            raise ApiError(400, f'time: invalid duration "{value}"')
        parts = re.findall(r"([\d.]+)(ns|us|ms|s|m|h)", text)
        value = sign * sum(float(number) * _UNIT_S[unit] for number, unit in parts)
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise ApiError(
            400, f"json: cannot unmarshal {_GO_NAMES.get(type(value), 'value')} into Go value of type Duration"
        )
    return math.inf if value < 0 else float(value)


def read_think(value: Any) -> bool | None:
    """Whether to think; None leaves it to the model."""
    if value is None or isinstance(value, bool):
        return value
    if value in _THINK_LEVELS:
        return True
    levels = ", ".join(f'"{level}"' for level in _THINK_LEVELS)
    raise ApiError(400, f'invalid think value: "{value}" (must be {levels}, true, or false)')


def read_format(value: Any) -> Any:
    """The JSON schema that a format means; None for prose."""
    if value in (None, ""):
        return None
    if value == "json":
        return {}
    if isinstance(value, Mapping):
        return value
    raise ApiError(400, f'invalid format: {json.dumps(value)}; expected "json" or a valid JSON Schema object')


@dataclass(frozen=True, slots=True)
class Window:
    """The context window of one request, and what happens to a prompt that does not fit.

    keep: tokens at the front that survive a cut. native: the server of the model's own template refuses the prompt
    where the others cut it.
    """

    size: int
    keep: int
    truncate: bool
    shift: bool
    native: bool

    def fit(
        self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Any] = ()
    ) -> tuple[list[Mapping[str, Any]], int]:
        """The messages that are left, and their tokens.

        Old messages go first, system messages stay. If system and last message are too long still, the front of the
        prompt is lost without a word, or the request is refused.
        """
        left = list(messages)
        while self.truncate and (old := _droppable(left)) and count_prompt_tokens(left, tools) > self.size:
            left.remove(old[0])
        tokens = count_prompt_tokens(left, tools)
        if tokens <= self.size:
            return left, tokens
        if self.native:
            raise ApiError(400, json.dumps({"error": self._exceeded(tokens)}, separators=(",", ":")))
        if any(message.get("images") for message in left):
            return left, tokens
        if not self.truncate or not self.shift:
            raise ApiError(
                400,
                "the prompt is longer than the context length currently available to the model; "
                "shorten it or raise the context length",
            )
        tokens = self.size - (self.size - self.keep) // 2
        last = left[-1]
        return [*left[:-1], {**last, "content": str(last.get("content"))[-4 * tokens :]}], tokens

    def of_generate(self) -> Window:
        """The same for `/api/generate`, where every model's prompt is cut."""
        return replace(self, native=False)

    def _exceeded(self, tokens: int) -> dict[str, Any]:
        return {
            "code": 400,
            "message": f"request ({tokens} tokens) exceeds the available context size ({self.size} tokens), "
            "try increasing it",
            "type": "exceed_context_size_error",
            "n_prompt_tokens": tokens,
            "n_ctx": self.size,
        }


def _droppable(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [message for message in messages[:-1] if message.get("role") != "system"]
