"""Streams for `drift.py`: scores and predictions, seconds in bursts, whole logs of five candidates, with and without change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.signal import lfilter

from turnout.features.ngrams import BUCKETS
from turnout.learning.dataset import FeatureTable
from turnout.learning.drift.streams import Scored
from turnout.learning.logged import LoggedDecisions

Array = NDArray[np.float64]

REFERENCE = 1_000
"""Scored requests of each candidate from which its baseline is learned."""

LENGTH = 5_000
"""Scored requests of each candidate that are watched."""

MOST_BIAS = 0.05
"""Predictions are off by a constant of up to so much, another one for each candidate."""

SPREAD = 0.15
"""Standard deviation of the predictions of one candidate."""

CANDIDATES = tuple(f"local/candidate-{number}" for number in range(5))
BASES = (0.45, 0.55, 0.65, 0.75, 0.85)
"""Mean predicted chance of each candidate of a whole log."""


@dataclass(frozen=True)
class Drop:
    """How far a candidate's chance falls (below zero: rises), from which watched request on."""

    at: int
    points: float


def success_stream(
    rng: np.random.Generator, base: float, *, graded: bool, length: int = LENGTH, drop: Drop | None = None
) -> tuple[Scored, Scored]:
    """A reference window and the stream after it; a drop is at a position of the latter."""
    n = REFERENCE + length
    predicted = np.clip(base + SPREAD * rng.standard_normal(n), 0.02, 0.98)
    chance = predicted + rng.uniform(-MOST_BIAS, MOST_BIAS)
    if drop:
        chance[REFERENCE + drop.at :] -= drop.points
    whole = Scored(np.arange(n), np.zeros(n, np.int64), scores_of(rng, chance, graded=graded), predicted)
    return part(whole, slice(0, REFERENCE)), part(whole, slice(REFERENCE, None))


def part(stream: Scored, rows: slice) -> Scored:
    return Scored(stream.rows[rows], stream.columns[rows], stream.scores[rows], stream.predicted[rows])


def scores_of(rng: np.random.Generator, chance: Array, *, graded: bool) -> Array:
    """Passes and failures, or grades from a beta distribution with the chance as its mean and three quarters of the spread."""
    chance = np.clip(chance, 0.005, 0.995)
    if not graded:
        return (rng.random(chance.shape) < chance).astype(np.float64)
    return rng.beta(chance * 0.8, (1 - chance) * 0.8)


def ratios(rng: np.random.Generator, n: int, *, tail: float, memory: float) -> Array:
    """Measured over expected seconds: log-normal with standard deviation `tail`, half of it bursts that fade by `memory`."""
    shocks = rng.standard_normal(n) * np.sqrt(1 - memory**2)
    burst = lfilter([1.0], [1.0, -memory], shocks, zi=[memory * rng.standard_normal()])[0]
    return np.exp(tail * (burst + rng.standard_normal(n)) / np.sqrt(2))


def whole_log(
    rng: np.random.Generator,
    dense: NDArray[np.float32],
    *,
    length: int = LENGTH * len(CANDIDATES),
    drop: Drop | None = None,
) -> tuple[LoggedDecisions, LoggedDecisions]:
    """A reference and the log after it: prompts drawn from real ones, five candidates chosen mostly by highest chance.

    A drop is of candidate 0, at a row of the log. Which candidate is chosen depends on the predictions, so each sees only
    what it is good at; half of the choices are explored so that all are seen.
    """
    k, n = len(CANDIDATES), length + REFERENCE * len(CANDIDATES)
    before = n - length
    predicted = np.clip(np.array(BASES) + SPREAD * rng.standard_normal((n, k)), 0.02, 0.98)
    best = (predicted - np.array(BASES)).argmax(1)
    explored = rng.random(n) < 0.5
    chosen = np.where(explored, rng.integers(0, k, n), best)
    chance = predicted + rng.uniform(-MOST_BIAS, MOST_BIAS, k)
    if drop:
        chance[before + drop.at :, 0] -= drop.points
    graded = rng.random() < 0.5
    at = np.arange(n)
    scores = np.full((n, k), np.nan, np.float32)
    scores[at, chosen] = scores_of(rng, chance[at, chosen], graded=graded)
    expected = np.exp(rng.standard_normal((n, k))).astype(np.float32)
    seconds = np.full((n, k), np.nan, np.float32)
    seconds[at, chosen] = expected[at, chosen] * ratios(rng, n, tail=0.8, memory=0.9)
    prompts = rng.integers(0, len(dense), n)
    log = LoggedDecisions(
        candidates=CANDIDATES,
        ids=np.array([f"{row:06d}" for row in at], dtype=object),
        created_at=1_700_000_000.0 + 30.0 * at,
        features=FeatureTable(dense[prompts], sparse.csr_matrix((n, BUCKETS), dtype=np.float32)),
        groups=at.astype(np.int64),
        chosen=chosen.astype(np.int64),
        propensity=np.where(chosen == best, 0.5 + 0.5 / k, 0.5 / k),
        pinned=np.zeros(n, bool),
        eligible=np.ones((n, k), bool),
        scores=scores,
        weights=np.isfinite(scores).astype(np.float32),
        predicted=predicted.astype(np.float32),
        expected_s=expected,
        seconds=seconds,
        answer_tokens=np.full((n, k), np.nan, np.float32),
        preference=np.full(n, "balanced", dtype=object),
        predictor=np.full(n, "champion", dtype=object),
    )
    return log.take(at[:before]), log.take(at[before:])
