"""The base predictor: lines for candidates nobody has logged, from their descriptors (see `prior` for what a line is).

A candidate's abilities are those that language models of its kind showed; the further away these are, the wider its interval.
Its own outcomes move it from there (`turnout.predictor.adapt`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from turnout.descriptors import Descriptor
from turnout.predictor.ability import Abilities
from turnout.predictor.prior import WIDTH, Prior, Traits, chances

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Lines:
    """Candidates as lines over design rows: a joint normal distribution.

    mean : float64 (n_candidates, WIDTH). covariance : float64 (n_candidates, WIDTH, n_candidates, WIDTH).
    """

    mean: Matrix
    covariance: Matrix

    def p_success(self, rows: Matrix) -> Matrix:
        """Expected probabilities (..., n_candidates) for design rows (..., WIDTH)."""
        own = np.einsum("jkjl->jkl", self.covariance)
        return chances(rows @ self.mean.T, np.maximum(np.einsum("...k,jkl,...l->...j", rows, own, rows), 0.0))

    def serve(self, traits: Traits) -> Prior:
        """The lines as they are served beside what reads the text."""
        own = np.einsum("jkjl->jkl", self.covariance)
        return Prior(traits, self.mean, own, np.eye(len(self.mean), dtype=np.float32))


@dataclass(frozen=True, slots=True)
class BasePredictor:
    """One predictor for all candidates.

    doubt : float64 (WIDTH,), standard deviations of what all lines share on prompts of another kind than training had.
    seen : uint64, sorted, digests of the training prompts, so that nothing is judged on what it was trained on.
    """

    traits: Traits
    abilities: Abilities
    doubt: Matrix
    seen: NDArray[np.uint64]
    info: Mapping[str, Any]

    def lines(self, descriptors: Sequence[Descriptor]) -> Lines:
        """The candidates' lines before any of their outcomes is known."""
        ability, spread = self.abilities.of(descriptors)
        n = len(descriptors)
        mean = np.zeros((n, WIDTH))
        mean[:, 1] = 1.0
        mean[:, 2:] = ability
        covariance = np.zeros((n, WIDTH, n, WIDTH))
        covariance += np.diag(self.doubt**2)[None, :, None, :]
        each = np.arange(n)
        covariance[each[:, None, None], np.arange(2, WIDTH)[:, None], each[:, None, None], np.arange(2, WIDTH)] += (
            spread
        )
        return Lines(mean, covariance)
