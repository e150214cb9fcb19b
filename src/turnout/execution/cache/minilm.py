"""The small sentence encoder run by NumPy: BERT's six layers over the weights of all-MiniLM-L6-v2.

Devlin and others, "BERT", 2019; Reimers and Gurevych, "Sentence-BERT", 2019: the vector of a text is the mean over the
last layer's tokens, brought to length 1. The weights' own package runs them by way of PyTorch, which takes gigabytes and
seconds to load; a text of 20 word pieces is 0.4 GFLOP, which NumPy does alone in about as many milliseconds as ONNX
Runtime. A safetensors file is a header in JSON and raw numbers, so reading it runs no stored code.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]

LAYERS: Final = 6
HEADS: Final = 12
DIMENSIONS: Final = 384
MAX_PIECES: Final = 256
"""What the weights were trained to read at once (`max_seq_length` of their configuration), both marks included."""

_EPSILON: Final = np.float32(1e-12)
# Abramowitz and Stegun, "Handbook of Mathematical Functions", 7.1.26: erf to 1.5e-7. NumPy has none of its own.
_ERF: Final = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)


@dataclass(frozen=True, slots=True)
class _Dense:
    weight: Floats
    bias: Floats

    def __call__(self, x: Floats) -> Floats:
        return x @ self.weight + self.bias


@dataclass(frozen=True, slots=True)
class _Norm:
    gain: Floats
    bias: Floats

    def __call__(self, x: Floats) -> Floats:
        x = x - x.mean(axis=-1, keepdims=True)
        variance = np.mean(x * x, axis=-1, keepdims=True)
        out: Floats = x / np.sqrt(variance + _EPSILON) * self.gain + self.bias
        return out


@dataclass(frozen=True, slots=True)
class _Layer:
    attend: _Dense
    """Queries, keys and values side by side."""

    attended: _Dense
    attended_norm: _Norm
    widen: _Dense
    narrow: _Dense
    norm: _Norm

    def __call__(self, x: Floats) -> Floats:
        x = self.attended_norm(x + self.attended(_attention(self.attend(x))))
        return self.norm(x + self.narrow(_gelu(self.widen(x))))


class MiniLM:
    """The encoder. Its weights are mapped, not read: the 46 MB of word vectors stay on disk until a word needs them.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not the file expected: no safetensors, a missing tensor, or one of another shape.
    """

    def __init__(self, weights: Path) -> None:
        tensors = _Tensors(weights)
        self._words = tensors.get("embeddings.word_embeddings.weight", -1, DIMENSIONS)
        places = tensors.get("embeddings.position_embeddings.weight", -1, DIMENSIONS)[:MAX_PIECES]
        self._places = places + tensors.get("embeddings.token_type_embeddings.weight", -1, DIMENSIONS)[0]
        self._norm = tensors.norm("embeddings.LayerNorm")
        self._layers = tuple(_layer(tensors, f"encoder.layer.{number}") for number in range(LAYERS))

    def __call__(self, pieces: Sequence[int]) -> Floats:
        """The vector of one text, shape (384,), length 1; `pieces` are its word pieces with both marks, at most 256."""
        x = self._norm(self._words[list(pieces)] + self._places[: len(pieces)])
        for layer in self._layers:
            x = layer(x)
        mean: Floats = x.mean(axis=0)
        return mean / np.linalg.norm(mean)


def _attention(mixed: Floats) -> Floats:
    """From shape (n, 3 · 384) to (n, 384): each head's tokens mixed by softmax(q·k / √32)."""
    count = len(mixed)
    queries, keys, values = mixed.reshape(count, 3, HEADS, DIMENSIONS // HEADS).transpose(1, 2, 0, 3)
    scores = queries @ keys.transpose(0, 2, 1) * np.float32(1 / math.sqrt(DIMENSIONS // HEADS))
    scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
    scores /= scores.sum(axis=-1, keepdims=True)
    out: Floats = (scores @ values).transpose(1, 0, 2).reshape(count, DIMENSIONS)
    return out


def _gelu(x: Floats) -> Floats:
    """x · Φ(x), the exact form that the weights were trained with."""
    z = np.abs(x) * np.float32(math.sqrt(0.5))
    t = 1 / (1 + np.float32(0.3275911) * z)
    series = np.zeros_like(t)
    for factor in reversed(_ERF):
        series = (series + np.float32(factor)) * t
    erf = 1 - series * np.exp(-z * z)
    out: Floats = x * np.float32(0.5) * (1 + np.copysign(erf, x))
    return out


def _layer(tensors: _Tensors, name: str) -> _Layer:
    parts = [
        tensors.dense(f"{name}.attention.self.{part}", DIMENSIONS, DIMENSIONS) for part in ("query", "key", "value")
    ]
    attend = _Dense(np.hstack([part.weight for part in parts]), np.hstack([part.bias for part in parts]))
    return _Layer(
        attend,
        tensors.dense(f"{name}.attention.output.dense", DIMENSIONS, DIMENSIONS),
        tensors.norm(f"{name}.attention.output.LayerNorm"),
        tensors.dense(f"{name}.intermediate.dense", DIMENSIONS, 4 * DIMENSIONS),
        tensors.dense(f"{name}.output.dense", 4 * DIMENSIONS, DIMENSIONS),
        tensors.norm(f"{name}.output.LayerNorm"),
    )


class _Tensors:
    """A safetensors file: eight bytes with the header's length, the header in JSON, the numbers."""

    def __init__(self, path: Path) -> None:
        self._content: NDArray[np.uint8] = np.memmap(path, dtype=np.uint8, mode="r")
        size = int.from_bytes(self._content[:8].tobytes(), "little")
        self._start = 8 + size
        if not 0 < size < len(self._content):
            raise ValueError(f"{path} is no safetensors file")
        self._header: dict[str, Any] = json.loads(self._content[8 : self._start].tobytes())

    def get(self, name: str, *shape: int) -> Floats:
        entry = self._header.get(name)
        if entry is None or entry["dtype"] != "F32":
            raise ValueError(f"the weights have no tensor {name} of 32-bit numbers")
        begin, end = entry["data_offsets"]
        flat = self._content[self._start + begin : self._start + end].view(np.float32)
        return flat.reshape(entry["shape"]).reshape(shape)

    def dense(self, name: str, width_in: int, width_out: int) -> _Dense:
        weight = self.get(f"{name}.weight", width_out, width_in)
        return _Dense(np.ascontiguousarray(weight.T), self.get(f"{name}.bias", width_out))

    def norm(self, name: str) -> _Norm:
        return _Norm(self.get(f"{name}.weight", DIMENSIONS), self.get(f"{name}.bias", DIMENSIONS))
