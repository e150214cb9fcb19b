"""What Ollama tells about itself and its models."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiohttp import web

from turnout.emulators.api_error import ApiError
from turnout.emulators.call import CALL
from turnout.emulators.language_model import LanguageModel
from turnout.emulators.ollama_base import VRAM_BYTES, OllamaBase, moment_in, timestamp
from turnout.emulators.ollama_request import read_body
from turnout.emulators.tokens import EMBEDDING_DIMENSIONS

_MODIFIED_AT: Final = "2026-08-02T11:26:40.52Z"
_CREATED: Final = 1_785_670_000


class ListingRoutes:
    """Everything that is read and not generated."""

    def __init__(self, server: OllamaBase) -> None:
        self._server = server

    def routes(self) -> Sequence[web.RouteDef]:
        """Native listings and those of `/v1`."""
        return [
            web.get("/", self._root),
            web.get("/api/version", self._version),
            web.get("/api/tags", self._tags),
            web.post("/api/show", self._show),
            web.get("/api/ps", self._ps),
            web.get("/v1/models", self._openai_models),
            web.get("/v1/models/{name:.+}", self._openai_model),
        ]

    async def _root(self, _request: web.Request) -> web.Response:
        return web.Response(text="Ollama is running")

    async def _version(self, _request: web.Request) -> web.Response:
        return self._server.json({"version": self._server.version})

    async def _tags(self, _request: web.Request) -> web.Response:
        return self._server.json({"models": [self._listed(model) for model in self._server.models.values()]})

    async def _show(self, request: web.Request) -> web.Response:
        body = read_body(request[CALL], "ShowRequest")
        model = self._server.model(body.get("model") or body.get("name") or "", empty="model is required")
        shown = {
            "license": "Apache License, Version 2.0",
            "parameters": 'stop                           "<|im_end|>"',
            "template": "{{ .Prompt }}",
            "details": _details(model),
            "model_info": {
                "general.architecture": model.family,
                "general.parameter_count": int(model.parameters_b * 1e9),
                f"{model.family}.context_length": model.max_context,
                f"{model.family}.embedding_length": embedding_length(model),
            },
            "modified_at": _MODIFIED_AT,
        }
        if self._server.since(0, 6, 4):
            shown["capabilities"] = _capabilities(model)
        return self._server.json(shown)

    async def _ps(self, _request: web.Request) -> web.Response:
        clock = self._server.engine.clock
        loaded = sorted(self._server.engine.loaded(), key=lambda instance: -instance.expires_at)
        models = []
        for instance in loaded:
            expires_at = moment_in(clock.shown(instance.expires_at - clock.now()))
            entry = {
                "name": instance.model.name,
                "model": instance.model.name,
                "size": instance.memory_bytes,
                "digest": _digest(instance.model),
                "details": _details(instance.model),
                "expires_at": timestamp(expires_at),
                "size_vram": min(instance.memory_bytes, VRAM_BYTES),
            }
            if self._server.since(0, 10):
                entry["context_length"] = instance.context
            models.append(entry)
        return self._server.json({"models": models})

    async def _openai_models(self, _request: web.Request) -> web.Response:
        models = [_openai_entry(model) for model in self._server.models.values()]
        return self._server.json({"object": "list", "data": models or None})

    async def _openai_model(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        model = self._server.find(name)
        if model is None:
            raise ApiError(404, f"model '{name}' not found")
        return self._server.json({**_openai_entry(model), "id": name})

    def _listed(self, model: LanguageModel) -> dict[str, Any]:
        entry = {
            "name": model.name,
            "model": model.name,
            "modified_at": _MODIFIED_AT,
            "size": model.size_bytes,
            "digest": _digest(model),
            "details": _details(model),
        }
        if self._server.since(0, 30):
            lengths = {"context_length": model.max_context, "embedding_length": embedding_length(model)}
            entry["details"] = {**_details(model), **lengths}
            entry["capabilities"] = _capabilities(model)
        return entry


def embedding_length(model: LanguageModel) -> int:
    """The width of the model, which is the length of its vectors."""
    return EMBEDDING_DIMENSIONS if model.is_embedding else 8192 if model.parameters_b >= 60 else 4096


def _openai_entry(model: LanguageModel) -> dict[str, Any]:
    return {"id": model.name, "object": "model", "created": _CREATED, "owned_by": "library"}


def _digest(model: LanguageModel) -> str:
    return hashlib.sha256(model.name.encode()).hexdigest()


def _details(model: LanguageModel) -> Mapping[str, Any]:
    return {
        "parent_model": "",
        "format": "gguf",
        "family": model.family,
        "families": [model.family],
        "parameter_size": model.parameter_size,
        "quantization_level": model.quantization,
    }


def _capabilities(model: LanguageModel) -> list[str]:
    if model.is_embedding:
        return ["embedding"]
    insert = ["insert"] if "coder" in model.name else []
    own = [name for name in ("tools", "vision", "thinking") if name in model.capabilities]
    return ["completion", *own, *insert]
