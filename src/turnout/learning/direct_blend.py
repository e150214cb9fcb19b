"""What each candidate would score on each request of a partial log: two direct models, mixed as the known scores ask for.

`direct_text` shares the level of a request between all candidates, which helps where a hard request is hard for everybody;
`direct_own` shares nothing, which helps where candidates are good at different things. Neither is better everywhere
(docs/decisions.md). The share is what minimises the squared error of both, out of fold, on the known scores: stacking
(Wolpert 1992) with one weight, the same for all candidates, so that what is shared still cancels out between them.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from turnout.learning import direct_own, direct_text
from turnout.learning.direct import FOLDS, MIN_CONTRAST_ROWS, Array, known_cells
from turnout.learning.logged import LoggedDecisions
from turnout.predictor.folds import assign_folds

_BISECTIONS: Final = 20
_TINY: Final = 1e-9


def expected_scores(logged: LoggedDecisions, row_weights: Array | None = None, *, seed: int = 0) -> Array:
    """Expected scores of every row by models that never saw its group: (n, k) in [0, 1].

    Args:
        row_weights: (n,), what each row counts, recency say; 1 by default.
    """
    folds = assign_folds(logged.groups, FOLDS, seed + 11)
    text, own = (np.empty((len(logged), len(logged.candidates))) for _ in range(2))
    for fold in range(FOLDS):
        inside, outside = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        text[outside] = direct_text.expected(logged, inside, outside, row_weights)
        own[outside] = direct_own.expected(logged, inside, outside, row_weights)
    share = _share(logged, text, own, row_weights)
    return _within(share * text + (1.0 - share) * own, logged, folds, row_weights)


def _share(logged: LoggedDecisions, text: Array, own: Array, row_weights: Array | None) -> float:
    """What the first counts, from 0 to 1; the rest is the second's. Half where nothing tells them apart."""
    explained = apart = 0.0
    for candidate in range(len(logged.candidates)):
        rows, score, weight = known_cells(logged, np.arange(len(logged)), candidate, row_weights)
        gap = text[rows, candidate] - own[rows, candidate]
        explained += float((weight * (score - own[rows, candidate]) * gap).sum())
        apart += float((weight * gap**2).sum())
    return min(max(explained / apart, 0.0), 1.0) if apart > _TINY else 0.5


def _within(expected: Array, logged: LoggedDecisions, folds: NDArray[np.int64], row_weights: Array | None) -> Array:
    """Expectations in [0, 1]: cut off, and moved so far that those of the known cells of other folds are right on average.

    Cut off alone they would be too low for whoever is nearly always right, since only what lies above 1 is lost.
    """
    within = np.clip(expected, 0.0, 1.0)
    for fold in range(FOLDS):
        inside, outside = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        for candidate in range(expected.shape[1]):
            rows, score, weight = known_cells(logged, inside, candidate, row_weights)
            if len(score) >= MIN_CONTRAST_ROWS and weight.sum() > 0:
                moved = _offset(expected[rows, candidate], float(np.average(score, weights=weight)), weight)
                within[outside, candidate] = np.clip(expected[outside, candidate] + moved, 0.0, 1.0)
    return within


def _offset(values: Array, mean: float, weight: Array) -> float:
    """What has to be added to values, cut off at 0 and 1, so that they have this mean; by bisection."""
    low, high = -1.0 - float(values.max()), 1.0 - float(values.min())
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        below = np.average(np.clip(values + middle, 0.0, 1.0), weights=weight) < mean
        low, high = (middle, high) if below else (low, middle)
    return (low + high) / 2
