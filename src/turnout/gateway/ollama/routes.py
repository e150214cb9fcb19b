"""The paths of Ollama's dialect."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from aiohttp import web

from turnout.gateway.bodies import Fields, read_body
from turnout.gateway.embedding import embed, embedding_headers, embedding_texts
from turnout.gateway.ollama.chat import OllamaAnswer
from turnout.gateway.ollama.requests import chat_request, generate_request
from turnout.gateway.ollama.shapes import now
from turnout.gateway.openai.requests import left_out
from turnout.gateway.openai.shapes import encode, to_bytes
from turnout.gateway.refusals import RefusedError
from turnout.gateway.replying import CLIENT, header_text, reply
from turnout.gateway.targets import Target, all_targets, find_target, language_model
from turnout.gateway.wanted import Wanted
from turnout.types import LanguageModel

VERSION: Final = "0.12.11"
"""The version of Ollama whose dialect this is: clients ask before they use what came with it."""

_CAPABILITIES: Final = {
    "chat": "completion",
    "tools": "tools",
    "vision": "vision",
    "reasoning": "thinking",
    "embedding": "embedding",
}


async def chat(http: web.Request) -> web.StreamResponse:
    """POST /api/chat."""
    return await _answer(http, chat_request, chat=True)


async def generate(http: web.Request) -> web.StreamResponse:
    """POST /api/generate."""
    return await _answer(http, generate_request, chat=False)


async def _answer(http: web.Request, read: Callable[[Mapping[str, Any]], Wanted], *, chat: bool) -> web.StreamResponse:
    body = await read_body(http)
    wanted = read(body)
    if not wanted.request.messages:
        return await _load(http, wanted, body, chat=chat)
    return await reply(http, wanted, OllamaAnswer(wanted.model, chat=chat))


async def _load(http: web.Request, wanted: Wanted, body: Mapping[str, Any], *, chat: bool) -> web.StreamResponse:
    """A request without a prompt brings a language model into memory; with `keep_alive` 0 it should leave it."""
    client = http.app[CLIENT]
    target = find_target(wanted.model, client.configuration, client.snapshot)
    unload = body.get("keep_alive") in (0, "0", "0s")
    if unload:
        raise RefusedError(
            400, "invalid_request", "language models are not sent away by requests; turnout warm keeps them"
        )
    if target.candidate:
        await client.warm(target.candidate)
    else:
        wanted.warnings.append("nobody was brought into memory: who answers is decided with the prompt")
    said = {"message": {"role": "assistant", "content": ""}} if chat else {"response": ""}
    done = {"model": wanted.model, "created_at": now(), **said, "done": True, "done_reason": "load"}
    return _json(done, _warned(wanted.warnings))


async def embeddings(http: web.Request) -> web.StreamResponse:
    """POST /api/embed."""
    started_s = time.perf_counter()
    model, texts, fields = embedding_texts(await read_body(http), "input")
    if fields.whole("dimensions", least=1) is not None:
        raise fields.refuse("dimensions", "vectors keep the length that their language model gives them")
    made = await embed(http, model, texts)
    took = int((time.perf_counter() - started_s) * 1e9)
    body = {
        "model": model,
        "embeddings": made.vectors,
        "total_duration": took,
        "load_duration": 0,
        "prompt_eval_count": made.prompt_tokens or 0,
    }
    return _json(body, embedding_headers(made) | _warned(left_out(fields)))


async def older_embeddings(http: web.Request) -> web.StreamResponse:
    """POST /api/embeddings, the form that /api/embed has replaced: one prompt, one vector."""
    model, texts, fields = embedding_texts(await read_body(http), "prompt")
    made = await embed(http, model, texts[:1])
    return _json({"embedding": made.vectors[0]}, embedding_headers(made) | _warned(left_out(fields)))


async def tags(http: web.Request) -> web.StreamResponse:
    """GET /api/tags."""
    client = http.app[CLIENT]
    snapshot = client.snapshot
    return _json(
        {
            "models": [
                _listed(target, language_model(target.candidate, snapshot))
                for target in all_targets(client.configuration, snapshot)
            ]
        }
    )


async def running(http: web.Request) -> web.StreamResponse:
    """GET /api/ps."""
    snapshot = http.app[CLIENT].snapshot
    found = []
    for name, state in snapshot.candidates.items():
        known = state.model
        if known is not None and known.loaded:
            size = known.memory_bytes or known.size_bytes or 0
            found.append(
                {**_listed(Target(name, candidate=name), known), "size": size, "size_vram": known.vram_bytes or 0}
                | {"expires_at": "0001-01-01T00:00:00Z", "context_length": known.loaded_context_length or 0}
            )
    return _json({"models": found})


async def show(http: web.Request) -> web.StreamResponse:
    """POST /api/show."""
    fields = Fields(await read_body(http))
    client = http.app[CLIENT]
    target = find_target(fields.text("model") or fields.text("name"), client.configuration, client.snapshot)
    known = language_model(target.candidate, client.snapshot)
    able = [_CAPABILITIES[word] for word in sorted(known.capabilities) if word in _CAPABILITIES] if known else []
    about: dict[str, Any] = {"general.architecture": (known.family if known else None) or "turnout"}
    if known is not None and known.context_length:
        about[f"{about['general.architecture']}.context_length"] = known.context_length
    return _json(
        {
            "modelfile": f"# {target.description or target.name}\nFROM {target.name}\n",
            "parameters": "",
            "template": "",
            "license": "",
            "details": _details(known),
            "model_info": about,
            "capabilities": able or ["completion", "tools"],
            "modified_at": now(),
        }
    )


async def version(_: web.Request) -> web.StreamResponse:
    """GET /api/version."""
    return _json({"version": VERSION})


async def elsewhere(http: web.Request) -> web.StreamResponse:
    """What changes the language models of a provider."""
    raise RefusedError(501, "not_here", f"{http.path} changes a provider's language models; ask the provider itself")


ROUTES = [
    web.post("/api/chat", chat),
    web.post("/api/generate", generate),
    web.post("/api/embed", embeddings),
    web.post("/api/embeddings", older_embeddings),
    web.get("/api/tags", tags),
    web.get("/api/ps", running),
    web.post("/api/show", show),
    web.get("/api/version", version),
    *(web.post(f"/api/{name}", elsewhere) for name in ("pull", "push", "create", "copy")),
    web.delete("/api/delete", elsewhere),
]


def _listed(target: Target, known: LanguageModel | None) -> dict[str, Any]:
    return {
        "name": target.name,
        "model": target.name,
        "modified_at": now(),
        "size": (known.size_bytes if known else None) or 0,
        "digest": hashlib.sha256(target.name.encode("utf-8", "replace")).hexdigest(),
        "details": _details(known),
    }


def _details(known: LanguageModel | None) -> dict[str, Any]:
    family = (known.family if known else None) or ""
    return {
        "parent_model": "",
        "format": "gguf" if known is not None and not known.remote else "",
        "family": family,
        "families": [family] if family else [],
        "parameter_size": (known.parameters if known else None) or "",
        "quantization_level": (known.quantization if known else None) or "",
    }


def _warned(warnings: list[str]) -> dict[str, str]:
    return {"x-turnout-warning": header_text("; ".join(warnings))} if warnings else {}


def _json(value: Any, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(body=to_bytes(encode(value)), content_type="application/json", headers=headers)
