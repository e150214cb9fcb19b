"""The direct model of a partial log that shares nothing: a ridge on dense features for each candidate, from its own rows.

One of the two that `direct_blend` mixes. Candidates that are good at different things are told apart by nothing that they
have in common; generalised cross-validation says how much each candidate's rows can tell.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV

from turnout.learning.denoise import MIN_KNOWN, RIDGE_PENALTIES
from turnout.learning.direct import Array, candidate_means, known_cells, standardised
from turnout.learning.logged import LoggedDecisions


def expected(
    logged: LoggedDecisions, inside: NDArray[np.int64], outside: NDArray[np.int64], row_weights: Array | None
) -> Array:
    """Fitted on the rows inside, for those outside: (len(outside), k), not bounded."""
    cells = [known_cells(logged, inside, candidate, row_weights) for candidate in range(len(logged.candidates))]
    found = np.tile(candidate_means(cells), (len(outside), 1))
    if not len(inside) or not len(outside):
        return found
    dense = logged.features.dense
    centre, spread = dense[inside].mean(0), np.maximum(dense[inside].std(0), 1e-3)
    held = standardised(dense[outside], centre, spread)
    for candidate, (rows, score, _) in enumerate(cells):
        if len(rows) >= MIN_KNOWN:
            known = standardised(dense[rows], centre, spread)
            # Not by propensity: what is seldom tried would speak louder than it knows (docs/decisions.md).
            trust = logged.weights[rows, candidate] * (1.0 if row_weights is None else row_weights[rows])
            found[:, candidate] = RidgeCV(RIDGE_PENALTIES).fit(known, score, sample_weight=trust).predict(held)
    return found
