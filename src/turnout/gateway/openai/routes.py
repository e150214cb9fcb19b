"""The paths of OpenAI's dialect."""

from __future__ import annotations

import base64
import struct
import time
from typing import Any

from aiohttp import web

from turnout.gateway.bodies import read_body
from turnout.gateway.embedding import embed, embedding_headers, embedding_texts
from turnout.gateway.openai.chat import ChatAnswer, TextAnswer
from turnout.gateway.openai.requests import chat_request, left_out, text_request
from turnout.gateway.openai.response_requests import response_request
from turnout.gateway.openai.responses import ResponseAnswer
from turnout.gateway.openai.shapes import encode, to_bytes
from turnout.gateway.replying import CLIENT, header_text, reply
from turnout.gateway.targets import Target, all_targets, find_target

STARTED_AT = int(time.time())


async def chat(http: web.Request) -> web.StreamResponse:
    """POST /v1/chat/completions."""
    body = await read_body(http)
    return await reply(http, chat_request(body), ChatAnswer(include_usage=_includes_usage(body)))


async def text(http: web.Request) -> web.StreamResponse:
    """POST /v1/completions."""
    body = await read_body(http)
    return await reply(http, text_request(body), TextAnswer(include_usage=_includes_usage(body)))


async def response(http: web.Request) -> web.StreamResponse:
    """POST /v1/responses."""
    body = await read_body(http)
    return await reply(http, response_request(body), ResponseAnswer(body))


async def embeddings(http: web.Request) -> web.StreamResponse:
    """POST /v1/embeddings."""
    model, texts, fields = embedding_texts(await read_body(http), "input")
    packed = fields.one_of("encoding_format", ("float", "base64"), "float") == "base64"
    if fields.whole("dimensions", least=1) is not None:
        raise fields.refuse("dimensions", "vectors keep the length that their language model gives them")
    fields.text("user")
    made = await embed(http, model, texts)
    data = [
        {"object": "embedding", "index": at, "embedding": _packed(vector) if packed else vector}
        for at, vector in enumerate(made.vectors)
    ]
    used = made.prompt_tokens or 0
    headers = embedding_headers(made)
    if warnings := left_out(fields):
        headers["x-turnout-warning"] = header_text("; ".join(warnings))
    return _json(
        {
            "object": "list",
            "data": data,
            "model": made.candidate,
            "usage": {"prompt_tokens": used, "total_tokens": used},
        },
        headers,
    )


async def models(http: web.Request) -> web.StreamResponse:
    """GET /v1/models."""
    client = http.app[CLIENT]
    listed = [_model(target) for target in all_targets(client.configuration, client.snapshot)]
    return _json({"object": "list", "data": listed})


async def model(http: web.Request) -> web.StreamResponse:
    """GET /v1/models/NAME."""
    client = http.app[CLIENT]
    return _json(_model(find_target(http.match_info["name"], client.configuration, client.snapshot)))


ROUTES = [
    web.post("/v1/chat/completions", chat),
    web.post("/v1/completions", text),
    web.post("/v1/responses", response),
    web.post("/v1/embeddings", embeddings),
    web.get("/v1/models", models),
    web.get("/v1/models/{name:.+}", model),
]


def _includes_usage(body: dict[str, Any]) -> bool:
    options = body.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def _model(target: Target) -> dict[str, Any]:
    owner = target.candidate.partition("/")[0] or "turnout"
    listed: dict[str, Any] = {"id": target.name, "object": "model", "created": STARTED_AT, "owned_by": owner}
    if target.description:
        listed["description"] = target.description
    return listed


def _packed(vector: tuple[float, ...]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode("ascii")


def _json(value: Any, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(body=to_bytes(encode(value)), content_type="application/json", headers=headers)
