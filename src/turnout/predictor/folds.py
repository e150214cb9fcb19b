"""Folds that never split a group."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def assign_folds(groups: NDArray[np.int64], n_folds: int, seed: int) -> NDArray[np.int64]:
    """A fold for each row, shuffled, whole groups together: int64 (n,), values in [0, n_folds)."""
    values, position = np.unique(groups, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(values))
    return np.asarray((order % n_folds)[position], np.int64)
