"""Any server that speaks OpenAI's chat completions: llama.cpp, vLLM, a cloud, and whatever calls itself compatible."""

from __future__ import annotations

import struct
from base64 import b64decode
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from turnout.config.providers import is_loopback
from turnout.errors import IncompleteError, NotFoundError
from turnout.providers.assembly import Assembly
from turnout.providers.base import HttpProvider, Option, flag, one_of, parse
from turnout.providers.clock import CallClock
from turnout.providers.failures import failure, told_error
from turnout.providers.fields import count, listed, read_vector
from turnout.providers.framing import EventDecoder
from turnout.providers.names import same_in_openai
from turnout.providers.openai_wire import DIALECTS, OPENAI, Dialect, chat_body, read_frame, read_whole
from turnout.providers.protocol import Call, Pieces, collect
from turnout.types import Answer, Chunk, Embeddings, LanguageModel

_CONTEXT_FIELDS = ("context_length", "max_model_len", "context_window", "max_context_length", "n_ctx")


class OpenAIProvider(HttpProvider):
    """`base_url` ends where `/chat/completions` begins, usually in `/v1`.

    Options: `server` (auto, openai, llamacpp, vllm) says which extensions are understood, `auto` reads it off the
    model list; `max_tokens_field` is `max_completion_tokens` where a cloud insists on it; `check_model` (default
    true) refuses answers of another language model; `remote` (default: an address that is not loopback) marks
    candidates to which private prompts must not go.
    """

    OPTIONS: Mapping[str, Option] = {
        "server": one_of("auto", *DIALECTS),
        "max_tokens_field": one_of("max_tokens", "max_completion_tokens"),
        "check_model": flag,
        "remote": flag,
    }
    _dialect: Dialect | None = None

    async def complete(self, call: Call) -> Answer:
        """One whole answer from `/chat/completions`, streamed where only a stream can be stopped."""
        with self._telling(call.model):
            dialect = self._dialect or await self._speaks(call.clock)
            if dialect.stops_when_left:
                return await self._whole("/chat/completions", call, dialect)
        return await collect(self._pieces("/chat/completions", call, dialect))

    def stream(self, call: Call) -> Pieces:
        """A streamed answer from `/chat/completions`."""
        return self._pieces("/chat/completions", call)

    async def embed(self, model: str, texts: Sequence[str], clock: CallClock) -> Embeddings:
        """Vectors from `/embeddings`, floats or base64 (little-endian float32)."""
        with self._telling(model):
            body = {"model": model, "input": list(texts), "encoding_format": "float"}
            document = await self._post("/embeddings", body, clock)
            return read_embeddings(document, f"{self.name}/{model}", len(texts))

    async def discover(self, clock: CallClock) -> tuple[LanguageModel, ...]:
        """The language models of `/models`, with context windows where the server gives them."""
        with self._telling(""):
            return (await self._look(clock))[1]

    async def _look(self, clock: CallClock) -> tuple[str | None, tuple[LanguageModel, ...]]:
        entries = listed(await self._get("/models", clock), "data")
        owners = {str(entry.get("owned_by")) for entry in entries}
        if self._dialect is None:
            self._dialect = self._configured(next((o for o in owners if o in DIALECTS), "openai"))
        remote = self.settings.options.get("remote", not is_loopback(self.settings.base_url))
        return None, tuple(_language_model(entry, remote) for entry in entries if isinstance(entry.get("id"), str))

    async def _speaks(self, clock: CallClock) -> Dialect:
        """The server's dialect: configured, else read off its model list once, else OpenAI's own."""
        if self._dialect is None:
            if self.settings.options.get("server", "auto") in DIALECTS:
                self._dialect = self._configured("")
            else:
                try:
                    await self._look(clock)
                except NotFoundError:
                    self._dialect = self._configured("openai")
        return self._dialect or OPENAI

    def _configured(self, found: str) -> Dialect:
        options = self.settings.options
        server = options.get("server", "auto")
        dialect = DIALECTS.get(server if server != "auto" else found, OPENAI)
        return replace(dialect, max_tokens=options.get("max_tokens_field", dialect.max_tokens))

    def _same(self, asked: str, answered: str) -> bool:
        return not self.settings.options.get("check_model", True) or same_in_openai(asked, answered)

    async def _whole(self, path: str, call: Call, dialect: Dialect) -> Answer:
        """One chat completion in one piece, over whichever path speaks it."""
        body, warnings = chat_body(call.model, call.request, dialect, stream=False)
        document = await self._post(path, self._extend(body, call), call.clock)
        assembly = Assembly(f"{self.name}/{call.model}")
        assembly.warnings += warnings
        with self._telling(call.model, assembly):
            read_whole(document, assembly)
            self._check_model(call.model, assembly, self._same)
            if assembly.finish is None:
                raise IncompleteError("the answer does not say how it ended")
            self._judge(call, assembly)
            return assembly.answer()

    async def _pieces(
        self, path: str, call: Call, dialect: Dialect | None = None
    ) -> AsyncGenerator[Chunk | Answer, None]:
        """One streamed chat completion, in the server's dialect where none is given.

        Its end is proven by a finish reason and by `[DONE]`.
        """
        assembly = Assembly(f"{self.name}/{call.model}")
        done = False
        with self._telling(call.model, assembly):
            dialect = dialect or await self._speaks(call.clock)
            body, warnings = chat_body(call.model, call.request, dialect, stream=True)
            assembly.warnings += warnings
            async with aclosing(self._events(path, self._extend(body, call), call.clock, EventDecoder())) as batches:
                async for events in batches:
                    for event in events:
                        if event.data == b"[DONE]":
                            done = True
                            continue
                        if done or not event.data.strip():
                            continue
                        frame = parse(event.data)
                        told = told_error(frame)
                        if told is not None or event.name == "error":
                            raise failure(200, told or event.data)
                        chunk = assembly.add(read_frame(frame, assembly))
                        self._check_model(call.model, assembly, self._same)
                        if chunk.has_content:
                            call.clock.received()
                            yield chunk
                        elif chunk.logprobs:
                            yield chunk
            rest = assembly.close()
            if rest.has_content:
                yield rest
            if assembly.finish is None or not done:
                missing = "finish reason" if assembly.finish is None else "[DONE]"
                raise IncompleteError(f"the stream ended without its {missing}")
            self._judge(call, assembly)
            yield assembly.answer()

    def _extend(self, body: dict[str, Any], call: Call) -> dict[str, Any]:
        """What a kind of server wants in the body beside the dialect."""
        del call
        return body

    def _judge(self, call: Call, assembly: Assembly) -> None:
        """A last look at an answer whose end is proven; raises where it proves a failure after all."""


