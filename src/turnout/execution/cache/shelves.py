"""Prompts with their vectors, on a shelf for each context; the most similar ones are found by one product."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Final

import numpy as np

from turnout.execution.cache.gist import Gist, gist
from turnout.execution.cache.minilm import Floats

_HEAD: Final = struct.Struct("<4sIII")  # mark, bytes of context key and prompt in JSON, dimensions, bytes of the answer
_MARK: Final = b"TSC1"
_FIRST_ROWS: Final = 4


@dataclass(slots=True)
class Shelved:
    """One prompt: its context, its vector of length 1, its answer as bytes. `row` is its place on the shelf."""

    context: str
    prompt: str
    vector: Floats
    answer: bytes
    row: int = -1
    _gist: Gist | None = None

    @property
    def gist(self) -> Gist:
        """What matters of the prompt, found when it is first needed."""
        if self._gist is None:
            self._gist = gist(self.prompt) or Gist(())
        return self._gist

    def to_bytes(self) -> bytes:
        """Everything but the place."""
        told = json.dumps([self.context, self.prompt]).encode("ascii")
        return (
            _HEAD.pack(_MARK, len(told), len(self.vector), len(self.answer))
            + told
            + self.vector.tobytes()
            + self.answer
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> Shelved | None:
        """What `to_bytes` wrote; None for anything else."""
        try:
            mark, told_bytes, dimensions, answer_bytes = _HEAD.unpack_from(content)
            at = _HEAD.size + told_bytes
            end = at + 4 * dimensions
            if mark != _MARK or len(content) != end + answer_bytes:
                return None
            context, prompt = json.loads(content[_HEAD.size : at])
        except (struct.error, ValueError, TypeError, RecursionError):
            return None
        vector = np.frombuffer(content, np.float32, dimensions, at)
        if not (isinstance(context, str) and isinstance(prompt, str) and _is_direction(vector)):
            return None
        return cls(context, prompt, vector, content[end:])


class Shelf:
    """The prompts of one context, their vectors in one matrix."""

    def __init__(self, dimensions: int) -> None:
        self._matrix: Floats = np.empty((_FIRST_ROWS, dimensions), np.float32)
        self._shelved: list[Shelved] = []

    def __len__(self) -> int:
        return len(self._shelved)

    @property
    def dimensions(self) -> int:
        """How long its vectors are."""
        return int(self._matrix.shape[1])

    def add(self, entry: Shelved) -> None:
        """Put one more on it."""
        count = len(self._shelved)
        if count == len(self._matrix):
            self._matrix = np.resize(self._matrix, (2 * count, self.dimensions))
        self._matrix[count] = entry.vector
        entry.row = count
        self._shelved.append(entry)

    def remove(self, entry: Shelved) -> bool:
        """Take one off, the last one taking its place; whether it was there."""
        if not (0 <= entry.row < len(self._shelved) and self._shelved[entry.row] is entry):
            return False
        last = self._shelved.pop()
        if last is not entry:
            self._shelved[entry.row] = last
            self._matrix[entry.row] = last.vector
            last.row = entry.row
        return True

    def similar(self, vector: Floats, threshold: float, most: int) -> list[tuple[float, Shelved]]:
        """Cosine similarity and entry of those that reach the threshold, the most similar first, no more than `most`."""
        similarities = self._matrix[: len(self._shelved)] @ vector
        found = np.flatnonzero(similarities >= threshold)
        rows = found[np.argsort(-similarities[found], kind="stable")][:most].tolist()
        return [(float(similarities[row]), self._shelved[row]) for row in rows]


def _is_direction(vector: Floats) -> bool:
    return bool(len(vector)) and abs(float(vector @ vector) - 1) < 1e-3  # not for NaN either
