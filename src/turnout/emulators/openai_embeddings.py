"""`/v1/embeddings`: vectors as lists of numbers or as base64 of little-endian floats."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from turnout.emulators.language_model import LanguageModel
from turnout.emulators.openai_dialect import OpenAIDialect
from turnout.emulators.tokens import EMBEDDING_DIMENSIONS, count_tokens, embedding

_DIMENSIONS: Final = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072, "text-embedding-ada-002": 1536}
_MOST_INPUTS: Final = 2048


@dataclass(frozen=True, slots=True)
class Inputs:
    """The texts to embed, and how many tokens each has."""

    texts: Sequence[str]
    tokens: Sequence[int]


def read_inputs(dialect: OpenAIDialect, body: Mapping[str, Any], context: int) -> Inputs:
    """What is to be embedded: a text, texts, or the same as numbers of tokens.

    Raises:
        ApiError: nothing, too much, or no text.
    """
    given = body.get("input")
    if given is None and dialect.name == "llamacpp":
        given = body.get("content")
    entries: list[Any] = given if isinstance(given, list) and not _is_tokens(given) else [given]
    if not entries or len(entries) > _MOST_INPUTS or not all(isinstance(e, str) or _is_tokens(e) for e in entries):
        raise dialect.bad_input()
    if dialect.name == "openai" and "" in entries:
        raise dialect.bad_input()
    texts = [entry if isinstance(entry, str) else " ".join(map(str, entry)) for entry in entries]
    tokens = [count_tokens(entry) if isinstance(entry, str) else len(entry) for entry in entries]
    limit = dialect.input_limit(context)
    if max(tokens) > limit:
        raise dialect.input_too_long(max(tokens), limit)
    return Inputs(texts, tokens)


def _is_tokens(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(entry, int) for entry in value)


def embeddings_document(
    dialect: OpenAIDialect, body: Mapping[str, Any], model: LanguageModel, inputs: Inputs
) -> dict[str, Any]:
    """The answer, in the order of the texts."""
    dimensions = body.get("dimensions") or _DIMENSIONS.get(model.name, EMBEDDING_DIMENSIONS)
    packed = body.get("encoding_format") == "base64"
    data = []
    for index, text in enumerate(inputs.texts):
        vector: Any = embedding(text, dimensions)
        if packed:
            vector = base64.b64encode(struct.pack(f"<{dimensions}f", *vector)).decode()
        entry = {"object": "embedding", "index": index, "embedding": vector}
        data.append({**entry, "encoding_format": "base64"} if packed and dialect.name == "llamacpp" else entry)
    tokens = sum(inputs.tokens)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": dialect.echo(model), "usage": usage}