def _language_model(entry: Mapping[str, Any], remote: bool) -> LanguageModel:
    meta = entry.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    window = next((value for name in _CONTEXT_FIELDS if (value := count(entry.get(name)))), None)
    name = str(entry["id"])
    return LanguageModel(
        name=name,
        capabilities=frozenset({"embedding"} if "embed" in name.lower() else {"chat"}),
        context_length=window or count(meta.get("n_ctx_train")),
        loaded=None if remote else True,
        loaded_context_length=count(meta.get("n_ctx")) or window,
        size_bytes=count(meta.get("size")),
        remote=remote,
    )


def read_embeddings(document: Mapping[str, Any], candidate: str, expected: int) -> Embeddings:
    """OpenAI's list of embeddings, in the order of the texts.

    Raises:
        IncompleteError: fewer vectors than texts, or a vector that cannot be read.
    """
    entries = sorted(listed(document, "data"), key=lambda entry: count(entry.get("index")) or 0)
    try:
        vectors = tuple(_vector(entry.get("embedding")) for entry in entries)
    except (ValueError, TypeError, struct.error):
        raise IncompleteError("an embedding cannot be read") from None
    if len(vectors) != expected:
        raise IncompleteError(f"{len(vectors)} embeddings came back for {expected} texts")
    usage = document.get("usage")
    return Embeddings(
        candidate, vectors, (count(usage.get("prompt_tokens")) if isinstance(usage, dict) else None) or None
    )


def _vector(value: object) -> tuple[float, ...]:
    if isinstance(value, str):
        data = b64decode(value, validate=True)
        if not data:
            raise ValueError("an empty vector")
        return struct.unpack(f"<{len(data) // 4}f", data)
    return read_vector(value)
