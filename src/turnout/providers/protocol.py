"""What every adapter meets. Who calls: only the fleet, with limits, breaker and retries already around it.

A provider nobody here thought of is one class with these methods, named under the entry point group
`turnout.providers` (or as `package.module:Class` in the configuration). It is made with a `ProviderSettings`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

from turnout.errors import IncompleteError
from turnout.providers.clock import CallClock
from turnout.types import Answer, Chunk, Embeddings, LanguageModel, ProviderState, Request

Pieces: TypeAlias = AsyncGenerator[Chunk | Answer, None]


@dataclass(frozen=True, slots=True)
class Call:
    """One attempt as an adapter sees it: which language model, what is asked, how long it may take.

    `context_length` is the window to set and `keep_alive_s` how long the language model should stay in memory
    afterwards; None leaves either to the provider. `window` is the window it is known to have now.
    """

    model: str
    request: Request
    clock: CallClock
    context_length: int | None = None
    keep_alive_s: float | None = None
    window: int | None = None


@runtime_checkable
class Provider(Protocol):
    """One adapter. Every method raises `ProviderError` and nothing else; cancelling it stops the work upstream."""

    max_resident: int | None
    """How many language models it keeps in memory together; None is no limit that matters."""
    loads: bool
    """Whether it can be told to load."""
    evicts: bool
    """Whether it makes room for a load by itself; else what has to go is unloaded first."""

    @property
    def name(self) -> str:
        """The name that stands before the slash in candidates."""
        ...

    async def state(self, clock: CallClock) -> ProviderState:
        """One look: is it there, which version, which language models, which of them loaded. Never raises."""
        ...

    async def discover(self, clock: CallClock) -> tuple[LanguageModel, ...]:
        """Every language model with all that the provider tells, however many questions that takes."""
        ...

    async def complete(self, call: Call) -> Answer:
        """One whole answer, asked for in one piece."""
        ...

    def stream(self, call: Call) -> Pieces:
        """Chunks as they come, then exactly one `Answer`, last. Closing the generator early stops the work."""
        ...

    async def embed(self, model: str, texts: Sequence[str], clock: CallClock) -> Embeddings:
        """One vector for each text."""
        ...

    async def load(self, model: str, clock: CallClock, *, context_length: int | None = None) -> None:
        """Bring a language model into memory; returns when it is there. BadRequestError where that cannot be asked."""
        ...

    async def unload(self, model: str, clock: CallClock) -> None:
        """Take a language model out of memory. BadRequestError where that cannot be asked."""
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...


async def collect(pieces: Pieces) -> Answer:
    """The answer at the end of a stream."""
    async with aclosing(pieces):
        async for piece in pieces:
            if isinstance(piece, Answer):
                return piece
    raise IncompleteError("the stream ended without an answer")
