"""What detectors read of a log: rows of the chosen candidate on which score and prediction, or seconds, are known.

Only who was chosen first counts. Who else was asked was asked because of how the first answer came out, so their
outcomes are not what was predicted before any answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from turnout.learning.logged import LoggedDecisions

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scored:
    """Scored requests, oldest first: rows of the log, candidate columns, scores and predictions in [0, 1], all (n,)."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    scores: Array
    predicted: Array

    def of(self, column: int) -> Scored:
        """Those of one candidate."""
        own = self.columns == column
        return Scored(self.rows[own], self.columns[own], self.scores[own], self.predicted[own])


@dataclass(frozen=True, slots=True)
class Paces:
    """Measured over expected seconds of one candidate, oldest first: rows of the log and ratios > 0, both (n,)."""

    rows: NDArray[np.int64]
    ratios: Array


def scored(logged: LoggedDecisions) -> Scored:
    """The scored requests of all candidates; scores and predictions outside [0, 1] are brought to its ends."""
    at = np.arange(len(logged))
    scores, predicted, weights = (
        cells[at, logged.chosen].astype(np.float64) for cells in (logged.scores, logged.predicted, logged.weights)
    )
    rows = np.flatnonzero(np.isfinite(scores) & np.isfinite(predicted) & (weights > 0))
    return Scored(rows, logged.chosen[rows], np.clip(scores[rows], 0, 1), np.clip(predicted[rows], 0, 1))


def paces(logged: LoggedDecisions, column: int) -> Paces:
    """How long one candidate took against what was expected, where both are known and above zero."""
    seconds, expected = (cells[:, column].astype(np.float64) for cells in (logged.seconds, logged.expected_s))
    with np.errstate(invalid="ignore"):
        known = np.isfinite(seconds) & np.isfinite(expected) & (seconds > 0) & (expected > 0)
    rows = np.flatnonzero(known & (logged.chosen == column))
    return Paces(rows, seconds[rows] / expected[rows])
