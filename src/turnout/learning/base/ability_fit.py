"""Fitting the abilities: one entry for each language model and block, the covariance by its marginal likelihood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from turnout.learning.base.tables import Block
from turnout.predictor.ability import Abilities, Covariance, Names, Points, covariance

Matrix = NDArray[np.float64]

_TUNED: Final = ("smooth", "size_length", "kind_length", "linear", "family", "line", "own", "noise")
"""Not the length in dates: recent language models of the tables are large ones that reason, and a length of a year, which they make
likeliest, put a new one of .6 billion parameters above an older one of 70."""

_MOST_STEPS: Final = 40
_SPREAD: Final = 1.0
"""Standard deviation, in logarithms, of the prior that keeps each hyperparameter near its default."""


def entries(blocks: Sequence[Block]) -> tuple[Matrix, NDArray[np.int64], NDArray[np.int64]]:
    """Log-odds of the mean score of each language model in each block, with its domain and its block.

    Where a language model did not answer all prompts of a block, its mean is moved by how hard the others found those
    that it answered.
    """
    values, domains, numbers = [], [], []
    for number, block in enumerate(blocks):
        hardness = np.nanmean(block.scores, axis=1)
        known = ~np.isnan(block.scores)
        count = known.sum(0)
        expected = (known * hardness[:, None]).sum(0) / count
        mean = np.nanmean(block.scores, axis=0) - expected + hardness.mean()
        mean = np.clip(mean, 0.5 / count, 1 - 0.5 / count)
        values.append(np.log(mean / (1 - mean)))
        domains.append(np.full(len(mean), block.domain))
        numbers.append(np.full(len(mean), number))
    return np.concatenate(values), np.concatenate(domains), np.concatenate(numbers)


def fit_abilities(blocks: Sequence[Block], start: Covariance | None = None, *, tune: bool = True) -> Abilities:
    """The process over all entries of the blocks.

    Args:
        start: hyperparameters to begin with.
        tune: whether to move them to where the entries are most likely (under a prior around the defaults).
    """
    names = Names()
    points = names.points([descriptor for block in blocks for descriptor in block.descriptors], learn=True)
    values, domains, tables = entries(blocks)
    parts = start or Covariance()
    mean = float(values.mean())
    if tune:
        defaults = np.log([getattr(Covariance(), name) for name in _TUNED])

        def cost(logs: Matrix) -> float:
            tried = _with(parts, logs)
            prior = float((((logs - defaults) / _SPREAD) ** 2).sum()) / 2
            return prior - _log_likelihood(values - mean, points, domains, tables, tried)

        begin = np.log([getattr(parts, name) for name in _TUNED])
        best = minimize(
            cost, begin, method="L-BFGS-B", bounds=[(-5.0, 3.0)] * len(begin), options={"maxiter": _MOST_STEPS}
        )
        parts = _with(parts, best.x)
    inverse: Matrix = np.linalg.inv(_training(points, domains, tables, parts)).astype(np.float64)
    return Abilities(names, points, domains, inverse @ (values - mean), inverse, mean, parts)


def _with(parts: Covariance, logs: Matrix) -> Covariance:
    return replace(parts, **dict(zip(_TUNED, np.exp(logs).tolist(), strict=True)))


def _training(points: Points, domains: NDArray[np.int64], tables: NDArray[np.int64], parts: Covariance) -> Matrix:
    """The covariance of the entries, tables' difficulty and noise included."""
    shared, single = covariance(points, points, parts)
    total = shared + single * (domains[:, None] == domains[None])
    own_table = parts.table * (tables[:, None] == tables[None])
    return np.asarray(total + own_table + parts.noise * np.eye(len(domains)))


def _log_likelihood(
    values: Matrix, points: Points, domains: NDArray[np.int64], tables: NDArray[np.int64], parts: Covariance
) -> float:
    """Of the entries, without its constant (Rasmussen and Williams 2006, equation 2.30)."""
    try:
        factor = cho_factor(_training(points, domains, tables, parts), lower=True)
    except np.linalg.LinAlgError:
        return -1e9
    return float(-0.5 * values @ cho_solve(factor, values) - np.log(np.diag(factor[0])).sum())
