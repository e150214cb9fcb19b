"""The whole document, and where it is served."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from typing import Any, Final

from aiohttp import web

from turnout import __version__
from turnout.gateway.openai.shapes import encode, to_bytes
from turnout.gateway.openapi import ollama_paths, openai_paths, own_paths
from turnout.gateway.openapi.pieces import HEADERS, OLLAMA_ERROR, OPENAI_ERROR, TEXT

_DESCRIPTION: Final = """\
One address for clients of OpenAI and of Ollama; each prompt goes to the language model that is right for it. HEAD works
wherever GET does, OPTIONS tells which methods a path has. Keys are needed where `gateway.keys_file` is configured."""

_ASKED: Final = {
    "preference": "fast, balanced, quality, or a number: seconds that one more right answer in a hundred is worth",
    "deadline": "seconds for everything together",
    "candidate": "the only one that may answer",
    "conversation": "which conversation this belongs to",
    "user": "whose preferences count",
    "hold": "true keeps a stream back until the answer is judged",
    "cache": "false asks afresh",
}
_EXAMPLES: Final = {"preference": "fast", "deadline": "60", "hold": "true", "cache": "false"}
_TAGS: Final = (
    ("OpenAI", "/v1/"),
    ("Ollama", "/api/"),
    ("Turnout", "/"),
)


@cache
def document() -> dict[str, Any]:
    """The document, the same for every gateway of this version: a copy, which the caller may change."""
    paths = deepcopy({**openai_paths.PATHS, **ollama_paths.PATHS, **own_paths.PATHS})
    for path, operations in paths.items():
        for operation in operations.values():
            operation["tags"] = [next(tag for tag, prefix in _TAGS if path.startswith(prefix))]
            if _takes_wishes(path, operation):
                operation["parameters"] = [{"$ref": f"#/components/parameters/{name}"} for name in _ASKED]
    return {
        "openapi": "3.1.0",
        "info": {"title": "Turnout", "version": __version__, "description": _DESCRIPTION, "license": _LICENSE},
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag, _ in _TAGS],
        "security": [{}, {"bearer": []}, {"header": []}],
        "paths": paths,
        "components": {
            "schemas": deepcopy(
                {
                    "Error": OPENAI_ERROR,
                    "OllamaError": OLLAMA_ERROR,
                    **openai_paths.SCHEMAS,
                    **ollama_paths.SCHEMAS,
                    **own_paths.SCHEMAS,
                }
            ),
            "headers": deepcopy(HEADERS),
            "parameters": {name: _parameter(name) for name in _ASKED},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "`turnout keys add NAME` makes one."},
                "header": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
        },
    }


_LICENSE: Final = {"name": "Apache 2.0", "identifier": "Apache-2.0"}


async def serve_document(_: web.Request) -> web.StreamResponse:
    """GET /openapi.json."""
    return web.Response(body=_encoded(), content_type="application/json", headers={"Cache-Control": "no-cache"})


ROUTES = [web.get("/openapi.json", serve_document)]


@cache
def _encoded() -> bytes:
    return to_bytes(encode(document()))


def _takes_wishes(path: str, operation: dict[str, Any]) -> bool:
    """Whether it is about an answer, so that a client may say how it wants it."""
    headers = operation["responses"].get("200", {}).get("headers", {})
    return "x-turnout-decision" in headers and "embed" not in path


def _parameter(name: str) -> dict[str, Any]:
    schema = {**TEXT, **({"enum": ["true", "false"]} if name in ("hold", "cache") else {})}
    made = {"name": f"x-turnout-{name}", "in": "header", "description": _ASKED[name], "schema": schema}
    return made | ({"example": _EXAMPLES[name]} if name in _EXAMPLES else {})
