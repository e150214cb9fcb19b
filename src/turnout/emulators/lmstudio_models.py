"""LM Studio's three lists of models, and loading and unloading on purpose."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiohttp import web

from turnout.emulators.api_error import ApiError
from turnout.emulators.call import CALL
from turnout.emulators.instance import Instance
from turnout.emulators.language_model import LanguageModel
from turnout.emulators.lmstudio_base import LMStudioBase
from turnout.emulators.lmstudio_native_request import read_native

_REASONING: Final = {"gptoss": (("low", "medium", "high"), "medium")}
_ON_OR_OFF: Final = (("off", "on"), "on")
_LOAD_FIELDS: Final[Mapping[str, type]] = {
    "model": str,
    "context_length": int,
    "eval_batch_size": int,
    "flash_attention": bool,
    "num_experts": int,
    "offload_kv_cache_to_gpu": bool,
    "echo_load_config": bool,
}


def reasoning_settings(model: LanguageModel) -> tuple[tuple[str, ...], str] | None:
    """What a request may say about reasoning, and what happens if it says nothing; None: it may say nothing."""
    return _REASONING.get(model.family, _ON_OR_OFF) if model.thinks else None


class ModelRoutes:
    """Lists and loads over one LM Studio."""

    def __init__(self, studio: LMStudioBase) -> None:
        self._studio = studio

    def routes(self) -> Sequence[web.RouteDef]:
        """The routes that the version has."""
        routes = [web.get("/v1/models", self._openai_list), web.get("/v1/models/{name:.+}", self._openai_one)]
        if self._studio.version.since(0, 3, 6):
            routes += [web.get("/api/v0/models", self._v0_list), web.get("/api/v0/models/{name:.+}", self._v0_one)]
        if self._studio.version.since(0, 4):
            routes += [
                web.get("/api/v1/models", self._v1_list),
                web.post("/api/v1/models/load", self._load),
                web.post("/api/v1/models/unload", self._unload),
            ]
        return routes

    async def _openai_list(self, _request: web.Request) -> web.StreamResponse:
        """With loading on request everything that is downloaded, otherwise only what is loaded."""
        if self._studio.settings.just_in_time:
            names = list(self._studio.models)
        else:
            names = [instance.id for instance in self._studio.engine.loaded()]
        return self._studio.json({"object": "list", "data": [_openai_entry(name) for name in names]})

    async def _openai_one(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        known = {*self._studio.models, *(instance.id for instance in self._studio.engine.loaded())}
        if name not in known:
            raise self._studio.not_found(name)
        return self._studio.json(_openai_entry(name))

    async def _v0_list(self, _request: web.Request) -> web.StreamResponse:
        return self._studio.json({"object": "list", "data": list(map(self._v0_entry, self._studio.models.values()))})

    async def _v0_one(self, request: web.Request) -> web.StreamResponse:
        model = self._studio.find(request.match_info["name"])
        if model is None:
            raise self._studio.not_found(request.match_info["name"])
        return self._studio.json(self._v0_entry(model))

    def _v0_entry(self, model: LanguageModel) -> Mapping[str, Any]:
        instances = self._instances(model)
        kind = "embeddings" if model.is_embedding else "vlm" if "vision" in model.capabilities else "llm"
        loading = self._studio.engine.snapshot()["loading"]
        state = "loaded" if instances else "loading" if model.name in loading else "not-loaded"
        entry: dict[str, Any] = {
            "id": model.name,
            "object": "model",
            "type": kind,
            "publisher": _publisher(model),
            "arch": model.family,
            "compatibility_type": _format(model),
            "quantization": model.quantization,
            "state": state,
            "max_context_length": model.max_context,
        }
        if instances:
            entry["loaded_context_length"] = instances[0].context
        if self._studio.version.since(0, 3, 16) and "tools" in model.capabilities:
            entry["capabilities"] = ["tool_use"]
        if model.name in self._studio.settings.sparse_models:
            for optional in ("arch", "quantization", "max_context_length", "capabilities"):
                entry.pop(optional, None)
        return entry

    async def _v1_list(self, _request: web.Request) -> web.StreamResponse:
        return self._studio.json({"models": list(map(self._v1_entry, self._studio.models.values()))})

    def _v1_entry(self, model: LanguageModel) -> Mapping[str, Any]:
        bits = re.search(r"\d+", model.quantization)
        entry: dict[str, Any] = {
            "type": "embedding" if model.is_embedding else "llm",
            "publisher": _publisher(model),
            "key": model.name,
            "display_name": _display_name(model),
            "architecture": model.family,
            "quantization": {"name": model.quantization, "bits_per_weight": int(bits[0]) if bits else None},
            "size_bytes": model.size_bytes,
            "params_string": None if model.is_embedding else model.parameter_size,
            "loaded_instances": [
                {"id": instance.id, "config": _load_config(instance)} for instance in self._instances(model)
            ],
            "max_context_length": model.max_context,
            "format": _format(model),
        }
        if model.is_embedding:
            del entry["architecture"]
            return entry
        capabilities: dict[str, Any] = {
            "vision": "vision" in model.capabilities,
            "trained_for_tool_use": "tools" in model.capabilities,
        }
        if settings := reasoning_settings(model):
            capabilities["reasoning"] = {"allowed_options": list(settings[0]), "default": settings[1]}
        entry["capabilities"] = capabilities
        if model.name in self._studio.settings.sparse_models:
            del entry["architecture"], entry["capabilities"]
            entry |= {"quantization": None, "params_string": None, "format": None}
        return entry

    def _instances(self, model: LanguageModel) -> list[Instance]:
        return [instance for instance in self._studio.engine.loaded() if instance.model.name == model.name]

    async def _load(self, request: web.Request) -> web.StreamResponse:
        """Blocks until the model is loaded. A model that is loaded already gets a second instance."""
        studio = self._studio
        body = read_native(request[CALL], _LOAD_FIELDS, required=("model",))
        model = studio.find(body["model"])
        if model is None:
            raise studio.not_found(body["model"])
        instance = await studio.engine.load(model, context=studio.window(model, body.get("context_length")))
        answer = {
            "type": "embedding" if model.is_embedding else "llm",
            "instance_id": instance.id,
            "load_time_seconds": round(studio.engine.clock.shown(instance.load_s), 3),
            "status": "loaded",
        }
        return studio.json(answer | ({"load_config": _load_config(instance)} if body.get("echo_load_config") else {}))

    async def _unload(self, request: web.Request) -> web.StreamResponse:
        """Ends at once what runs on the instance."""
        body = read_native(request[CALL], {"instance_id": str}, required=("instance_id",))
        if not self._studio.engine.unload(body["instance_id"]):
            message = f"Model instance '{body['instance_id']}' is not loaded."
            raise ApiError(404, message, type="invalid_request", code="model_not_found", param="instance_id")
        return self._studio.json({"instance_id": body["instance_id"]})


def _openai_entry(name: str) -> Mapping[str, Any]:
    return {"id": name, "object": "model", "owned_by": "organization_owner"}


def _load_config(instance: Instance) -> Mapping[str, Any]:
    config: dict[str, Any] = {"context_length": instance.context}
    if not instance.model.is_embedding:
        config |= {
            "eval_batch_size": 512,
            "parallel": instance.slots,
            "flash_attention": True,
            "offload_kv_cache_to_gpu": True,
        }
    return config


def _publisher(model: LanguageModel) -> str:
    publisher, slash, _ = model.name.partition("/")
    return publisher if slash else "lmstudio-community"


def _display_name(model: LanguageModel) -> str:
    return re.sub(r"[-_]+", " ", model.name.rpartition("/")[2]).title()


def _format(model: LanguageModel) -> str:
    return "mlx" if "mlx" in model.name.lower() else "gguf"
