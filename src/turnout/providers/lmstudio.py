"""LM Studio: chat over its OpenAI dialect, everything about loading over its own API, v1 (0.4.0 and newer) or v0.

It answers an unknown path with status 200 and an error, and a language model that is not loaded with another one that
is; so the API is probed by what a body holds, and the name of the one who answered is always compared.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Literal, TypeAlias

from turnout.errors import BadRequestError, ContextOverflowError, NotFoundError
from turnout.providers import lmstudio_native, lmstudio_responses
from turnout.providers.assembly import Assembly
from turnout.providers.base import Option, one_of
from turnout.providers.clock import CallClock
from turnout.providers.fields import listed
from turnout.providers.lmstudio_models import loaded_window, read_models_v0, read_models_v1, reasoning_options
from turnout.providers.names import same_in_lmstudio
from turnout.providers.openai import OpenAIProvider, read_embeddings
from turnout.providers.openai_wire import LMSTUDIO
from turnout.providers.protocol import Call, Pieces
from turnout.types import Answer, Chunk, Embeddings, LanguageModel
from turnout.types.tokens import likely_tokens

Api: TypeAlias = Literal["v1", "v0", "openai"]

_MODEL_LISTS: tuple[tuple[Api, str, str], ...] = (
    ("v1", "/api/v1/models", "models"),
    ("v0", "/api/v0/models", "data"),
    ("openai", "/v1/models", "data"),
)


class LMStudioProvider(OpenAIProvider):
    """`base_url` is the bare address, such as http://127.0.0.1:1234.

    Option `dialect`: `auto` picks for each request, `openai` keeps to chat completions, `native` takes `/api/v1/chat`
    wherever it can express the request (it reports load and prefill progress).
    """

    OPTIONS: Mapping[str, Option] = {"dialect": one_of("auto", "openai", "native")}
    max_resident = 1  # its default: what was loaded for a request makes room for the next
    loads = True
    evicts = False  # only what it loaded on its own makes room; what was loaded explicitly stays until it is unloaded
    _api: Api | None = None

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.client.base_url = self.client.base_url.removesuffix("/v1")
        self._dialect = LMSTUDIO
        self._reasoning: dict[str, tuple[str, ...]] = {}

    async def complete(self, call: Call) -> Answer:
        """One whole answer, over the endpoint that can express the request."""
        with self._telling(call.model):
            return await self._complete(call)

    async def _complete(self, call: Call) -> Answer:
        way = await self._way(call)
        if way == "chat":
            return await self._whole(self._chat_path, call, LMSTUDIO)
        wire = lmstudio_native if way == "native" else lmstudio_responses
        body, warnings = wire.body(call, stream=False)
        assembly = Assembly(f"{self.name}/{call.model}")
        assembly.warnings += warnings
        with self._telling(call.model, assembly):
            wire.read_whole(await self._post(wire.PATH, body, call.clock), assembly)
            self._check_model(call.model, assembly, same_in_lmstudio)
            self._judge(call, assembly)
            return assembly.answer()

    def stream(self, call: Call) -> Pieces:
        """A streamed answer, over the endpoint that can express the request."""
        return self._stream(call)

    async def _stream(self, call: Call) -> AsyncGenerator[Chunk | Answer, None]:
        with self._telling(call.model):
            way = await self._way(call)
        source = (
            self._pieces(self._chat_path, call, LMSTUDIO)
            if way == "chat"
            else self._named_pieces(lmstudio_native if way == "native" else lmstudio_responses, call)
        )
        async with aclosing(source) as pieces:
            async for piece in pieces:
                yield piece

    async def _named_pieces(self, wire: Any, call: Call) -> AsyncGenerator[Chunk | Answer, None]:
        """A stream of named events, whichever endpoint's."""
        body, warnings = wire.body(call, stream=True)
        assembly = Assembly(f"{self.name}/{call.model}")
        assembly.warnings += warnings
        reader = wire.Reader(assembly)
        with self._telling(call.model, assembly):
            async with aclosing(self._events(wire.PATH, body, call.clock, reader.decoder)) as batches:
                async for events in batches:
                    for event in events:
                        chunk = assembly.add(reader.read(event))
                        self._check_model(call.model, assembly, same_in_lmstudio)
                        if chunk.progress is not None:
                            call.clock.progressed()
                        elif chunk.has_content:
                            call.clock.received()
                        if chunk.has_content or chunk.progress is not None:
                            yield chunk
            rest = assembly.close()
            if rest.has_content:
                yield rest
            reader.prove()
            self._judge(call, assembly)
            yield assembly.answer()

    @property
    def _chat_path(self) -> str:
        # v0's own path adds statistics and the true stop reason; v1 has no such path.
        return "/api/v0/chat/completions" if self._api == "v0" else "/v1/chat/completions"

    async def _way(self, call: Call) -> Literal["chat", "native", "responses"]:
        request, wanted = call.request, self.settings.options.get("dialect", "auto")
        if self._api is None:
            await self._list(call.clock)
        if wanted == "openai" or self._api != "v1":
            return "chat"
        # Only chat over its own API obeys a reasoning setting, and it refuses one that the model does not list.
        obeyed = request.reasoning is None or request.reasoning in self._reasoning.get(call.model, ())
        if obeyed and lmstudio_native.can_express(request) and (wanted == "native" or request.reasoning is not None):
            return "native"
        return "responses" if request.sampling.logprobs and lmstudio_responses.can_express(request) else "chat"

    def _same(self, asked: str, answered: str) -> bool:
        return same_in_lmstudio(asked, answered)

    def _extend(self, body: dict[str, Any], call: Call) -> dict[str, Any]:
        if call.keep_alive_s is not None and call.keep_alive_s != float("inf"):
            body["ttl"] = max(1, round(call.keep_alive_s))
        return body

    def _judge(self, call: Call, assembly: Assembly) -> None:
        """Some versions answer a prompt that does not fit with an empty answer, status 200 and a clean end."""
        usage, limit = assembly.usage, call.request.sampling.max_tokens
        if limit is not None and (usage.completion_tokens or 0) >= limit and assembly.finish == "stop":
            assembly.finish = "length"  # the native chat does not say why it stopped
        if call.request.sampling.logprobs and not assembly.has_logprobs and not assembly.warnings:
            assembly.warnings.append("no log-probabilities came back; the engine may be too old for them")
        if not assembly.is_empty or not usage.prompt_tokens:
            return
        window = call.window or call.context_length
        if window is None or likely_tokens(call.request) > window // 2 or usage.prompt_tokens >= window:
            raise ContextOverflowError("an empty answer, which is how LM Studio answers a prompt that does not fit")

    async def load(self, model: str, clock: CallClock, *, context_length: int | None = None) -> None:
        """Load over v1, unless it is in memory with a window as large: loading twice would make a second copy.

        An instance whose window is too small is unloaded first, which ends what runs on it.
        """
        with self._telling(model):
            document = await self._list(clock)
            if self._api != "v1":
                raise BadRequestError("this LM Studio is older than 0.4.0 and loads on the first request only")
            entry = next((e for e in listed(document, "models") if same_in_lmstudio(model, str(e.get("key")))), None)
            if entry is None:
                raise NotFoundError("LM Studio has no such language model; download it or correct the name")
            loaded, window = loaded_window(entry)
            if loaded and (context_length is None or window is None or window >= context_length):
                return
            await self._unload_instances(entry, clock)
            body = {"model": model} | ({"context_length": context_length} if context_length is not None else {})
            await self._post("/api/v1/models/load", body, clock)

    async def unload(self, model: str, clock: CallClock) -> None:
        """Unload every instance over v1."""
        with self._telling(model):
            document = await self._list(clock)
            if self._api != "v1":
                raise BadRequestError("this LM Studio is older than 0.4.0 and cannot be told to unload")
            for entry in listed(document, "models"):
                if same_in_lmstudio(model, str(entry.get("key"))):
                    await self._unload_instances(entry, clock)

    async def _unload_instances(self, entry: Mapping[str, Any], clock: CallClock) -> None:
        for instance in listed(entry, "loaded_instances"):
            await self._post("/api/v1/models/unload", {"instance_id": str(instance.get("id"))}, clock)

    async def embed(self, model: str, texts: Sequence[str], clock: CallClock) -> Embeddings:
        """Vectors from `/v1/embeddings`; its token counts are always 0 and left out."""
        with self._telling(model):
            document = await self._post("/v1/embeddings", {"model": model, "input": list(texts)}, clock)
            return read_embeddings(document, f"{self.name}/{model}", len(texts))

    async def _look(self, clock: CallClock) -> tuple[str | None, tuple[LanguageModel, ...]]:
        document = await self._list(clock)
        if self._api == "v1":
            return "0.4.0 or newer", read_models_v1(document)
        if self._api == "v0":
            return "before 0.4.0", read_models_v0(document)
        return None, tuple(
            LanguageModel(name=str(e["id"]), capabilities=frozenset()) for e in listed(document, "data") if e.get("id")
        )

    async def _list(self, clock: CallClock) -> Mapping[str, Any]:
        """The richest model list that this version has. Which one is found out once, and again after a failure."""
        if self._api is not None:
            path, key = next((path, key) for api, path, key in _MODEL_LISTS if api == self._api)
            try:
                document = await self._get(path, clock)
                if key in document:
                    return self._remember(document)
            except NotFoundError:
                pass
            self._api = None  # another version answers there now
        greeting = await self._get("/lmstudio-greeting", clock)
        if greeting.get("lmstudio") is not True:
            raise BadRequestError("this is not an LM Studio server: its greeting is missing")
        for api, path, key in _MODEL_LISTS:
            try:
                document = await self._get(path, clock)
            except NotFoundError:
                continue
            if isinstance(document.get(key), list):
                self._api = api
                return self._remember(document)
        raise BadRequestError("LM Studio greets but lists no language models on any of its interfaces")

    def _remember(self, document: Mapping[str, Any]) -> Mapping[str, Any]:
        """Keep which reasoning settings each language model takes."""
        if self._api == "v1":
            self._reasoning = {str(e["key"]): reasoning_options(e) for e in listed(document, "models") if e.get("key")}
        return document
