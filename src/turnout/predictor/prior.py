"""What a predictor of some candidates may start from: what a prompt's text tells, and a line over that for each candidate.

The text gives a prompt's traits: its level (how often a language model of middling ability passes) and, for each domain,
its slope (how much that changes with ability). A candidate is a line over these traits, in log-odds:

    logit p = logit(level) + sum over domains of slope_d * ability_d

which is the two-parameter logistic model of item response theory (Birnbaum 1968) with the item's parameters read from its
text. Lines come as a normal distribution: a candidate that little is known of gets a wide interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from turnout.features import Features
from turnout.predictor.blend import Blend, blend_outputs
from turnout.predictor.calibration import CEILING, FLOOR
from turnout.predictor.linear import NgramModel
from turnout.predictor.trees import Forest

Matrix = NDArray[np.float64]

DOMAINS: Final = ("code", "tools", "knowledge")
"""What abilities are told apart by. Prompts of no domain get a mixture of slopes."""

TRAITS: Final = ("level", *(f"slope_{domain}" for domain in DOMAINS))
WIDTH: Final = 1 + len(TRAITS)
"""Of a design row: a constant, the log-odds of the level, the slopes."""

_LEAST_LEVEL: Final = 0.02
"""Levels are kept this far from 0 and 1: beyond it the regression on text says no more."""

_PROBIT: Final = np.pi / 8
Z_90: Final = 1.645
"""Standard normal deviate of a two-sided interval of 90 %."""


MIDDLE_ROW: Final = np.array([1.0, 0.0, *(1 / len(DOMAINS) for _ in DOMAINS)])
"""The design row of a prompt of middling difficulty and of no domain more than another."""


def design(traits: NDArray[np.floating[Any]]) -> Matrix:
    """Design rows (..., WIDTH) of traits (..., len(TRAITS)): what a line is multiplied with."""
    level = np.clip(traits[..., :1].astype(np.float64), _LEAST_LEVEL, 1 - _LEAST_LEVEL)
    return np.concatenate([np.ones_like(level), np.log(level / (1 - level)), traits[..., 1:]], axis=-1)


def chances(log_odds: Matrix, variance: Matrix | float = 0.0) -> Matrix:
    """Expected probability of normally distributed log-odds (MacKay 1992, "The evidence framework", equation 10)."""
    return np.asarray(1.0 / (1.0 + np.exp(-log_odds / np.sqrt(1.0 + _PROBIT * variance))))


@dataclass(frozen=True, slots=True)
class Traits:
    """What a prompt's text tells: n-grams and trees, blended into `TRAITS`.

    novelty_limit : the novelty that 1 % of held-out training prompts exceed.
    """

    ngrams: NgramModel
    forest: Forest
    blend: Blend
    novelty_limit: float

    def of(self, features: Features) -> tuple[Matrix, float]:
        """The design row of one prompt, float64 (WIDTH,), and the share of its n-grams never seen."""
        linear, novelty = self.ngrams.predict_one(features.buckets, features.counts)
        trees = self.forest.predict_one(features.vector)
        return design(blend_outputs(self.blend, linear, trees)), novelty


class Expected(NamedTuple):
    """For one request, in the order of the candidates: probabilities and the ends of their 90 % intervals."""

    p_success: Matrix
    low: Matrix
    high: Matrix
    novelty: float


@dataclass(frozen=True, slots=True)
class Prior:
    """What a predictor of some candidates starts from: what reads the text, and the candidates' lines.

    mean : float64 (n_candidates, WIDTH). covariance : float64 (n_candidates, WIDTH, WIDTH), of each line alone.
    to_scores : float32 (n_candidates, n_candidates), what its probabilities add to the scores of a predictor.
    """

    traits: Traits
    mean: Matrix
    covariance: Matrix
    to_scores: NDArray[np.float32]

    def p_success(self, rows: Matrix) -> Matrix:
        """Probabilities (..., n_candidates) for design rows (..., WIDTH)."""
        return chances(*self._log_odds(rows))

    def scores(self, rows: Matrix) -> NDArray[np.float32]:
        """What it adds to the scores of a predictor: float32 (..., n_candidates)."""
        return np.asarray(self.p_success(rows).astype(np.float32) @ self.to_scores)

    def expect(self, features: Features) -> Expected:
        """Probabilities of one prompt with their intervals."""
        row, novelty = self.traits.of(features)
        p_success = np.clip(self.p_success(row), FLOOR, CEILING)
        low, high = self.interval(row)
        # A mean of a very wide distribution may lie beyond its quantiles.
        return Expected(p_success, np.minimum(low, p_success), np.maximum(high, p_success), novelty)

    def interval(self, rows: Matrix) -> tuple[Matrix, Matrix]:
        """The ends of the 90 % intervals of the probabilities, (..., n_candidates) each."""
        middle, variance = self._log_odds(rows)
        half = Z_90 * np.sqrt(variance)
        low, high = (np.clip(chances(middle + sign * half), FLOOR, CEILING) for sign in (-1, 1))
        return low, high

    def _log_odds(self, rows: Matrix) -> tuple[Matrix, Matrix]:
        spread = np.einsum("...k,jkl,...l->...j", rows, self.covariance, rows)
        return rows @ self.mean.T, np.maximum(spread, 0.0)
