"""Better training targets out of the same table: fill what is missing, take out noise.

A single pass-or-fail score is a noisy sign of how hard a prompt is for a model. Where a table holds other models as
well, what they did on the same *training* prompts says more. The target is then part the score itself, part what the
other models' scores predict it to be; at run time nothing of this is needed, since only targets change.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV

from turnout.predictor.folds import assign_folds

OWN_SHARE: Final = 0.4
"""Weight of the score itself. 0, .3, .5 and 1 gave .650, .660, .658 and .649 mean apgr on ten development pools."""

MIN_OTHERS: Final = 3
MIN_COVERAGE: Final = 0.9
MIN_KNOWN: Final = 5
_FOLDS: Final = 5
RIDGE_PENALTIES: Final = (10.0, 100.0, 1000.0)
"""On standardised features; generalised cross-validation takes one of them."""


def denoise(scores: NDArray[np.float32], others: NDArray[np.float32], groups: NDArray[np.int64]) -> NDArray[np.float32]:
    """Mix each score with its cross-fitted expectation given the other models' scores on the same prompt.

    Args:
        scores: float32 (n, n_candidates), complete.
        others: float32 (n, n_other_models) with NaN where missing; models that cover less than 90 % are left out.
        groups: int64 (n,), rows of one group stay in one fold.

    Returns:
        float32 (n, n_candidates); `scores` unchanged where fewer than three other models or too few rows are there.
    """
    covered = np.isfinite(others).mean(0) >= MIN_COVERAGE if others.size else np.zeros(0, bool)
    if covered.sum() < MIN_OTHERS or len(np.unique(groups)) < 10 * _FOLDS:
        return scores
    known = others[:, covered].astype(np.float64)
    known = np.where(np.isfinite(known), known, np.nanmean(known, axis=0))
    expected = np.empty(scores.shape)
    folds = assign_folds(groups, _FOLDS, seed=3)
    for fold in range(_FOLDS):
        inside, outside = folds != fold, folds == fold
        expected[outside] = RidgeCV(RIDGE_PENALTIES).fit(known[inside], scores[inside]).predict(known[outside])
    return (OWN_SHARE * scores + (1 - OWN_SHARE) * expected).astype(np.float32)


def complete(scores: NDArray[np.float32], dense: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fill missing scores with what a ridge on the dense features expects of that candidate.

    Args:
        scores: float32 (n, n_candidates), NaN where a candidate has no outcome.
        dense: float32 (n, n_features).
    """
    missing = ~np.isfinite(scores)
    if not missing.any():
        return scores
    standard = np.clip((dense - dense.mean(0)) / np.maximum(dense.std(0), 1e-3), -4, 4)
    filled = scores.copy()
    overall = float(np.nanmean(scores))
    for candidate in range(scores.shape[1]):
        absent = missing[:, candidate]
        if not absent.any():
            continue
        if (~absent).sum() < MIN_KNOWN:
            filled[absent, candidate] = overall if absent.all() else scores[~absent, candidate].mean()
            continue
        model = RidgeCV(RIDGE_PENALTIES).fit(standard[~absent], scores[~absent, candidate])
        filled[absent, candidate] = np.clip(model.predict(standard[absent]), 0, 1)
    return filled
