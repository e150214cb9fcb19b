"""Task type, complexity and tier of a request, each with its scores.

A linear model over hashed word pairs, character n-grams and surface features of the instruction, fitted on the
developer prompts in `data/prompts.jsonl` by `make task-model`. Its int8 weights are part of this package, so that
every predictor, rule and command judges a task alike, with or without a champion.
"""

from __future__ import annotations

import hashlib
import io
import math
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

import numpy as np
from numpy.typing import NDArray

from turnout.errors import ArtifactCorruptError, ArtifactMissingError
from turnout.features.ngrams import BUCKETS, hash_words, ngram_buckets
from turnout.features.surface import SURFACE_NAMES
from turnout.features.text import PromptText
from turnout.types import COMPLEXITIES, TASK_TYPES, Task

CHAR_BUCKETS: Final = 1 << 16
OUTPUTS: Final = (*TASK_TYPES, "tier", "complexity")
TASK_NAMES: Final = (*(f"task_{name}" for name in TASK_TYPES), "complexity_score", "tier_score")
WEIGHTS_FILE: Final = "task_weights.npz"

SIMPLE_BELOW: Final = 3.5
COMPLEX_FROM: Final = 6.5
"""The writers' guide calls 0-3 simple, 4-6 medium and 7-10 complex; the cuts lie half-way."""

_SURFACE_CLIP: Final = 4.0
_COMPLEXITY_SPREAD: Final = 1.5
"""Standard deviation of the complexity score around the writers' label, on prompts held out from the fit."""

_CHARS_HEAD: Final = 400
_CHARS_TAIL: Final = 200
_FNV: Final = np.uint32(0x01000193)
_FNV_START: Final = np.uint32(0x811C9DC5)
_KNUTH: Final = np.uint32(2654435761)
_FOLD: Final = np.uint32(16)


def word_buckets(text: PromptText) -> NDArray[np.int64]:
    """Distinct buckets in [0, BUCKETS) of the instruction's words and word pairs."""
    return ngram_buckets(hash_words(text.instruction_words))[0]


def char_buckets(text: PromptText) -> NDArray[np.int64]:
    """Distinct buckets in [0, CHAR_BUCKETS) of the instruction's byte 4-grams (FNV-1a), of its head and tail only.

    They see through typos and inflection. 4-grams alone did better on other writers' prompts than 3 to 5 together.
    """
    joined = f" {' '.join(text.instruction_words)} "
    if len(joined) > _CHARS_HEAD + _CHARS_TAIL:
        joined = joined[:_CHARS_HEAD] + joined[-_CHARS_TAIL:]
    raw = np.frombuffer(joined.encode("utf-8", "replace"), np.uint8).astype(np.uint32)
    size = len(raw) - 3
    if size <= 0:
        return np.empty(0, np.int64)
    hashes = (raw[:size] ^ _FNV_START) * _FNV
    for offset in (1, 2, 3):
        hashes ^= raw[offset : offset + size]
        hashes *= _FNV
    hashes *= _KNUTH
    hashes >>= _FOLD
    hashes.sort()
    return hashes[np.concatenate(([True], hashes[1:] != hashes[:-1]))].astype(np.int64)


def _gather(weights: NDArray[np.int8], idf: NDArray[np.float32], buckets: NDArray[np.int64]) -> NDArray[np.float32]:
    """Sum of the rows of the buckets, each weighted by its idf, the weights scaled to unit length."""
    values = idf.take(buckets)
    length = math.sqrt(float(values @ values))
    return (values / length if length else values) @ weights.take(buckets, axis=0).astype(np.float32)


