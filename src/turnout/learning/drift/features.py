"""Do requests still look like those the predictor learned from? One permutation test for each block of requests.

The statistic is the largest standardised difference of means over all features; what it comes to by chance is learned by
drawing blocks out of both samples thrown together, which keeps the features' correlations and tails (max-T: Westfall and
Young, "Resampling-based multiple testing", 1993), so that each feature found beyond the threshold has moved. Only dense
features are looked at, not word n-grams.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

BLOCK: Final = 250
"""Distinct requests in a block: a feature that moves by half a standard deviation is found in the first one."""

REFERENCE: Final = 1_000
"""Reference requests that a block is held against, drawn from all there are; more cost time and bring little."""

FUDGE: Final = 0.05
"""Share of a feature's range added to its deviation (Tusher, Tibshirani and Chu 2001): what is rare does not set the
threshold for everything else."""

SCREEN: Final = 4.0
"""Statistics below this are no alarm at any alpha in use, so that nothing needs to be drawn for them."""

VARIES: Final = 1e-9
"""Deviations up to this are rounding: the feature is constant."""

DRAWS_AT_ONCE: Final = 200
DRAWS_OVER_ALPHA: Final = 2
"""The smallest possible p-value is about 1 / draws; twice 1 / alpha draws leave room for one chance hit."""


@dataclass(frozen=True, slots=True)
class Moved:
    """Columns of the features that moved, farthest first, with means in the reference and in the block."""

    columns: NDArray[np.int64]
    before: Array
    after: Array


@dataclass(frozen=True, slots=True)
class Known:
    """The reference: values (n, n_features) less their means, and what each look needs of them, (n_features,) each."""

    values: Array
    means: Array
    squares: Array
    low: Array
    high: Array

    @classmethod
    def of(cls, reference: Array) -> Known:
        """Cells that are not finite count as the mean of the feature."""
        reference = _filled(reference, np.zeros(reference.shape[1]))
        means = reference.mean(0)
        values = reference - means
        return cls(values, means, (values**2).sum(0), values.min(0), values.max(0))


def moved_features(known: Known, block: Array, *, alpha: float, rng: np.random.Generator) -> Moved | None:
    """Test one block.

    Args:
        block: (n_requests, n_features); cells that are not finite count as the feature's mean.
        alpha: chance of a false alarm of this look.
    """
    block = _filled(block, known.means) - known.means
    size, n = len(block), len(known.values) + len(block)
    mean = block.sum(0) / n
    spread = np.sqrt(np.maximum((known.squares + (block**2).sum(0)) / n - mean**2, 0))
    scale = spread + FUDGE * (np.maximum(known.high, block.max(0)) - np.minimum(known.low, block.min(0)))
    varied = np.flatnonzero(scale > VARIES)
    # Of sums over `size` of `n` values with mean zero and deviation one, drawn without replacement.
    unit = np.sqrt(size * (n - size) / n)
    observed = np.abs(block.sum(0) - size * mean)[varied] / (scale[varied] * unit)
    if not len(varied) or observed.max() < SCREEN:
        return None
    pooled = (np.concatenate((known.values, block)) - mean)[:, varied] / (scale[varied] * unit)
    threshold = _threshold(pooled, size, float(observed.max()), alpha, rng)
    if threshold is None:
        return None
    beyond = np.flatnonzero(observed > threshold)
    columns = varied[beyond[np.argsort(-observed[beyond])]]
    return Moved(columns, known.means[columns], (known.means + block.mean(0))[columns])


def _threshold(pooled: Array, size: int, most: float, alpha: float, rng: np.random.Generator) -> float | None:
    """The statistic that chance exceeds with probability `alpha`; None where it exceeds the observed one more often.

    p is (1 + hits) / (1 + draws), so that it is never too small (Phipson and Smyth 2010); drawing ends as soon as it
    cannot come down to alpha any more (Besag and Clifford 1991).
    """
    draws = int(np.ceil(DRAWS_OVER_ALPHA / alpha))
    allowed = int(alpha * (draws + 1)) - 1
    largest: list[Array] = []
    hits = 0
    single = pooled.astype(np.float32)
    for done in range(0, draws, DRAWS_AT_ONCE):
        count = min(DRAWS_AT_ONCE, draws - done)
        chosen = np.argpartition(rng.random((count, len(pooled)), dtype=np.float32), size, axis=1)[:, :size]
        taken = np.zeros((count, len(pooled)), np.float32)
        np.put_along_axis(taken, chosen, np.float32(1), axis=1)
        found = np.abs(taken @ single).max(1).astype(np.float64)
        hits += int((found >= most).sum())
        if hits > allowed:
            return None
        largest.append(found)
    return float(np.sort(np.concatenate(largest))[-1 - allowed])


def _filled(values: Array, means: Array) -> Array:
    """Cells that are not finite replaced by the mean of their column's finite ones, by `means` where there are none."""
    known = np.isfinite(values)
    if known.all():
        return values
    count = known.sum(0)
    own = np.where(known, values, 0).sum(0) / np.maximum(count, 1)
    return np.where(known, values, np.where(count > 0, own, means))
