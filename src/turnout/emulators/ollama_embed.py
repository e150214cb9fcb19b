"""Ollama's embeddings: the newer and the older native endpoint, and the one of `/v1`."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiohttp import web

from turnout.emulators.api_error import ApiError
from turnout.emulators.call import CALL
from turnout.emulators.language_model import LanguageModel
from turnout.emulators.ollama_base import OllamaBase, nanoseconds
from turnout.emulators.ollama_request import load_settings, read_body, read_keep_alive, read_options
from turnout.emulators.tokens import EMBEDDING_DIMENSIONS, count_tokens, embedding

_MISSING: Final = 'model "{name}" not found, try pulling it first'
_RAW_LENGTH: Final = 11.3
"""The older endpoint does not bring its vectors to unit length."""


class EmbedRoutes:
    """Vectors from texts."""

    def __init__(self, server: OllamaBase) -> None:
        self._server = server

    def routes(self) -> Sequence[web.RouteDef]:
        """The three endpoints."""
        return [
            web.post("/api/embed", self._embed),
            web.post("/api/embeddings", self._embeddings),
            web.post("/v1/embeddings", self._openai_embeddings),
        ]

    async def _embed(self, request: web.Request) -> web.Response:
        body = read_body(request[CALL], "EmbedRequest")
        model = self._server.model(
            body.get("model") or "", missing=_MISSING if body.get("model") else "model '' not found"
        )
        texts = _texts(body.get("input"))
        vectors, tokens, metrics = await self._vectors(model, texts, body)
        answer = {"model": body["model"], "embeddings": vectors, **metrics}
        return self._server.json({**answer, "prompt_eval_count": tokens} if tokens else answer)

    async def _embeddings(self, request: web.Request) -> web.Response:
        body = read_body(request[CALL], "EmbeddingRequest")
        model = self._server.model(body.get("model") or "", empty="model is required", missing=_MISSING)
        vectors, _, _ = await self._vectors(model, _texts(body.get("prompt")), body)
        return self._server.json({"embedding": [_RAW_LENGTH * value for value in vectors[0]] if vectors else []})

    async def _openai_embeddings(self, request: web.Request) -> web.Response:
        body = read_body(request[CALL], "EmbedRequest")
        encoding = body.get("encoding_format") or "float"
        if encoding not in ("float", "base64"):
            raise ApiError(
                400, f"Invalid value for 'encoding_format' = {encoding}. Supported values: ['float', 'base64']."
            )
        texts = _texts(body.get("input"))
        if not texts:
            raise ApiError(400, "invalid input")
        model = self._server.model(body.get("model") or "", missing=_MISSING)
        vectors, tokens, _ = await self._vectors(model, texts, {"dimensions": body.get("dimensions")})
        data = [
            {"object": "embedding", "embedding": _base64(vector) if encoding == "base64" else vector, "index": index}
            for index, vector in enumerate(vectors)
        ]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return self._server.json({"object": "list", "data": data, "model": body["model"], "usage": usage})

    async def _vectors(
        self, model: LanguageModel, texts: Sequence[str], body: Mapping[str, Any]
    ) -> tuple[list[list[float]], int, dict[str, int]]:
        """Unit vectors, the tokens of all texts, and the durations."""
        server = self._server
        options = read_options(body)
        dimensions = body.get("dimensions") or EMBEDDING_DIMENSIONS
        if not isinstance(dimensions, int) or dimensions < 1:
            raise ApiError(400, "dimensions must be a positive integer")
        shift = server.shifts(model, None) if server.since(0, 30) else None
        async with server.engine.use(
            model,
            context=server.context_of(model, options),
            settings=load_settings(options, shift),
            slots=server.slots_of(model),
            keep_alive_s=read_keep_alive(body.get("keep_alive")),
        ) as run:
            if texts and not model.is_embedding:
                raise ApiError(500, "this model does not support embeddings")
            counts = [count_tokens(text) for text in texts]
            if body.get("truncate") is False and max(counts, default=0) > run.instance.context:
                raise ApiError(400, "the input length exceeds the context length")
            counts = [min(count, run.instance.context) for count in counts]
            texts = [text[: 4 * run.instance.context] for text in texts]
            async for _ in run.generate(sum(counts), ()):
                pass
            vectors = [embedding(text, min(dimensions, EMBEDDING_DIMENSIONS)) for text in texts]
            shown = server.engine.clock.shown
            load = nanoseconds(shown(run.load_s))
            total = load + nanoseconds(shown(run.wait_s + run.prefill_s))
            durations = {"total_duration": total, "load_duration": load}
            return vectors, sum(counts), {name: value for name, value in durations.items() if value}


def _texts(given: Any) -> list[str]:
    """One text, or several; none at all only loads the model."""
    if given in (None, ""):
        return []
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ApiError(400, "invalid input type")
    return texts


def _base64(vector: Sequence[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