@dataclass(frozen=True, slots=True)
class TaskModel:
    """Linear weights for `OUTPUTS`. Word and character weights are int8, `scale` brings them back to logits.

    Shapes: words (BUCKETS, 11), chars (CHAR_BUCKETS, 11), word_idf (BUCKETS,), char_idf (CHAR_BUCKETS,), surface
    (len(SURFACE_NAMES), 11), bias and scale (11,), surface_mean and surface_std (len(SURFACE_NAMES),).
    """

    words: NDArray[np.int8]
    chars: NDArray[np.int8]
    word_idf: NDArray[np.float32]
    char_idf: NDArray[np.float32]
    scale: NDArray[np.float32]
    surface: NDArray[np.float32]
    surface_mean: NDArray[np.float32]
    surface_std: NDArray[np.float32]
    bias: NDArray[np.float32]
    digest: str

    def outputs(self, text: PromptText, surface: NDArray[np.float32]) -> NDArray[np.float32]:
        """Nine type logits, the tier logit and the complexity, float32 of shape (11,)."""
        scores = _gather(self.words, self.word_idf, word_buckets(text))
        scores += _gather(self.chars, self.char_idf, char_buckets(text))
        scores *= self.scale
        standard = (surface - self.surface_mean) / self.surface_std
        np.clip(standard, -_SURFACE_CLIP, _SURFACE_CLIP, out=standard)
        return np.asarray(scores + standard @ self.surface + self.bias, np.float32)

    def judge(self, text: PromptText, surface: NDArray[np.float32]) -> tuple[Task, NDArray[np.float32]]:
        """The task of one request, and its scores as float32 features of shape (11,) in the order of `TASK_NAMES`."""
        outputs = self.outputs(text, surface)
        logits = outputs[:9].astype(np.float64)
        weights = np.exp(logits - logits.max())
        weights /= weights.sum()
        probabilities = weights.tolist()
        tier_score = 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, float(outputs[9])))))
        complexity_score = max(0.0, min(10.0, float(outputs[10])))
        below = _normal_cdf((SIMPLE_BELOW - complexity_score) / _COMPLEXITY_SPREAD)
        above = 1.0 - _normal_cdf((COMPLEX_FROM - complexity_score) / _COMPLEXITY_SPREAD)
        level = 0 if complexity_score < SIMPLE_BELOW else 1 if complexity_score < COMPLEX_FROM else 2
        task = Task(
            type=TASK_TYPES[int(weights.argmax())],
            type_scores=dict(zip(TASK_TYPES, probabilities, strict=True)),
            complexity=COMPLEXITIES[level],
            complexity_score=complexity_score,
            complexity_scores={"simple": below, "medium": max(0.0, 1.0 - below - above), "complex": above},
            tier="strong" if tier_score > 0.5 else "fast",
            tier_score=tier_score,
        )
        return task, np.array([*probabilities, complexity_score, tier_score], np.float32)


def _normal_cdf(value: float) -> float:
    return 0.5 * (1.0 + math.erf(value / math.sqrt(2.0)))


@cache
def load_task_model() -> TaskModel:
    """Read the packaged weights once per process.

    Raises:
        ArtifactMissingError: the package was built without its weights.
        ArtifactCorruptError: the file does not hold the arrays this version needs.
    """
    source = files("turnout.features").joinpath(WEIGHTS_FILE)
    try:
        raw = source.read_bytes()
    except OSError as error:
        raise ArtifactMissingError(
            f"the package lacks {WEIGHTS_FILE}; reinstall Turnout or run 'make task-model'"
        ) from error
    try:
        with np.load(io.BytesIO(raw), allow_pickle=False) as arrays:
            model = TaskModel(
                words=arrays["words"],
                chars=arrays["chars"],
                word_idf=arrays["word_idf"].astype(np.float32),
                char_idf=arrays["char_idf"].astype(np.float32),
                scale=arrays["scale"],
                surface=arrays["surface"],
                surface_mean=arrays["surface_mean"],
                surface_std=arrays["surface_std"],
                bias=arrays["bias"],
                digest=hashlib.sha256(raw).hexdigest()[:16],
            )
    except Exception as error:  # np.load raises many kinds for a broken archive
        raise ArtifactCorruptError(f"{WEIGHTS_FILE} cannot be read ({error}); reinstall Turnout") from error
    expected = ((BUCKETS, 11), (CHAR_BUCKETS, 11), (len(SURFACE_NAMES), 11))
    if (model.words.shape, model.chars.shape, model.surface.shape) != expected:
        raise ArtifactCorruptError(f"{WEIGHTS_FILE} was made for other features; run 'make task-model'")
    return model
