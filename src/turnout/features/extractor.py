"""One extractor, one schema: request in, features out. Never reads an answer, never does I/O after the first call."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from turnout.features.lexicon import CODE_LANGUAGES, KEYWORD_GROUPS
from turnout.features.ngrams import BUCKETS, MAX_WORDS, hash_words, ngram_buckets
from turnout.features.surface import SURFACE_NAMES, surface_vector
from turnout.features.task import TASK_NAMES, load_task_model
from turnout.features.text import HEAD_CHARS, INSTRUCTION_CHARS, TAIL_CHARS, read_prompt
from turnout.features.words import WORD
from turnout.types import Request, RequestLike, Task

FEATURE_NAMES: Final[tuple[str, ...]] = (*SURFACE_NAMES, *TASK_NAMES)

REVISION: Final = 1
"""Raise it when a feature changes its meaning without changing its name."""


@dataclass(frozen=True, slots=True)
class Features:
    """What the predictor sees of one request.

    vector : float32 array of shape (len(FEATURE_NAMES),), finite.
    buckets, counts : int64 arrays of equal length, the distinct hashed word n-grams and how often each occurs.
    """

    vector: NDArray[np.float32]
    buckets: NDArray[np.int64]
    counts: NDArray[np.int64]
    task: Task


def extract(request: RequestLike) -> Features:
    """Features of one request.

    Raises:
        RequestError: the request is of the wrong type or holds no message.
    """
    request = Request.of(request)
    text = read_prompt(request.prompt)
    surface = surface_vector(text, request)
    buckets, counts = ngram_buckets(hash_words(text.words))
    asked = buckets if text.instruction_words is text.words else None
    task, scores = load_task_model().judge(text, surface, asked)
    return Features(np.concatenate((surface, scores)), buckets, counts, task)


@cache
def schema_hash() -> str:
    """A digest of everything that gives a feature its meaning; an artifact made under another one is refused."""
    parts = (
        REVISION,
        FEATURE_NAMES,
        (HEAD_CHARS, TAIL_CHARS, INSTRUCTION_CHARS, MAX_WORDS, BUCKETS),
        WORD.pattern,
        sorted(KEYWORD_GROUPS.items()),
        sorted(CODE_LANGUAGES.items()),
        load_task_model().digest,
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
