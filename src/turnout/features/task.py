"""Task type, complexity and tier of a request, each with its scores.

A linear model over hashed word pairs, character n-grams and surface features of the instruction, fitted on the
developer prompts in `data/prompts.jsonl` by `make task-model`. Its int8 weights are part of this package, so that
every predictor, rule and command judges a task alike, with or without a champion.
"""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from turnout import kernel
from turnout.errors import ArtifactCorruptError, ArtifactMissingError
from turnout.features.ngrams import BUCKETS, edges_of_runs, hash_words, ngram_buckets
from turnout.features.surface import SURFACE_NAMES
from turnout.features.text import PromptText
from turnout.features.words import CUT
from turnout.types import COMPLEXITIES, TASK_TYPES, Task

CHAR_BUCKETS: Final = 1 << 16
OUTPUTS: Final = (*TASK_TYPES, "tier", "complexity")
TASK_NAMES: Final = (*(f"task_{name}" for name in TASK_TYPES), "complexity_linear", "tier_score")
WEIGHTS_FILE: Final = "task_weights.npz"

SIMPLE_BELOW: Final = 3.5
COMPLEX_FROM: Final = 6.5
"""The writers' guide calls 0-3 simple, 4-6 medium and 7-10 complex; the cuts lie half-way."""

_SURFACE_CLIP: Final = np.float32(4.0)
_COMPLEXITY_SPREAD: Final = 1.2
"""Standard deviation of the complexity score around the writers' label, on prompts held out from the fit."""

_TIER_SHARE: Final = 0.7
_FAST_COMPLEXITY: Final = 2.1
_STRONG_COMPLEXITY: Final = 7.8
"""A linear score shrinks to the middle, where hardly a prompt is. Seven parts in ten come from the tier score, placed
between the mean labels of the two tiers: mean absolute error .78 instead of 1.12 on held-out set g."""

_CONSTANTS: Final = np.array(
    [_TIER_SHARE, _FAST_COMPLEXITY, _STRONG_COMPLEXITY, SIMPLE_BELOW, COMPLEX_FROM, _COMPLEXITY_SPREAD]
)

_CHARS_HEAD: Final = 400
_CHARS_TAIL: Final = 200
_ENDS_OF_WORDS: Final = b'.,;:!?")\r'
"""A blank follows these as a rule: without them, most words stand one blank apart."""
_KNUTH: Final = np.uint32(2654435761)
_FOLD: Final = np.uint32(16)


def word_buckets(text: PromptText) -> NDArray[np.int64]:
    """Distinct buckets in [0, BUCKETS) of the instruction's words and word pairs."""
    return ngram_buckets(hash_words(text.instruction_words))[0]


def char_buckets(text: PromptText) -> NDArray[np.int64]:
    """Distinct buckets in [0, CHAR_BUCKETS) of the byte 4-grams in the instruction's head and tail.

    They see through typos and inflection. 4-grams alone did better on other writers' prompts than 3 to 5 together.
    """
    joined = b" %b " % _head_and_tail(text).translate(CUT, _ENDS_OF_WORDS)
    size = len(joined) - 3
    if size <= 0:
        return np.empty(0, np.int64)
    grams = np.ndarray((size,), "<u4", joined, strides=(1,))  # each starts one byte after the one before
    hashes = grams * _KNUTH
    hashes >>= _FOLD
    edges = edges_of_runs(hashes)
    return hashes.compress(edges[:-1]).astype(np.int64)


def _head_and_tail(text: PromptText) -> bytes:
    raw = text.instruction
    return raw if len(raw) <= _CHARS_HEAD + _CHARS_TAIL else raw[:_CHARS_HEAD] + raw[-_CHARS_TAIL:]


_ROW: Final = np.dtype([("weights", np.int8, len(OUTPUTS)), ("idf", np.float32)], align=True)
"""What is known of a bucket, together in 16 bytes: what is read at random should be read at once."""


def _rows(weights: NDArray[np.int8], idf: NDArray[np.floating]) -> NDArray[np.void]:
    """The rows of one table: weights of shape (buckets, 11), idf of shape (buckets,)."""
    rows = np.zeros(len(weights), _ROW)
    rows["weights"], rows["idf"] = weights, idf
    return rows


def _logits(rows: NDArray[np.void], scale: NDArray[np.float32], buckets: NDArray[np.int64]) -> NDArray[np.float64]:
    """What the terms of a text, brought to unit length, add to the logits.

    Sums of int8 weights times half-precision idf are exact in float64: the order of adding changes nothing, and trees
    that test a score go the same way on every machine, compiled or not.
    """
    found = rows.take(buckets)
    idf = found["idf"].astype(np.float64)
    logits: NDArray[np.float64] = idf @ found["weights"].astype(np.float64) * scale / (math.sqrt(idf @ idf) or 1.0)
    return logits


