"""What comes back from one attempt: pieces while it streams, and the whole answer at its proven end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from turnout.types.request import ToolCall

Finish: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter"]


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """One generated token with its natural log-probability, and the alternatives that were asked for."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of a tool call; pieces of one call share `index`, their `arguments` are joined."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """The provider says that it is alive before any content: loading or reading the prompt; share from 0 to 1."""

    phase: Literal["load", "prefill"]
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """One piece of a streamed answer. Empty pieces are not sent on."""

    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCallDelta, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    progress: Progress | None = None

    @property
    def has_content(self) -> bool:
        """Whether a language model wrote something in it; progress alone is not content."""
        return bool(self.text or self.reasoning or self.tool_calls)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider counts them; None where it does not say."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds as the provider reports them; None where it does not say. `load_s` may hold time in its queue."""

    load_s: float | None = None
    prefill_s: float | None = None
    decode_s: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One whole answer whose end was proven.

    `model` is the language model that answered, in the provider's words. `warnings` say in a sentence each which
    parameter could not be honoured and what looks suspicious (a prompt that seems to have been cut).
    """

    candidate: str
    model: str
    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish: Finish = "stop"
    usage: Usage = Usage()
    logprobs: tuple[TokenLogprob, ...] = ()
    timings: Timings = Timings()
    warnings: tuple[str, ...] = ()

    @property
    def chunk(self) -> Chunk:
        """All of it as one piece of a stream."""
        calls = tuple(ToolCallDelta(at, call.id, call.name, call.arguments) for at, call in enumerate(self.tool_calls))
        return Chunk(self.text, self.reasoning, calls, self.logprobs)


@dataclass(frozen=True, slots=True)
class Embeddings:
    """One vector for each text, in their order, and who made them."""

    candidate: str
    vectors: tuple[tuple[float, ...], ...]
    prompt_tokens: int | None = None
