"""Expected seconds, cost or answer length of each candidate: a log-linear model on the dense features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from turnout import kernel


@dataclass(frozen=True, slots=True)
class LogLinear:
    """exp(intercept + standardised features @ weights), kept within what was measured.

    weights : float32 (n_features, n_candidates); intercept, low, high : float32 (n_candidates,). The intercept holds
    Duan's smearing correction (Duan 1983), so that the result estimates the mean, not the median. Whoever was never
    measured has no weights, only the mean of the others.
    """

    weights: NDArray[np.float32]
    intercept: NDArray[np.float32]
    low: NDArray[np.float32]
    high: NDArray[np.float32]

    measured: tuple[bool, ...] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        kernel.lay_out(self, "weights", "intercept", "low", "high")
        object.__setattr__(self, "measured", tuple(np.any(self.weights, axis=0).tolist()))

    def known(self, candidates: Sequence[str], values: NDArray[np.float32]) -> dict[str, float]:
        """What was predicted, by candidate, where history speaks: not of who was never measured, nor beyond what was."""
        rows = zip(candidates, values.tolist(), self.high.tolist(), self.measured, strict=True)
        return {name: value for name, value, high, measured in rows if measured and value < high}

    def predict_one(self, standardised: NDArray[np.float32]) -> NDArray[np.float32]:
        """Expected value for each candidate, float32 of shape (n_candidates,)."""
        if kernel.COMPILED:
            expected = np.empty(len(self.intercept), np.float32)
            kernel.native.expect(standardised, self.weights, self.intercept, self.low, self.high, expected)
            return expected
        expected = np.exp(standardised @ self.weights + self.intercept)
        return np.asarray(np.minimum(np.maximum(expected, self.low), self.high), np.float32)