@dataclass(frozen=True, slots=True)
class TaskModel:
    """Linear weights for `OUTPUTS`.

    Shapes: words (BUCKETS,) and chars (CHAR_BUCKETS,) of `_ROW`, whose weights count in steps of scale (11,);
    surface (len(SURFACE_NAMES), 11) in float64, as sums are; surface_mean and surface_std (len(SURFACE_NAMES),), bias (11,).
    """

    words: NDArray[np.void]
    chars: NDArray[np.void]
    scale: NDArray[np.float32]
    surface: NDArray[np.float64]
    surface_mean: NDArray[np.float32]
    surface_std: NDArray[np.float32]
    bias: NDArray[np.float32]
    digest: str

    def __post_init__(self) -> None:
        kernel.lay_out(self, "scale", "surface_mean", "surface_std", "bias")
        kernel.lay_out(self, "surface", dtype=np.float64)

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]], digest: str = "") -> TaskModel:
        """The model that a weights file's arrays describe."""
        return cls(
            words=_rows(arrays["words"], arrays["word_idf"]),
            chars=_rows(arrays["chars"], arrays["char_idf"]),
            scale=arrays["scale"],
            surface=arrays["surface"],
            surface_mean=arrays["surface_mean"],
            surface_std=arrays["surface_std"],
            bias=arrays["bias"],
            digest=digest,
        )

    def outputs(
        self, text: PromptText, surface: NDArray[np.float32], words: NDArray[np.int64] | None = None
    ) -> NDArray[np.float32]:
        """Nine type logits, the tier logit and the complexity, float32 of shape (11,).

        `words` are the `word_buckets` of the text where the caller has them already.
        """
        words = word_buckets(text) if words is None else words
        if kernel.COMPILED:
            outputs = self.bias.copy()
            kernel.native.task_outputs(
                words,
                self.words,
                _head_and_tail(text),
                self.chars,
                self.scale,
                surface,
                self.surface_mean,
                self.surface_std,
                self.surface,
                outputs,
            )
            return outputs
        scores = self.bias + _logits(self.words, self.scale, words)
        scores += _logits(self.chars, self.scale, char_buckets(text))
        standard = surface - self.surface_mean
        standard /= self.surface_std
        np.minimum(standard, _SURFACE_CLIP, out=standard)
        np.maximum(standard, -_SURFACE_CLIP, out=standard)
        scores += standard.astype(np.float64) @ self.surface
        return scores.astype(np.float32)

    def judge(
        self, text: PromptText, surface: NDArray[np.float32], words: NDArray[np.int64] | None = None
    ) -> tuple[Task, NDArray[np.float32]]:
        """The task of one request, and its scores as float32 features of shape (11,) in the order of `TASK_NAMES`."""
        scores = _scores(self.outputs(text, surface, words))
        *probabilities, _, tier_score, complexity_score, below, above = scores.tolist()
        level = 0 if complexity_score < SIMPLE_BELOW else 1 if complexity_score < COMPLEX_FROM else 2
        task = Task(
            type=TASK_TYPES[probabilities.index(max(probabilities))],
            type_scores=dict(zip(TASK_TYPES, probabilities, strict=True)),
            complexity=COMPLEXITIES[level],
            complexity_score=complexity_score,
            complexity_scores={"simple": below, "medium": max(0.0, 1.0 - below - above), "complex": above},
            tier="strong" if tier_score > 0.5 else "fast",
            tier_score=tier_score,
        )
        return task, scores[: len(TASK_NAMES)].astype(np.float32)


def _scores(outputs: NDArray[np.float32]) -> NDArray[np.float64]:
    """Probabilities of the types, linear complexity, tier score, then complexity score and how likely it is simple and
    complex: float64 (14,)."""
    scores = np.empty(len(TASK_NAMES) + 3)
    if kernel.COMPILED:
        kernel.native.task_scores(outputs, _CONSTANTS, scores)
        return scores
    *logits, tier, complexity = outputs.tolist()
    highest = max(logits)
    weights = [math.exp(logit - highest) for logit in logits]
    total = sum(weights)
    tier_score = 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, tier))))
    linear = max(0.0, min(10.0, complexity))
    by_tier = _FAST_COMPLEXITY + (_STRONG_COMPLEXITY - _FAST_COMPLEXITY) * tier_score
    complexity_score = (1 - _TIER_SHARE) * linear + _TIER_SHARE * by_tier
    below = _normal_cdf((SIMPLE_BELOW - complexity_score) / _COMPLEXITY_SPREAD)
    above = 1.0 - _normal_cdf((COMPLEX_FROM - complexity_score) / _COMPLEXITY_SPREAD)
    scores[:] = (*[weight / total for weight in weights], linear, tier_score, complexity_score, below, above)
    return scores


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
    width = len(OUTPUTS)
    try:
        with np.load(io.BytesIO(raw), allow_pickle=False) as arrays:
            shapes = (arrays["words"].shape, arrays["chars"].shape, arrays["surface"].shape)
            if shapes != ((BUCKETS, width), (CHAR_BUCKETS, width), (len(SURFACE_NAMES), width)):
                raise ArtifactCorruptError(f"{WEIGHTS_FILE} was made for other features; run 'make task-model'")
            return TaskModel.of(arrays, hashlib.sha256(raw).hexdigest()[:16])
    except ArtifactCorruptError:
        raise
    except Exception as error:  # np.load raises many kinds for a broken archive
        raise ArtifactCorruptError(f"{WEIGHTS_FILE} cannot be read ({error}); reinstall Turnout") from error
