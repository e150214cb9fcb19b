"""From an outcome table to training arrays: features of every prompt, complete and denoised scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from joblib import Parallel, cpu_count, delayed
from numpy.typing import NDArray
from scipy import sparse
from tqdm import tqdm

from turnout.features import extract
from turnout.features.ngrams import BUCKETS
from turnout.learning.denoise import complete, denoise
from turnout.learning.outcomes import OutcomeTable, factorize
from turnout.predictor.fit import TrainingData

_CHUNK: Final = 500
_PARALLEL_FROM: Final = 8_000
"""Starting worker processes costs a second or two; smaller tables are read faster in this one."""


@dataclass(frozen=True, slots=True)
class FeatureTable:
    """Features of many prompts: dense float32 (n, n_features), ngrams CSR float32 (n, BUCKETS) of counts."""

    dense: NDArray[np.float32]
    ngrams: sparse.csr_matrix

    def take(self, rows: NDArray[np.int64]) -> FeatureTable:
        return FeatureTable(self.dense[rows], self.ngrams[rows])


def extract_all(prompts: Sequence[str], *, quiet: bool = False) -> FeatureTable:
    """Features of each prompt, with a progress bar once it takes longer than two seconds."""
    chunks = [prompts[start : start + _CHUNK] for start in range(0, len(prompts), _CHUNK)]
    bar = tqdm(total=len(prompts), desc="features", unit="prompt", delay=2, disable=quiet)
    jobs = cpu_count() if len(prompts) >= _PARALLEL_FROM else 1
    parts = []
    with bar:
        for part in Parallel(n_jobs=jobs, return_as="generator")(delayed(_extract_chunk)(chunk) for chunk in chunks):
            parts.append(part)
            bar.update(len(part[0]))
    dense = np.concatenate([part[0] for part in parts])
    indptr = np.concatenate([[0], np.cumsum(np.concatenate([part[1] for part in parts]), dtype=np.int64)])
    buckets = np.concatenate([part[2] for part in parts])
    counts = np.concatenate([part[3] for part in parts])
    return FeatureTable(dense, sparse.csr_matrix((counts, buckets, indptr), shape=(len(prompts), BUCKETS)))


def _extract_chunk(
    prompts: Sequence[str],
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    found = [extract(prompt) for prompt in prompts]
    return (
        np.stack([features.vector for features in found]),
        np.array([len(features.buckets) for features in found]),
        np.concatenate([features.buckets for features in found]).astype(np.int32),
        np.concatenate([features.counts for features in found]).astype(np.float32),
    )


def training_data(
    table: OutcomeTable, candidates: Sequence[str], features: FeatureTable, *, use_other_models: bool = True
) -> TrainingData:
    """Arrays for `predictor.fit`: missing scores filled, noise taken out with what other models in the table did.

    `features` are those of `table.prompts`, in order.
    """
    groups = factorize(table.prompts["group"])
    told = table.scores[list(candidates)].to_numpy(np.float32)
    scores = complete(told, features.dense)
    if use_other_models:
        others = table.scores.drop(columns=list(candidates)).to_numpy(np.float32)
        scores = denoise(scores, others, groups)
    seconds, cost_usd, answer_tokens = (
        frame[list(candidates)].to_numpy(np.float32) if frame[list(candidates)].notna().any(axis=None) else None
        for frame in (table.seconds, table.cost_usd, table.answer_tokens)
    )
    if answer_tokens is not None:
        # Nobody counted, or nothing was said.
        answer_tokens = np.where(answer_tokens > 0, answer_tokens, np.float32(np.nan))
    known = np.where(np.isnan(told), np.float32(np.nan), scores) if np.isnan(told).any() else None
    return TrainingData(
        tuple(candidates),
        features.dense,
        features.ngrams,
        scores,
        groups,
        seconds,
        cost_usd,
        known=known,
        answer_tokens=answer_tokens,
    )
