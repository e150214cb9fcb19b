"""Fitting expected seconds, cost or length from the rows where they were measured."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from turnout.predictor.expense import LogLinear

EXPENSE_PENALTY: Final = 30.0

Matrix = NDArray[np.float32]


def fit_expense(standard: Matrix, values: Matrix | None) -> LogLinear | None:
    """Log-linear expectation for each candidate from the rows where it was measured; None where nothing was.

    A candidate measured on no row gets the mean of the others; a value of 0 (a local model's cost) counts as 1e-9.
    """
    if values is None or not np.isfinite(values).any() or float(np.nanmax(values)) <= 0:
        return None
    logs = np.log(np.maximum(values, 1e-9))
    n_candidates = values.shape[1]
    weights = np.zeros((standard.shape[1], n_candidates), np.float32)
    intercept, low, high = (np.full(n_candidates, np.nan, np.float32) for _ in range(3))
    for candidate in range(n_candidates):
        known = np.isfinite(logs[:, candidate])
        if not known.any():
            continue
        target = logs[known, candidate]
        model = Ridge(alpha=EXPENSE_PENALTY).fit(standard[known], target)
        residual = target - model.predict(standard[known])
        weights[:, candidate] = model.coef_
        intercept[candidate] = model.intercept_ + np.log(np.mean(np.exp(np.clip(residual, -5, 5))))
        low[candidate], high[candidate] = values[known, candidate].min(), values[known, candidate].max()
    for column in (intercept, low, high):
        column[np.isnan(column)] = np.nanmean(column)
    return LogLinear(weights, intercept, low, high)
