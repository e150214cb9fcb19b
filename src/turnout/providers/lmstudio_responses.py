"""LM Studio's `/v1/responses`, taken for log-probabilities only: chat completions there return none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from turnout.errors import BadRequestError, IncompleteError
from turnout.providers.assembly import Assembly
from turnout.providers.base import parse
from turnout.providers.failures import failure, told_error
from turnout.providers.fields import count, listed
from turnout.providers.framing import Event, EventDecoder
from turnout.providers.openai_wire import read_logprobs
from turnout.providers.protocol import Call
from turnout.types import Chunk, Message, Request, Usage

PATH: Final = "/v1/responses"

_SAMPLING: Final = {"temperature": "temperature", "top_p": "top_p", "max_tokens": "max_output_tokens"}
_ELSEWHERE: Final = ("top_k", "min_p", "presence_penalty", "frequency_penalty", "repeat_penalty", "seed", "stop")


def can_express(request: Request) -> bool:
    """Whether it is text and pictures in plain turns; structured output is known not to work on this endpoint."""
    plain = all(message.role != "tool" and not message.tool_calls for message in request.messages)
    return plain and not request.tools and request.answer_format is None


def body(call: Call, *, stream: bool) -> tuple[dict[str, Any], list[str]]:
    """The body of a response, and a warning for each parameter that this endpoint does not know.

    Raises:
        BadRequestError: a picture that is not base64 inside the request.
    """
    sampling = call.request.sampling
    document: dict[str, Any] = {
        "model": call.model,
        "input": [_turn(message) for message in call.request.messages],
        "store": False,
        "stream": stream,
        "include": ["message.output_text.logprobs"],
        "top_logprobs": max(1, sampling.top_logprobs),
    }
    for name, field in _SAMPLING.items():
        if (value := getattr(sampling, name)) is not None:
            document[field] = value
    if call.request.reasoning not in (None, "off", "on"):
        document["reasoning"] = {"effort": call.request.reasoning}
    left_out = [name for name in _ELSEWHERE if getattr(sampling, name) not in (None, ())]
    if call.request.reasoning in ("off", "on"):
        left_out.append("reasoning")
    return document, [f"{name} cannot be combined with log-probabilities here and was left out" for name in left_out]


def _turn(message: Message) -> dict[str, Any]:
    if any(image.base64 is None for image in message.images):
        raise BadRequestError("a picture has to be given as a base64 data URI here, PNG or JPEG")
    kind = "output_text" if message.role == "assistant" else "input_text"
    parts: list[dict[str, Any]] = [{"type": kind, "text": message.content}]
    parts += [{"type": "input_image", "image_url": image.url} for image in message.images]
    return {"role": message.role, "content": parts}


def read_whole(document: Mapping[str, Any], assembly: Assembly) -> None:
    """A whole response."""
    _read_result(document, assembly, with_text=True)
    assembly.close()
    if assembly.finish is None:
        raise IncompleteError("the response does not say how it ended")


def _read_result(document: Mapping[str, Any], assembly: Assembly, *, with_text: bool) -> None:
    """Text only where it was not streamed before; log-probabilities come with the whole response alone."""
    if isinstance(document.get("model"), str):
        assembly.model = document["model"]
    for item in listed(document, "output"):
        for part in listed(item, "content"):
            text = part.get("text")
            if part.get("type") == "reasoning_text":
                assembly.add(Chunk(reasoning=text if with_text and isinstance(text, str) else ""))
            elif part.get("type") == "output_text":
                logprobs = read_logprobs(part.get("logprobs"))
                assembly.add(Chunk(text if with_text and isinstance(text, str) else "", logprobs=logprobs))
    usage = document.get("usage")
    if isinstance(usage, dict):
        details = usage.get("output_tokens_details")
        reasoning = count(details.get("reasoning_tokens")) if isinstance(details, dict) else None
        assembly.usage = Usage(count(usage.get("input_tokens")), count(usage.get("output_tokens")), reasoning)
    details = document.get("incomplete_details")
    if isinstance(details, dict) and "max" in str(details.get("reason")):
        assembly.finish = "length"
    elif document.get("status", "completed") == "completed":
        assembly.finish = "stop"


class Reader:
    """Named events into chunks. The end is proven by `response.completed` or `response.incomplete`."""

    def __init__(self, assembly: Assembly) -> None:
        self.decoder = EventDecoder()
        self._assembly = assembly

    def read(self, event: Event) -> Chunk:
        """What one event adds.

        Raises:
            ProviderError: the event is an error or tells of one.
        """
        if event.data == b"[DONE]":
            return Chunk()
        frame = parse(event.data)
        kind = str(frame.get("type") or event.name)
        response = frame.get("response")
        response = response if isinstance(response, dict) else {}
        told = told_error(frame) or (told_error(response) if kind == "response.failed" else None)
        if told is not None or kind in ("error", "response.failed"):
            raise failure(200, told or event.data)
        if isinstance(response.get("model"), str):
            self._assembly.model = response["model"]
        delta = frame.get("delta")
        if kind == "response.output_text.delta" and isinstance(delta, str):
            return Chunk(delta)
        if kind == "response.reasoning_text.delta" and isinstance(delta, str):
            return Chunk(reasoning=delta)
        if kind in ("response.completed", "response.incomplete"):
            _read_result(response, self._assembly, with_text=False)
        return Chunk()

    def prove(self) -> None:
        """Raises IncompleteError where the stream ended without its last event."""
        if self._assembly.finish is None:
            raise IncompleteError("the stream ended without `response.completed`")
