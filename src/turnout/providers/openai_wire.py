"""OpenAI's chat completions on the wire: a request as a body, a body or its chunks as an answer.

Servers differ in what they understand; a `Dialect` says how. What cannot be honoured becomes a warning of the answer,
and what would change the meaning in silence (a schema, a picture) an error before anything is sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from turnout.errors import BadRequestError
from turnout.providers.assembly import Assembly
from turnout.providers.fields import amount, count, number, objects, text
from turnout.providers.schemas import closed, is_strict
from turnout.types import Chunk, Finish, JsonSchema, Message, Request, Timings, TokenLogprob, ToolCallDelta, Usage


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of server departs from OpenAI's own.

    `sampling` maps fields of `Sampling` beyond OpenAI's to the server's names for them. `json_mode` is whether
    `response_format` may be `json_object`; `images_by_address` whether pictures may be web addresses;
    `effort` whether `reasoning_effort` is understood; `one_tool_choice` whether one named tool can be demanded;
    `stops_when_left` whether a generation that is not streamed ends when its caller goes away.
    """

    name: str
    sampling: Mapping[str, str]
    max_tokens: str = "max_tokens"
    json_mode: bool = True
    images_by_address: bool = True
    logprobs: bool = True
    effort: bool = True
    one_tool_choice: bool = True
    stops_when_left: bool = True


# Names as each server's own reference gives them: platform.openai.com, llama.cpp tools/server/README.md,
# docs.vllm.ai "OpenAI-Compatible Server", lmstudio.ai/docs "OpenAI compatibility".
OPENAI = Dialect("openai", {})
LLAMACPP = Dialect(
    "llamacpp",
    {"top_k": "top_k", "min_p": "min_p", "repeat_penalty": "repeat_penalty"},
    one_tool_choice=False,
    stops_when_left=False,  # measured: it generates to the end, for half a minute and more
)
VLLM = Dialect("vllm", {"top_k": "top_k", "min_p": "min_p", "repeat_penalty": "repetition_penalty"})
LMSTUDIO = Dialect(
    "lmstudio",
    {"top_k": "top_k", "repeat_penalty": "repeat_penalty"},
    json_mode=False,
    images_by_address=False,
    logprobs=False,
    one_tool_choice=False,
)
DIALECTS = {dialect.name: dialect for dialect in (OPENAI, LLAMACPP, VLLM)}

_COMMON = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "seed")
_BEYOND = ("top_k", "min_p", "repeat_penalty")
_FINISH: Mapping[str, Finish] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
_NOTHING = Chunk()
_EFFORT = {"off": "none", "on": "medium"}


def chat_body(model: str, request: Request, dialect: Dialect, *, stream: bool) -> tuple[dict[str, Any], list[str]]:
    """The body of a chat completion, and a warning for each parameter that the server cannot honour.

    Raises:
        BadRequestError: the server cannot do it and leaving it out would change the meaning.
    """
    warnings: list[str] = []
    body: dict[str, Any] = {"model": model, "messages": [chat_message(entry, dialect) for entry in request.messages]}
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    sampling = request.sampling
    for name in _COMMON:
        if (value := getattr(sampling, name)) is not None:
            body[name] = value
    for name in _BEYOND:
        if (value := getattr(sampling, name)) is not None:
            if name in dialect.sampling:
                body[dialect.sampling[name]] = value
            else:
                warnings.append(f"{name} is not understood here and was left out")
    if sampling.max_tokens is not None:
        body[dialect.max_tokens] = sampling.max_tokens
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    if sampling.logprobs:
        if dialect.logprobs:
            # llama.cpp sends none at all when no alternatives are asked for.
            body |= {"logprobs": True, "top_logprobs": max(1, sampling.top_logprobs)}
        else:
            warnings.append("log-probabilities are not available here together with what was asked")
    if request.reasoning is not None:
        if dialect.effort:
            body["reasoning_effort"] = _EFFORT.get(request.reasoning, request.reasoning)
        else:
            warnings.append("reasoning cannot be set here and was left to the server")
    if request.tools:
        body["tools"] = [
            {"type": "function", "function": {"name": t.name, "description": t.description, "parameters": t.parameters}}
            for t in request.tools
        ]
        if request.tool_choice != "auto":
            body["tool_choice"] = _tool_choice(request.tool_choice, dialect, warnings)
    if request.answer_format is not None:
        body["response_format"] = _response_format(request, dialect, warnings)
    return body, warnings


def _tool_choice(choice: str, dialect: Dialect, warnings: list[str]) -> Any:
    if choice in ("none", "required"):
        return choice
    if dialect.one_tool_choice:
        return {"type": "function", "function": {"name": choice}}
    warnings.append(f"one tool cannot be demanded here: any tool is, not {choice} alone")
    return "required"


def _response_format(request: Request, dialect: Dialect, warnings: list[str]) -> dict[str, Any]:
    wanted = request.answer_format
    if isinstance(wanted, JsonSchema):
        schema: Mapping[str, Any] = wanted.schema
        strict = True
        if dialect.name == "openai":
            schema = closed(schema)
            strict = is_strict(schema)
            if not strict:
                warnings.append(
                    "the schema has optional properties, so it is followed as well as possible, not strictly"
                )
        return {"type": "json_schema", "json_schema": {"name": wanted.name, "strict": strict, "schema": schema}}
    if dialect.json_mode:
        return {"type": "json_object"}
    # Without a mode for any JSON, a schema that any object follows asks for the same.
    return {"type": "json_schema", "json_schema": {"name": "any", "schema": {"type": "object"}}}


