"""How much of an output comes from n-grams and how much from trees."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from turnout.predictor.blend import Blend

Matrix = NDArray[np.float32]


def fit_blend(
    ngram_out: Matrix, tree_out: Matrix, targets: Matrix, weights: NDArray[np.float32] | None = None
) -> Blend:
    """Equal weight to both parts after bringing each to unit spread; one slope and offset calibrate the sum.

    Fitting the two weights freely was no better on large tables and worse on small ones.

    Args:
        ngram_out, tree_out, targets: (n, n_outputs), the parts out of fold.
        weights: what each row counts for slope and offset; None where all count the same.
    """
    n_outputs = targets.shape[1]
    counts = np.ones(len(targets)) if weights is None else weights.astype(np.float64)
    counts = counts / counts.sum()
    offset, ngram_gain, tree_gain = (np.zeros(n_outputs, np.float32) for _ in range(3))
    for output in range(n_outputs):
        ngram, tree, target = (matrix[:, output].astype(np.float64) for matrix in (ngram_out, tree_out, targets))
        inverse = [1.0 / part.std() if part.std() > 1e-9 else 0.0 for part in (ngram, tree)]
        total = ngram * inverse[0] + tree * inverse[1]
        centred, mean = total - counts @ total, float(counts @ target)
        spread = float(counts @ centred**2)
        slope = max(0.0, float(counts @ (centred * (target - mean))) / spread) if spread > 0 else 0.0
        ngram_gain[output], tree_gain[output] = slope * inverse[0], slope * inverse[1]
        offset[output] = mean - slope * float(counts @ total)
    return Blend(offset, ngram_gain, tree_gain)


PRIOR_MEAN: Final = np.array([0.0, 0.05, 1.0])
PRIOR_SPREAD: Final = np.array([0.05, 0.015, 0.3])
"""Mean and standard deviation of what is believed of offset, own parts and prior before any outcome. The own parts have unit
spread; on the development pools they were worth between .03 and .15. They are never worth nothing, and a few hundred
outcomes measure their worth badly, so that a firm small belief beats a free estimate (docs/decisions.md)."""

_BELIEF_ROWS: Final = 10
"""With so many rows half of that is believed of the own parts: parts of a handful of rows are nothing but chance."""

_LEAST_SPREAD, _LEAST_SUM = 0.02, 0.5
"""Own parts that vary less are not blown up to unit spread, nor is the sum of two that cancel out."""


def fit_blend_over(
    ngram_out: Matrix, tree_out: Matrix, prior_out: Matrix, targets: Matrix, weights: NDArray[np.float32] | None = None
) -> tuple[Blend, NDArray[np.float32]]:
    """The same over a prior: Bayesian linear regression on own parts and prior, which with few rows stays with the prior.

    Args:
        prior_out: (n, n_outputs), what the prior says of each output.

    Returns:
        The blend, and the gain of the prior in each output: float32 (n_outputs,).
    """
    n_outputs = targets.shape[1]
    counts = np.ones(len(targets)) if weights is None else weights.astype(np.float64)
    believed = PRIOR_MEAN * np.array([1.0, len(targets) / (len(targets) + _BELIEF_ROWS), 1.0])
    offset, ngram_gain, tree_gain, prior_gain = (np.zeros(n_outputs, np.float32) for _ in range(4))
    for output in range(n_outputs):
        ngram, tree, prior, target = (
            matrix[:, output].astype(np.float64) for matrix in (ngram_out, tree_out, prior_out, targets)
        )
        inverse = [1.0 / max(part.std(), _LEAST_SPREAD) if part.std() > 1e-9 else 0.0 for part in (ngram, tree)]
        own = ngram * inverse[0] + tree * inverse[1]
        unit = 1.0 / max(own.std(), _LEAST_SUM) if own.std() > 1e-9 else 0.0
        own, middle = (own - own.mean()) * unit, own.mean() * unit
        columns = np.stack([np.ones(len(own)), own, prior], axis=1)
        error = target - columns @ believed
        noise = max(float(counts @ error**2 / counts.sum()), 1e-4)
        precision = (columns.T * counts) @ columns / noise + np.diag(PRIOR_SPREAD**-2.0)
        found = believed + np.linalg.solve(precision, (columns.T * counts) @ error / noise)
        gain = max(0.0, float(found[1])) * unit
        ngram_gain[output], tree_gain[output] = gain * inverse[0], gain * inverse[1]
        prior_gain[output] = max(0.0, float(found[2]))
        offset[output] = found[0] - max(0.0, float(found[1])) * middle
    return Blend(offset, ngram_gain, tree_gain), prior_gain
