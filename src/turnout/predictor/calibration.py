"""From scores to probabilities: a shift that keeps differences, or a fitted monotone curve where that pays.

On most tables the blended scores are calibrated as they are, and the differences between candidates, which routing
lives on, are best left alone. Where prompts fall into two camps (nearly always passed, nearly always failed) a straight line
cannot be calibrated, and each candidate gets a curve. Which of the two serves is decided when fitting, on held-out
Brier scores.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from turnout import kernel

FLOOR: Final = 0.002
CEILING: Final = 0.998
"""No prompt is certain to pass or fail; beyond this the tables cannot tell."""

STRAIGHT_SHARE: Final = 0.2
"""Share of the straight line in a curve: keeps it strictly increasing, so that equal steps never tie."""

_RANGE: Final = np.array([FLOOR, CEILING])
_MIX: Final = np.array([STRAIGHT_SHARE, FLOOR, CEILING])

MAX_KNOTS: Final = 15
ROWS_PER_KNOT: Final = 80
MIN_RELATIVE_GAIN: Final = 0.01
"""Curves serve only if they lower the held-out Brier score by 1 %: on GSM8K they lowered apgr by .01 for nothing, on the
bundled history they bring the calibration error from .077 to .02."""

Scores = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Calibration:
    """A piecewise linear curve for each candidate: knots and values, float32 of shape (n_candidates, n_knots)."""

    knots: NDArray[np.float32]
    values: NDArray[np.float32]
    _widths: NDArray[np.float32] = field(init=False, repr=False)
    _slopes: NDArray[np.float32] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        kernel.lay_out(self, "knots", "values")
        widths = np.diff(self.knots, axis=1)
        slopes = np.divide(np.diff(self.values, axis=1), widths, out=np.zeros_like(widths), where=widths > 0)
        object.__setattr__(self, "_widths", widths)
        object.__setattr__(self, "_slopes", slopes)

    def apply(self, scores: Scores) -> NDArray[np.float64]:
        """Probabilities for scores of shape (..., n_candidates)."""
        if kernel.COMPILED and scores.ndim == 1:
            chances = np.empty(len(scores))
            kernel.native.apply_curves(scores, self.knots, self._widths, self._slopes, self.values, _MIX, chances)
            return chances
        # The curve as a sum of its segments: one pass for all candidates, where np.interp needs a call for each.
        reached = np.minimum(np.maximum(scores[..., None] - self.knots[:, :-1], 0.0), self._widths)
        curve = self.values[:, 0] + (reached * self._slopes).sum(-1)
        mixed = (1 - STRAIGHT_SHARE) * curve + STRAIGHT_SHARE * scores
        return np.asarray(np.minimum(np.maximum(mixed, FLOOR), CEILING), np.float64)


def to_probabilities(scores: Scores, calibration: Calibration | None = None) -> NDArray[np.float64]:
    """Bring scores of shape (..., n_candidates) into (0, 1), by the curves or else by a common shift.

    The shift moves all scores of a prompt together until the highest and the lowest fit; only a spread wider than the
    range is cut. Clipping each alone would shrink exactly the differences between candidates.
    """
    if calibration is not None:
        return calibration.apply(scores)
    if kernel.COMPILED and scores.ndim == 1:
        chances = np.empty(len(scores))
        kernel.native.shift_scores(scores, _RANGE, chances)
        return chances
    values = np.asarray(scores, np.float64)
    over = np.maximum(values.max(-1, keepdims=True) - CEILING, 0.0)
    under = np.maximum(FLOOR - values.min(-1, keepdims=True), 0.0)
    return np.asarray(np.minimum(np.maximum(values - over + under, FLOOR), CEILING))


def fit_calibration(scores: Scores, targets: Scores, halves: NDArray[np.bool_]) -> Calibration | None:
    """Curves on out-of-fold scores, or None where they do not pay.

    Args:
        scores: out-of-fold scores, float32 (n, n_candidates).
        targets: true scores, same shape.
        halves: bool (n,); each half is judged by curves fitted on the other.
    """
    if len(scores) < 4 * ROWS_PER_KNOT or not halves.any() or halves.all():
        return None
    curved = np.empty(scores.shape)
    for fit, judge in ((halves, ~halves), (~halves, halves)):
        curved[judge] = _curves(scores[fit], targets[fit]).apply(scores[judge])
    before = float(((to_probabilities(scores) - targets) ** 2).mean())
    after = float(((curved - targets) ** 2).mean())
    return _curves(scores, targets) if after < (1 - MIN_RELATIVE_GAIN) * before else None


def _curves(scores: Scores, targets: Scores) -> Calibration:
    """Mean target in equally filled bins of the score, made monotone by pooling adjacent violators."""
    n_bins = int(np.clip(len(scores) // ROWS_PER_KNOT, 3, MAX_KNOTS))
    knots, values = (np.empty((scores.shape[1], n_bins), np.float32) for _ in range(2))
    for candidate in range(scores.shape[1]):
        bins = np.array_split(np.argsort(scores[:, candidate], kind="stable"), n_bins)
        knots[candidate] = [scores[rows, candidate].mean() for rows in bins]
        values[candidate] = _pool_violators([float(targets[rows, candidate].mean()) for rows in bins])
    return Calibration(knots, values)


def _pool_violators(means: list[float]) -> list[float]:
    """The nearest non-decreasing sequence in squared distance (pool adjacent violators, equal weights)."""
    pooled: list[tuple[float, int]] = []
    for mean in means:
        pooled.append((mean, 1))
        while len(pooled) > 1 and pooled[-2][0] > pooled[-1][0]:
            (left, n_left), (right, n_right) = pooled[-2:]
            pooled[-2:] = [((left * n_left + right * n_right) / (n_left + n_right), n_left + n_right)]
    return [mean for mean, size in pooled for _ in range(size)]
