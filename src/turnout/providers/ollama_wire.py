"""Ollama's native chat on the wire. Times are nanoseconds and a missing number is a zero (Go's omitempty)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from turnout.errors import BadRequestError
from turnout.providers.assembly import Assembly
from turnout.providers.fields import amount, count, text
from turnout.providers.openai_wire import read_logprobs
from turnout.types import Chunk, JsonSchema, Message, Request, Timings, ToolCallDelta, Usage

_OPTIONS = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "presence_penalty",
    "frequency_penalty",
    "repeat_penalty",
    "seed",
)
_NS: Final = 1e-9
_THINK: Mapping[str, Any] = {"off": False, "on": True}
FOREVER: Final = -1


def chat_body(
    model: str, request: Request, *, context_length: int | None, keep_alive_s: float | None, stream: bool
) -> tuple[dict[str, Any], list[str]]:
    """The body of `/api/chat`, and a warning for each parameter that Ollama cannot honour.

    `truncate` and `shift` are false so that a prompt which does not fit is refused, not cut in silence; always the
    same value, because a change of `shift` or `num_ctx` makes the server load the language model again.

    Raises:
        BadRequestError: a picture that is not base64 inside the request.
    """
    warnings: list[str] = []
    sampling = request.sampling
    options = {name: value for name in _OPTIONS if (value := getattr(sampling, name)) is not None}
    if sampling.max_tokens is not None:
        options["num_predict"] = sampling.max_tokens
    if sampling.stop:
        options["stop"] = list(sampling.stop)
    if context_length is not None:
        options["num_ctx"] = context_length
    body: dict[str, Any] = {
        "model": model,
        "messages": _messages(request.messages),
        "stream": stream,
        "truncate": False,
        "shift": False,
    }
    if options:
        body["options"] = options
    if keep_alive_s is not None:
        body["keep_alive"] = keep_alive(keep_alive_s)
    if sampling.logprobs:
        body |= {"logprobs": True, "top_logprobs": sampling.top_logprobs}
    if request.reasoning is not None:
        body["think"] = _THINK.get(request.reasoning, request.reasoning)
    if request.tools and request.tool_choice != "none":
        body["tools"] = [
            {"type": "function", "function": {"name": t.name, "description": t.description, "parameters": t.parameters}}
            for t in request.tools
        ]
        if request.tool_choice != "auto":
            warnings.append(
                f"tool_choice {request.tool_choice} is not understood by Ollama; the model may answer in text"
            )
    if isinstance(request.answer_format, JsonSchema):
        body["format"] = request.answer_format.schema
    elif request.answer_format is not None:
        body["format"] = "json"
    return body, warnings


def keep_alive(seconds: float) -> int:
    """Seconds as `keep_alive` has them: whole, and negative for always."""
    return FOREVER if seconds == float("inf") else round(seconds)


def _messages(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    names: dict[str, str] = {}
    turns = []
    for message in messages:
        turn: dict[str, Any] = {"role": message.role, "content": message.content}
        if message.images:
            turn["images"] = []
            for image in message.images:
                if image.base64 is None:
                    raise BadRequestError("a picture has to be given as a base64 data URI here, PNG, JPEG or WebP")
                turn["images"].append(image.base64)
        if message.tool_calls:
            names |= {call.id: call.name for call in message.tool_calls}
            turn["tool_calls"] = [
                {"id": call.id, "function": {"index": index, "name": call.name, "arguments": _object(call.arguments)}}
                for index, call in enumerate(message.tool_calls)
            ]
        if message.role == "tool":
            name = message.name or names.get(message.tool_call_id, "")
            turn |= {"tool_name": name, "tool_call_id": message.tool_call_id} if name else {}
        turns.append(turn)
    return turns


def _object(arguments: str) -> dict[str, Any]:
    try:
        value = json.loads(arguments)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise BadRequestError(
            "an earlier tool call has arguments that are not a JSON object; Ollama takes nothing else"
        )
    return value


def read_frame(frame: Mapping[str, Any], assembly: Assembly) -> Chunk:
    """What one line adds, or a whole body, which has the same shape."""
    if isinstance(frame.get("model"), str) and frame["model"]:
        assembly.model = frame["model"]
    if frame.get("done") is True:
        reason = frame.get("done_reason")
        assembly.finish = "length" if reason == "length" else "stop"
        # prompt_eval_count is missing where the prompt came from the cache on older versions, so none is not zero.
        assembly.usage = Usage(count(frame.get("prompt_eval_count")), count(frame.get("eval_count")) or 0)
        assembly.timings = Timings(
            _seconds(frame.get("load_duration")),
            _seconds(frame.get("prompt_eval_duration")),
            _seconds(frame.get("eval_duration")),
        )
    message = frame.get("message")
    if not isinstance(message, dict):
        message = {}
    calls = message.get("tool_calls")
    return Chunk(
        text=text(message.get("content")),
        reasoning=text(message.get("thinking")),
        tool_calls=_calls(calls, assembly) if isinstance(calls, list) else (),
        logprobs=read_logprobs(frame.get("logprobs")),
    )


def _calls(calls: list[Any], assembly: Assembly) -> tuple[ToolCallDelta, ...]:
    pieces: list[ToolCallDelta] = []
    for call in calls:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            continue
        # Calls come whole, and indices restart in each line on some versions: every call is a new one.
        index = assembly.calls + len(pieces)
        pieces.append(
            ToolCallDelta(
                index, text(call.get("id")), text(function.get("name")), json.dumps(function.get("arguments") or {})
            )
        )
    return tuple(pieces)


def _seconds(nanoseconds: object) -> float:
    return amount(nanoseconds, _NS) or 0.0
