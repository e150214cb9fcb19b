"""Anthropic's messages API: a key and a version in every request, `message_stop` as the proof of the end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final

from turnout.errors import BadRequestError, IncompleteError
from turnout.providers.anthropic_wire import Reader, message_body, read_whole
from turnout.providers.assembly import Assembly
from turnout.providers.base import HttpProvider, Option, positive
from turnout.providers.clock import CallClock
from turnout.providers.fields import count, listed
from turnout.providers.framing import EventDecoder
from turnout.providers.names import same_in_openai
from turnout.providers.protocol import Call, Pieces
from turnout.types import Answer, Chunk, Embeddings, LanguageModel

VERSION: Final = "2023-06-01"
_CONTEXT_LENGTH: Final = 200_000  # of every language model this API has served since 2024; the list does not tell


class AnthropicProvider(HttpProvider):
    """`base_url` is the bare address; a key is needed.

    Option `max_tokens` (default 4096): the bound on an answer where the caller gives none, because the API insists.
    """

    OPTIONS: Mapping[str, Option] = {"max_tokens": positive}

    def _headers(self) -> dict[str, str]:
        return {"anthropic-version": VERSION, **({"x-api-key": self._key} if self._key else {})}

    async def complete(self, call: Call) -> Answer:
        """One whole answer from `/v1/messages`."""
        assembly = Assembly(f"{self.name}/{call.model}")
        with self._telling(call.model, assembly):
            body = self._body(call, assembly)
            read_whole(await self._post("/v1/messages", body, call.clock), assembly)
            if assembly.finish is None:
                raise IncompleteError("the answer does not say how it ended")
            self._check_model(call.model, assembly, same_in_openai)
            return assembly.answer()

    def stream(self, call: Call) -> Pieces:
        """A streamed answer from `/v1/messages`."""
        return self._pieces(call)

    async def _pieces(self, call: Call) -> AsyncGenerator[Chunk | Answer, None]:
        assembly = Assembly(f"{self.name}/{call.model}")
        reader = Reader(assembly)
        with self._telling(call.model, assembly):
            body = self._body(call, assembly) | {"stream": True}
            async with aclosing(self._events("/v1/messages", body, call.clock, EventDecoder())) as batches:
                async for events in batches:
                    for event in events:
                        chunk = assembly.add(reader.read(event))
                        self._check_model(call.model, assembly, same_in_openai)
                        if chunk.has_content:
                            call.clock.received()
                            yield chunk
            rest = assembly.close()
            if rest.has_content:
                yield rest
            if not reader.stopped or assembly.finish is None:
                raise IncompleteError("the stream ended without `message_stop`")
            yield assembly.answer()

    def _body(self, call: Call, assembly: Assembly) -> dict[str, Any]:
        body, warnings = message_body(call.model, call.request, self.settings.options.get("max_tokens", 4096))
        assembly.warnings += warnings
        return body

    async def embed(self, model: str, texts: Sequence[str], clock: CallClock) -> Embeddings:
        """Refused: there are no embeddings here."""
        del texts, clock
        raise BadRequestError("Anthropic has no embeddings; name another provider", provider=self.name, model=model)

    async def discover(self, clock: CallClock) -> tuple[LanguageModel, ...]:
        """The language models of `/v1/models`."""
        with self._telling(""):
            return (await self._look(clock))[1]

    async def _look(self, clock: CallClock) -> tuple[str | None, tuple[LanguageModel, ...]]:
        entries = listed(await self._get("/v1/models?limit=1000", clock), "data")
        return VERSION, tuple(
            LanguageModel(
                name=str(entry["id"]),
                capabilities=frozenset({"chat", "tools", "vision", "json_schema", "reasoning"}),
                context_length=count(entry.get("max_input_tokens")) or _CONTEXT_LENGTH,
                remote=True,
            )
            for entry in entries
            if entry.get("id")
        )
