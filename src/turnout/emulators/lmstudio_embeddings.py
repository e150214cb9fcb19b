"""LM Studio's embeddings: floats whatever format is asked for, and token counts that are always 0."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from typing import Final

from aiohttp import web

from turnout.emulators.answers import Piece
from turnout.emulators.api_error import ApiError
from turnout.emulators.call import CALL
from turnout.emulators.lmstudio_base import LMStudioBase
from turnout.emulators.lmstudio_request import Body, check_fields, read_body
from turnout.emulators.tokens import EMBEDDING_DIMENSIONS, count_tokens, embedding

_DIMENSIONS: Final = {"nomic-bert": 768}


class EmbeddingRoutes:
    """Vectors over one LM Studio."""

    def __init__(self, studio: LMStudioBase) -> None:
        self._studio = studio

    def routes(self) -> Sequence[web.RouteDef]:
        """The routes that the version has."""
        paths = ["/v1/embeddings", *(["/api/v0/embeddings"] if self._studio.version.since(0, 3, 6) else [])]
        return [web.post(path, self._embed) for path in paths]

    async def _embed(self, request: web.Request) -> web.StreamResponse:
        studio = self._studio
        body = read_body(request[CALL])
        check_fields(body)
        texts = _texts(body)
        chosen = studio.choose(body.get("model"), embedding=True)
        async with studio.use(chosen, ttl_s=body.get("ttl")) as run:
            for text in texts:  # one after the other, each cut to the window
                tokens = min(count_tokens(text), run.instance.context)
                nothing: tuple[Piece, ...] = ()
                async with aclosing(run.generate(tokens, nothing)) as pieces:
                    async for _ in pieces:
                        pass
            dimensions = _DIMENSIONS.get(chosen.model.family, EMBEDDING_DIMENSIONS)
            vectors = [
                {"object": "embedding", "embedding": embedding(text, dimensions), "index": place}
                for place, text in enumerate(texts)
            ]
            usage = {"prompt_tokens": 0, "total_tokens": 0}
            return studio.json({"object": "list", "data": vectors, "model": run.instance.id, "usage": usage})


def _texts(body: Body) -> list[str]:
    texts = body.get("input")
    if texts is None:
        raise ApiError(400, "'input' field is required")
    texts = [texts] if isinstance(texts, str) else texts
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ApiError(400, "'input' field must be a string or an array of strings")
    return texts
