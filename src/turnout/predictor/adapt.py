"""From prior to own data: candidates' lines moved by their own outcomes, as far as these outweigh what was known before.

Bayesian logistic regression with Laplace's approximation (Bishop 2006, section 4.5) on the design rows of the prompts. What
all candidates share (`doubt` of the base predictor) is moved by every outcome, so a candidate without any learns from the
others. Scores between 0 and 1 count as shares of a success.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from turnout.predictor.base import Lines

_MOST_STEPS: Final = 30
_SETTLED: Final = 1e-6
_LONGEST_STEP: Final = 2.0


def adapt(
    lines: Lines,
    rows: NDArray[np.float64],
    scores: NDArray[np.float64],
    weights: NDArray[np.float64] | None = None,
) -> Lines:
    """The lines after these outcomes.

    Args:
        rows: design rows (n, WIDTH) of the prompts.
        scores: (n, n_candidates) in [0, 1], NaN where unknown.
        weights: (n,), what each row counts; None where all count the same.
    """
    n_candidates, width = lines.mean.shape
    size = n_candidates * width
    before = lines.covariance.reshape(size, size)
    counts = ~np.isnan(scores) * (np.ones(len(rows)) if weights is None else weights)[:, None]
    known = np.nan_to_num(scores)
    # The posterior's mean is prior mean + before @ pull, which needs no inverse of a covariance without room in it.
    pull = np.zeros(size)
    for _ in range(_MOST_STEPS):
        mean = lines.mean + (before @ pull).reshape(n_candidates, width)
        p = 1.0 / (1.0 + np.exp(-rows @ mean.T))
        gradient = ((counts * (known - p)).T @ rows).ravel()
        information = _information(rows, counts * p * (1 - p))
        step = np.linalg.solve(np.eye(size) + information @ before, gradient - pull)
        step *= min(1.0, _LONGEST_STEP / max(float(np.abs(before @ step).max()), 1e-12))
        pull += step
        if np.abs(before @ step).max() < _SETTLED:
            break
    mean = lines.mean + (before @ pull).reshape(n_candidates, width)
    p = 1.0 / (1.0 + np.exp(-rows @ mean.T))
    after = np.linalg.solve(np.eye(size) + before @ _information(rows, counts * p * (1 - p)), before)
    return Lines(mean, ((after + after.T) / 2).reshape(n_candidates, width, n_candidates, width))


def _information(rows: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of the log-likelihood, block-diagonal by candidate: (n_candidates * width, the same)."""
    n_candidates, width = weight.shape[1], rows.shape[1]
    blocks = np.zeros((n_candidates, width, n_candidates, width))
    for candidate in range(n_candidates):
        blocks[candidate, :, candidate] = rows.T @ (rows * weight[:, candidate, None])
    return blocks.reshape(n_candidates * width, n_candidates * width)
