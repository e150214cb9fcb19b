"""Fitting the task model that `features/task.py` serves: logistic regression on the developer prompts."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.linear_model import LogisticRegression, Ridge

from turnout.features.ngrams import BUCKETS
from turnout.features.surface import SURFACE_NAMES, surface_vector
from turnout.features.task import CHAR_BUCKETS, OUTPUTS, char_buckets, word_buckets
from turnout.features.text import PromptText, read_prompt
from turnout.files import write_aside
from turnout.learning.simulation import DeveloperPrompt
from turnout.types import TASK_TYPES, Request

SURFACE_WEIGHT = 0.04
"""Standardised surface features enter at this scale, so that 151 dense columns do not drown the n-grams. Chosen by
leaving one writer's prompts out in turn: 0 and .08 lose half a point of tier accuracy and two points of type."""

INVERSE_PENALTY = 12.0
RIDGE_PENALTY = 0.5


def _bag(buckets: Sequence[NDArray[np.int64]], width: int) -> tuple[sparse.csr_matrix, NDArray[np.float16]]:
    """Rows of unit length weighted by inverse document frequency, (len(buckets), width), and that idf (width,)."""
    indptr = np.concatenate(([0], np.cumsum([len(row) for row in buckets])))
    columns = np.concatenate(buckets)
    documents = np.bincount(columns, minlength=width)
    idf = np.where(documents > 0, np.log((1 + len(buckets)) / (1 + documents)) + 1, 0).astype(np.float16)
    rows = np.repeat(np.arange(len(buckets)), np.diff(indptr))
    values = idf[columns].astype(np.float64)
    length = np.sqrt(np.bincount(rows, values**2, minlength=len(buckets)))
    return sparse.csr_matrix((values / length[rows], columns, indptr), shape=(len(buckets), width)), idf


def _inputs(prompts: Sequence[str]) -> tuple[list[PromptText], NDArray[np.float32]]:
    texts = [read_prompt(prompt) for prompt in prompts]
    surface = np.stack([surface_vector(text, Request.of(prompt)) for text, prompt in zip(texts, prompts, strict=True)])
    return texts, surface


def fit_task_weights(rows: Sequence[DeveloperPrompt], seed: int = 0) -> dict[str, NDArray[np.generic]]:
    """Fit all outputs on the given prompts; returns the arrays of a weights file.

    Word and character weights are rounded to 255 levels for each output, which moves no probability by more than a
    few thousandths.
    """
    texts, surface = _inputs([row.prompt for row in rows])
    mean, std = surface.mean(0), np.maximum(surface.std(0), 1e-3)
    dense = np.clip((surface - mean) / std, -4, 4) * SURFACE_WEIGHT
    words, word_idf = _bag([word_buckets(text) for text in texts], BUCKETS)
    chars, char_idf = _bag([char_buckets(text) for text in texts], CHAR_BUCKETS)
    X = sparse.hstack([words, chars, sparse.csr_matrix(dense)]).tocsr()
    types = np.array([TASK_TYPES.index(row.task_type) for row in rows])
    strong = np.array([row.tier == "strong" for row in rows])
    by_type = LogisticRegression(C=INVERSE_PENALTY, max_iter=400, tol=1e-3, random_state=seed).fit(X, types)
    by_tier = LogisticRegression(C=INVERSE_PENALTY, max_iter=400, tol=1e-3, random_state=seed).fit(X, strong)
    complexity = Ridge(alpha=RIDGE_PENALTY, solver="lsqr").fit(X, [row.complexity for row in rows])
    weights = np.vstack([by_type.coef_, by_tier.coef_, complexity.coef_[None]]).T
    bias = np.concatenate([by_type.intercept_, by_tier.intercept_, [complexity.intercept_]])
    grams = BUCKETS + CHAR_BUCKETS
    scale = np.abs(weights[:grams]).max(0) / 127.0
    rounded = np.rint(weights[:grams] / scale).astype(np.int8)
    return {
        "words": rounded[:BUCKETS],
        "chars": rounded[BUCKETS:],
        "word_idf": word_idf,
        "char_idf": char_idf,
        "scale": scale.astype(np.float32),
        "surface": (weights[grams:] * SURFACE_WEIGHT).astype(np.float32),
        "surface_mean": mean.astype(np.float32),
        "surface_std": std.astype(np.float32),
        "bias": bias.astype(np.float32),
    }


def save_task_weights(arrays: dict[str, NDArray[np.generic]], path: Path) -> None:
    """Write the weights file whole or not at all."""
    assert arrays["bias"].shape == (len(OUTPUTS),) and arrays["surface"].shape == (len(SURFACE_NAMES), len(OUTPUTS))
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    write_aside(path, buffer.getvalue())
