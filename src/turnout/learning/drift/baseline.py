"""What to expect of a stream while nothing changes: learned from a reference window, with room for what it leaves open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MIN_REFERENCE: Final = 200
"""With fewer reference values a stream is not watched: a hundred gave three times the false alarms, because how well the
spread of the reference is known begins to matter, and the margin swallows most of a drop by 20 points."""

MARGIN_IN_ERRORS: Final = 1.75
"""Standard errors between the reference mean and what counts as a fall. See `benchmarks/drift.py`."""

LEAST_MARGIN: Final = 0.02
"""A mean that moved by less than two points calls for no alarm, however certain it is."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """Mean of a stream while nothing changes, and how far from it a mean may lie before it counts as moved."""

    mean: float
    margin: float

    @property
    def low(self) -> float:
        return self.mean - self.margin

    @property
    def high(self) -> float:
        return self.mean + self.margin


def learn(values: Array, least: int = MIN_REFERENCE, errors: float = MARGIN_IN_ERRORS) -> Baseline | None:
    """The baseline of independent values, float64 (n,) in [-1, 1]; None where there are fewer than `least`.

    Args:
        errors: the margin in standard errors of the mean.
    """
    if len(values) < least:
        return None
    mean = float(values.mean())
    # One imagined value half a unit off: a window without any variation does not prove that there is none.
    variance = (float(((values - mean) ** 2).sum()) + 0.25) / (len(values) + 1)
    return Baseline(mean, max(LEAST_MARGIN, errors * float(np.sqrt(variance / len(values)))))
