"""LM Studio's own `/api/v1/chat`: one user turn, named events, progress while it loads and reads the prompt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from turnout.errors import BadRequestError, IncompleteError
from turnout.providers.assembly import Assembly
from turnout.providers.base import parse
from turnout.providers.failures import failure, told_error
from turnout.providers.fields import amount, count, listed
from turnout.providers.framing import Event, EventDecoder
from turnout.providers.protocol import Call
from turnout.types import Chunk, Progress, Request, Timings, Usage

PATH: Final = "/api/v1/chat"

_SAMPLING: Final = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "min_p": "min_p",
    "repeat_penalty": "repeat_penalty",
    "max_tokens": "max_output_tokens",
}
_ELSEWHERE: Final = ("presence_penalty", "frequency_penalty", "seed", "stop", "logprobs")


def can_express(request: Request) -> bool:
    """Whether the request is system turns and one user turn, without tools, schema, seed or stop."""
    roles = [message.role for message in request.messages]
    return (
        roles[-1:] == ["user"]
        and all(role in ("system", "developer") for role in roles[:-1])
        and not request.tools
        and request.answer_format is None
        and not any(_is_set(getattr(request.sampling, name)) for name in _ELSEWHERE)
    )


def _is_set(value: object) -> bool:
    """Whether a sampling parameter was given; a seed of 0 was."""
    return value is not None and value is not False and value != ()


def body(call: Call, *, stream: bool) -> tuple[dict[str, Any], list[str]]:
    """The body of a native chat; `store` is off, because Turnout keeps conversations itself.

    Raises:
        BadRequestError: a picture that is not base64 inside the request.
    """
    request = call.request
    last = request.messages[-1]
    if any(image.base64 is None for image in last.images):
        raise BadRequestError("a picture has to be given as a base64 data URI here, PNG or JPEG")
    document: dict[str, Any] = {"model": call.model, "store": False, "stream": stream, "input": last.content}
    if last.images:
        pictures = [{"type": "image", "data_url": image.url} for image in last.images]
        document["input"] = [{"type": "text", "content": last.content}, *pictures]
    if system := "\n\n".join(message.content for message in request.messages[:-1]):
        document["system_prompt"] = system
    for name, field in _SAMPLING.items():
        if (value := getattr(request.sampling, name)) is not None:
            document[field] = value
    if call.context_length is not None:
        document["context_length"] = call.context_length
    if request.reasoning is not None:
        document["reasoning"] = request.reasoning
    return document, []


def read_whole(document: Mapping[str, Any], assembly: Assembly) -> None:
    """A whole native answer, which is also what `chat.end` carries."""
    if not isinstance(document.get("output"), list):
        raise IncompleteError("the answer has no output")
    for item in listed(document, "output"):
        text = item.get("content")
        if isinstance(text, str):
            kind = item.get("type")
            assembly.add(Chunk(reasoning=text) if kind == "reasoning" else Chunk(text if kind == "message" else ""))
    assembly.close()
    _read_result(document, assembly)


def _read_result(document: Mapping[str, Any], assembly: Assembly) -> None:
    if isinstance(document.get("model_instance_id"), str):
        assembly.model = document["model_instance_id"]
    stats = document.get("stats")
    stats = stats if isinstance(stats, dict) else {}
    made = count(stats.get("total_output_tokens"))
    assembly.usage = Usage(count(stats.get("input_tokens")), made, count(stats.get("reasoning_output_tokens")))
    rate = amount(stats.get("tokens_per_second"))
    assembly.timings = Timings(
        load_s=amount(stats.get("model_load_time_seconds")),
        decode_s=tokens / rate if (tokens := amount(made)) and rate else None,
    )
    assembly.finish = "stop"


class Reader:
    """Named events into chunks. The end is proven by `chat.end` with no `error` before it."""

    def __init__(self, assembly: Assembly) -> None:
        self.decoder = EventDecoder()
        self._assembly = assembly
        self._ended = False

    def read(self, event: Event) -> Chunk:
        """What one event adds.

        Raises:
            ProviderError: the event is an error.
        """
        frame = parse(event.data)
        kind = str(frame.get("type") or event.name)
        told = told_error(frame)
        if told is not None or kind == "error":
            raise failure(200, told or event.data)
        if isinstance(frame.get("model_instance_id"), str):
            self._assembly.model = frame["model_instance_id"]
        text = frame.get("content")
        if kind == "message.delta" and isinstance(text, str):
            return Chunk(text)
        if kind == "reasoning.delta" and isinstance(text, str):
            return Chunk(reasoning=text)
        if kind.startswith(("model_load.", "prompt_processing.")):
            return Chunk(
                progress=Progress(
                    "load" if kind.startswith("model_load.") else "prefill",
                    amount(frame.get("progress")),
                )
            )
        if kind == "chat.end":
            result = frame.get("result")
            _read_result(result if isinstance(result, dict) else {}, self._assembly)
            self._ended = True
        return Chunk()

    def prove(self) -> None:
        """Raises IncompleteError where the stream ended without its last event."""
        if not self._ended:
            raise IncompleteError("the stream ended without `chat.end`")
