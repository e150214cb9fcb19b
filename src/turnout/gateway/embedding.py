"""Embeddings, for both dialects: who makes them, and from what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from turnout.gateway.bodies import Fields
from turnout.gateway.refusals import RefusedError
from turnout.gateway.replying import CLIENT, header_text
from turnout.gateway.targets import AUTO, embedding_candidates, find_target
from turnout.types import Embeddings, Snapshot

MOST_TEXTS: Final = 2048
"""As many as OpenAI takes at once."""


async def embed(http: web.Request, model: str, texts: tuple[str, ...]) -> Embeddings:
    """One vector for each text, by the candidate that a name means; `auto` is the first that can.

    Raises:
        RefusedError: nobody of this name makes embeddings.
        ProviderError: who was asked failed. Nobody else is asked: vectors of different language models do not go together.
    """
    client = http.app[CLIENT]
    named = http.headers.get("x-turnout-candidate") or model
    target = find_target(named, client.configuration, client.snapshot)
    candidate = first_able(client.snapshot) if target.name in AUTO else target.candidate
    if not candidate:
        raise RefusedError(
            404,
            "model_not_found",
            f"nobody makes embeddings under the name {named[:80]!r}; name a candidate",
            param="model",
        )
    return await client.embed(texts, candidate)


def first_able(snapshot: Snapshot) -> str:
    """The first that makes embeddings and can be asked now; those that keep texts on this machine before all others.
    Empty where nobody is."""
    able = {
        name: model
        for name, model in embedding_candidates(snapshot).items()
        if snapshot.providers[name.partition("/")[0]].available
    }
    return min(able, key=lambda name: able[name].remote, default="")


def embedding_texts(body: Mapping[str, Any], name: str) -> tuple[str, tuple[str, ...], Fields]:
    """The model, the texts, and the fields that are left.

    Raises:
        FieldError: there is no text, or too many.
    """
    fields = Fields(body)
    texts = fields.texts(name, most=MOST_TEXTS)
    if not texts or not all(texts):
        raise fields.refuse(name, "a text, or a list of texts that are not empty, is needed")
    return fields.text("model"), texts, fields


def embedding_headers(made: Embeddings) -> dict[str, str]:
    """What is told beside the vectors; no decision was made, so there is no id to give feedback on."""
    return {
        "x-turnout-decision": "",
        "x-turnout-candidate": header_text(made.candidate),
        "x-turnout-reason": "embeddings come from the candidate that is named",
    }