def chat_message(message: Message, dialect: Dialect) -> dict[str, Any]:
    """One turn as chat completions have it."""
    content: Any = message.content
    if message.images:
        for image in message.images:
            if not image.url or (image.base64 is None and not dialect.images_by_address):
                raise BadRequestError("a picture has to be given as a base64 data URI here, PNG or JPEG")
        content = [{"type": "text", "text": message.content}] if message.content else []
        content += [{"type": "image_url", "image_url": {"url": image.url}} for image in message.images]
    turn: dict[str, Any] = {"role": message.role, "content": content}
    if message.tool_calls:
        turn["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id:
        turn["tool_call_id"] = message.tool_call_id
    if message.name:
        turn["name"] = message.name
    return turn


def read_frame(frame: Mapping[str, Any], assembly: Assembly) -> Chunk:
    """What one chunk of a stream adds; what is not content goes straight into the assembly."""
    _read_head(frame, assembly)
    choice = _first(frame.get("choices"))
    if choice is None:
        return _NOTHING
    delta = choice.get("delta")
    chunk = _content(delta if isinstance(delta, dict) else {}, choice.get("logprobs"))
    _read_finish(choice, assembly)
    return chunk


def read_whole(document: Mapping[str, Any], assembly: Assembly) -> None:
    """A whole chat completion into the assembly."""
    _read_head(document, assembly)
    choice = _first(document.get("choices"))
    if choice is None:
        return
    message = choice.get("message")
    assembly.add(_content(message if isinstance(message, dict) else {}, choice.get("logprobs")))
    assembly.close()
    _read_finish(choice, assembly)


def _read_head(frame: Mapping[str, Any], assembly: Assembly) -> None:
    model, usage = frame.get("model"), frame.get("usage")
    if isinstance(model, str) and model:
        assembly.model = model
    if isinstance(usage, dict):
        assembly.usage = read_usage(usage)
    timings = frame.get("timings")  # llama.cpp
    if isinstance(timings, dict):
        assembly.timings = Timings(
            prefill_s=amount(timings.get("prompt_ms"), 0.001), decode_s=amount(timings.get("predicted_ms"), 0.001)
        )
    stats = frame.get("stats")  # LM Studio's own API
    if isinstance(stats, dict) and "generation_time" in stats:
        assembly.timings = Timings(
            prefill_s=amount(stats.get("time_to_first_token"), 1.0),
            decode_s=amount(stats.get("generation_time"), 1.0),
        )


def _read_finish(choice: Mapping[str, Any], assembly: Assembly) -> None:
    reason = choice.get("finish_reason")
    if isinstance(reason, str) and reason:
        assembly.finish = _FINISH.get(reason, "stop")


def read_usage(usage: Mapping[str, Any]) -> Usage:
    """Token counts, with the details where they are given."""
    reasoning, cached = usage.get("completion_tokens_details"), usage.get("prompt_tokens_details")
    return Usage(
        count(usage.get("prompt_tokens")),
        count(usage.get("completion_tokens")),
        count(reasoning.get("reasoning_tokens")) if isinstance(reasoning, dict) else None,
        count(cached.get("cached_tokens")) if isinstance(cached, dict) else None,
    )


def _content(fields: Mapping[str, Any], logprobs: object) -> Chunk:
    calls = fields.get("tool_calls")
    return Chunk(
        text(fields.get("content")),
        # Two names for one thing: `reasoning_content` (DeepSeek, llama.cpp, LM Studio), `reasoning` (Ollama, vLLM).
        text(fields.get("reasoning_content")) or text(fields.get("reasoning")),
        tuple(_call(place, call) for place, call in enumerate(calls) if isinstance(call, dict))
        if isinstance(calls, list)
        else (),
        read_logprobs(logprobs.get("content")) if isinstance(logprobs, dict) else (),
    )


def _call(place: int, call: Mapping[str, Any]) -> ToolCallDelta:
    function = call.get("function")
    function = function if isinstance(function, dict) else {}
    arguments = function.get("arguments")
    index = call.get("index")
    return ToolCallDelta(
        index if isinstance(index, int) else place,
        text(call.get("id")),
        text(function.get("name")),
        arguments if isinstance(arguments, str) else "" if arguments is None else json.dumps(arguments),
    )


def read_logprobs(entries: object) -> tuple[TokenLogprob, ...]:
    """A list of {token, logprob, top_logprobs}, as OpenAI, llama.cpp and Ollama write it."""
    return tuple(
        TokenLogprob(
            text(entry.get("token")),
            logprob,
            tuple(
                (text(other.get("token")), value)
                for other in objects(entry.get("top_logprobs"))
                if (value := number(other.get("logprob"))) is not None
            ),
        )
        for entry in objects(entries)
        if (logprob := number(entry.get("logprob"))) is not None
    )


def _first(choices: object) -> Mapping[str, Any] | None:
    return choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else None
