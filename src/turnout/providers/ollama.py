"""Ollama over its native API: the context window can be set there, and the end of an answer is proven by `done`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from turnout.errors import BadRequestError, ContextOverflowError, IncompleteError, ProviderError
from turnout.providers.assembly import Assembly
from turnout.providers.base import HttpProvider, Option, flag, parse
from turnout.providers.clock import CallClock
from turnout.providers.failures import failure, told_error
from turnout.providers.fields import count, listed, read_vector
from turnout.providers.framing import JsonLineDecoder
from turnout.providers.names import ollama_name, same_in_ollama
from turnout.providers.ollama_wire import chat_body, keep_alive, read_frame
from turnout.providers.protocol import Call, Pieces
from turnout.types import Answer, Chunk, Embeddings, LanguageModel
from turnout.types.tokens import least_tokens, likely_tokens

_CAPABILITIES = {"completion": "chat", "thinking": "reasoning"}
_LOOKED_UP_AT_ONCE = 4
# When Ollama cuts a prompt, num_ctx - (num_ctx - k) // 2 tokens are left (k = kept ones, usually 4 or 5 of them):
# a hair over one half. See server/prompt.go and the reports of 2050 of 4096, 16387 of 32768.
_CUT_SLACK_TOKENS = 16


class OllamaProvider(HttpProvider):
    """`base_url` is the bare address, such as http://127.0.0.1:11434.

    Option `cloud` (default false): list language models that Ollama proxies to its cloud, to which prompts would
    leave the machine.
    """

    OPTIONS: Mapping[str, Option] = {"cloud": flag}
    max_resident = 3  # its default without or with one GPU
    loads = True

    async def complete(self, call: Call) -> Answer:
        """One whole answer from `/api/chat`."""
        assembly = Assembly(f"{self.name}/{call.model}")
        with self._telling(call.model, assembly):
            document = await self._post("/api/chat", self._body(call, assembly, stream=False), call.clock)
            assembly.add(read_frame(document, assembly))
            assembly.close()
            return self._proven(call, assembly)

    def stream(self, call: Call) -> Pieces:
        """A streamed answer from `/api/chat`."""
        return self._pieces(call)

    async def _pieces(self, call: Call) -> AsyncGenerator[Chunk | Answer, None]:
        assembly = Assembly(f"{self.name}/{call.model}")
        with self._telling(call.model, assembly):
            body = self._body(call, assembly, stream=True)
            async with aclosing(self._events("/api/chat", body, call.clock, JsonLineDecoder())) as batches:
                async for events in batches:
                    for event in events:
                        frame = parse(event.data)
                        told = told_error(frame)
                        if told is not None:
                            raise failure(200, told)
                        chunk = assembly.add(read_frame(frame, assembly))
                        self._check_model(call.model, assembly, same_in_ollama)
                        if chunk.has_content:
                            call.clock.received()
                            yield chunk
                        elif chunk.logprobs:
                            yield chunk
            rest = assembly.close()
            if rest.has_content:
                yield rest
            yield self._proven(call, assembly)

    def _body(self, call: Call, assembly: Assembly, *, stream: bool) -> dict[str, Any]:
        body, warnings = chat_body(
            call.model,
            call.request,
            context_length=call.context_length,
            keep_alive_s=call.keep_alive_s,
            stream=stream,
        )
        assembly.warnings += warnings
        return body

    def _proven(self, call: Call, assembly: Assembly) -> Answer:
        if assembly.finish is None:
            raise IncompleteError("the answer ended without `done`")
        self._check_model(call.model, assembly, same_in_ollama)
        self._check_prompt(call, assembly)
        return assembly.answer()

    def _check_prompt(self, call: Call, assembly: Assembly) -> None:
        """Older versions do not know `truncate` and cut the prompt in silence; only its token count shows it."""
        counted, window = assembly.usage.prompt_tokens, call.context_length or call.window
        if counted is None or any(message.images for message in call.request.messages):
            return
        least = least_tokens(call.request)
        half_full = window is not None and 0 <= counted - (window - window // 2) <= _CUT_SLACK_TOKENS
        if half_full and least > counted:
            raise ContextOverflowError(
                f"the prompt was cut to {counted} tokens of a window of {window}; it takes at least {least}"
            )
        if least > counted or (half_full and likely_tokens(call.request) > 1.2 * counted):
            assembly.warnings.append(f"only {counted} tokens of the prompt were read; it may have been cut")

    async def embed(self, model: str, texts: Sequence[str], clock: CallClock) -> Embeddings:
        """Vectors from `/api/embed`; a text too long is refused, not cut."""
        with self._telling(model):
            document = await self._post("/api/embed", {"model": model, "input": list(texts), "truncate": False}, clock)
            vectors = document.get("embeddings")
            if not isinstance(vectors, list) or len(vectors) != len(texts):
                raise IncompleteError(f"the answer does not hold {len(texts)} embeddings")
            try:
                rows = tuple(read_vector(vector) for vector in vectors)
            except ValueError:
                raise IncompleteError("an embedding cannot be read") from None
            return Embeddings(f"{self.name}/{model}", rows, count(document.get("prompt_eval_count")))

    async def load(self, model: str, clock: CallClock, *, context_length: int | None = None) -> None:
        """An empty chat loads. Never given up before the clock ends: leaving makes Ollama abort the load."""
        body: dict[str, Any] = {"model": model, "messages": [], "stream": False, "shift": False}
        if context_length is not None:
            body["options"] = {"num_ctx": context_length}
        keep = self.settings.candidate(model).keep_alive_s
        if keep is not None:
            body["keep_alive"] = keep_alive(keep)
        with self._telling(model):
            await self._post("/api/chat", body, clock)

    async def unload(self, model: str, clock: CallClock) -> None:
        """An empty chat with keep_alive 0 unloads."""
        with self._telling(model):
            await self._post("/api/chat", {"model": model, "messages": [], "stream": False, "keep_alive": 0}, clock)

    async def discover(self, clock: CallClock) -> tuple[LanguageModel, ...]:
        """`/api/tags` and `/api/ps`, and `/api/show` for each language model that the list says too little of."""
        with self._telling(""):
            _, models = await self._look(clock)
            gate = asyncio.Semaphore(_LOOKED_UP_AT_ONCE)

            async def filled(model: LanguageModel) -> LanguageModel:
                if model.context_length is not None and model.capabilities:
                    return model
                async with gate:
                    return await self._shown(model, clock)

            return tuple(await asyncio.gather(*(filled(model) for model in models)))

    async def _shown(self, model: LanguageModel, clock: CallClock) -> LanguageModel:
        """What `/api/show` adds; a language model that vanished in between keeps what is known."""
        try:
            shown = await self._post("/api/show", {"model": model.name}, clock)
        except ProviderError:
            return model
        info = shown.get("model_info")
        info = info if isinstance(info, dict) else {}
        family = info.get("general.architecture")
        return replace(
            model,
            capabilities=_capabilities(shown.get("capabilities")) or frozenset({"chat"}),
            context_length=count(info.get(f"{family}.context_length")) or model.context_length,
            family=model.family or (family if isinstance(family, str) else None),
        )

    async def _look(self, clock: CallClock) -> tuple[str | None, tuple[LanguageModel, ...]]:
        version, tags, loaded = await asyncio.gather(
            self._get("/api/version", clock), self._get("/api/tags", clock), self._get("/api/ps", clock)
        )
        if not isinstance(version.get("version"), str):
            raise BadRequestError("this is not an Ollama server: /api/version gives no version")
        resident = {ollama_name(str(entry.get("name"))): entry for entry in listed(loaded, "models")}
        cloud = self.settings.options.get("cloud", False)
        models = (_language_model(entry, resident) for entry in listed(tags, "models") if entry.get("name"))
        return version["version"], tuple(model for model in models if cloud or not model.remote)


def _language_model(entry: Mapping[str, Any], resident: Mapping[str, Mapping[str, Any]]) -> LanguageModel:
    name = str(entry["name"])
    details = entry.get("details")
    details = details if isinstance(details, dict) else {}
    running = resident.get(ollama_name(name))

    def told(key: str) -> str | None:
        return str(details[key]) if details.get(key) else None

    return LanguageModel(
        name=name,
        capabilities=_capabilities(entry.get("capabilities")),
        context_length=count(details.get("context_length")) or None,
        loaded=running is not None,
        loaded_context_length=count(running.get("context_length")) or None if running else None,
        size_bytes=count(entry.get("size")),
        memory_bytes=count(running.get("size")) if running else None,
        vram_bytes=count(running.get("size_vram")) if running else None,
        parameters=told("parameter_size"),
        quantization=told("quantization_level"),
        family=told("family"),
        remote=bool(entry.get("remote_host")) or name.endswith((":cloud", "-cloud")),
    )


def _capabilities(told: object) -> frozenset[str]:
    """Ollama's words in ours; empty where this version does not tell."""
    if not isinstance(told, list):
        return frozenset()
    words = {_CAPABILITIES.get(str(word), str(word)) for word in told}
    if "chat" in words:
        words |= {"json_schema", "logprobs"}
    return frozenset(words & {"chat", "embedding", "tools", "vision", "json_schema", "reasoning", "logprobs"})
