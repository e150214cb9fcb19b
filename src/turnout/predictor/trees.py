"""Boosted trees as flat arrays, walked all at once with NumPy.

Every tree has depth `DEPTH` at most and is stored as a complete one: 7 tests, 8 leaves. One gather answers the tests
of all trees, three small ones find the leaves. For one row this is 20 to 100 times faster than scikit-learn's own
`predict`, with equal results, and it needs neither scikit-learn nor a pickle.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from turnout import kernel

DEPTH: Final = 3
TESTS: Final = (1 << DEPTH) - 1
LEAVES: Final = 1 << DEPTH
_BLOCK_TESTS: Final = 4_000_000
"""Rows are walked in blocks that keep this many test results in memory (a byte each)."""


@dataclass(frozen=True, slots=True)
class Forest:
    """Trees for several outputs, equally many for each, the trees of one output side by side.

    feature : int32 (n_trees, 7), the column tested. threshold : float32 (n_trees, 7); a row goes right where its value
    is greater. Padding tests hold +inf, which sends every row left. leaves : float32 (n_trees, 8).
    baseline : float32 (n_outputs,).
    """

    feature: NDArray[np.int32]
    threshold: NDArray[np.float32]
    leaves: NDArray[np.float32]
    baseline: NDArray[np.float32]
    _columns: NDArray[np.intp] = field(init=False, repr=False)
    _limits: NDArray[np.float32] = field(init=False, repr=False)
    _first_test: NDArray[np.intp] = field(init=False, repr=False)
    _first_leaf: NDArray[np.intp] = field(init=False, repr=False)
    _flat_leaves: NDArray[np.float32] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        kernel.lay_out(self, "feature", dtype=np.int32)
        kernel.lay_out(self, "threshold", "leaves", "baseline")
        put = object.__setattr__  # the derived arrays are laid out once, for the walk
        put(self, "_columns", self.feature.ravel().astype(np.intp))
        put(self, "_limits", self.threshold.ravel())
        put(self, "_first_test", np.arange(len(self.feature)) * TESTS)
        put(self, "_first_leaf", np.arange(len(self.feature)) * LEAVES)
        put(self, "_flat_leaves", self.leaves.ravel())

    def predict_one(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """Outputs for one row: float32 of shape (n_outputs,)."""
        if kernel.COMPILED:
            outputs = np.empty(len(self.baseline), np.float32)
            kernel.native.walk_trees(self.feature, self.threshold, self.leaves, self.baseline, vector, outputs)
            return outputs
        right = (vector.take(self._columns) > self._limits).view(np.int8)
        test = self._first_test
        first = right.take(test)
        second = right.take(test + 1 + first)
        pair = 2 * first + second
        third = right.take(test + 3 + pair)
        leaf = self._flat_leaves.take(self._first_leaf + 2 * pair + third)
        return np.asarray(leaf.reshape(len(self.baseline), -1).sum(1) + self.baseline, np.float32)

    def predict(self, X: NDArray[np.float32]) -> NDArray[np.float32]:
        """Outputs for many rows: X of shape (n, n_features), result of shape (n, n_outputs)."""
        out = np.empty((len(X), len(self.baseline)), np.float32)
        block = max(1, _BLOCK_TESTS // max(1, len(self._columns)))
        for start in range(0, len(X), block):
            rows = X[start : start + block]
            right = (rows[:, self._columns] > self._limits).view(np.int8)
            at = np.arange(len(rows))[:, None]
            first = right[at, self._first_test]
            second = right[at, self._first_test + 1 + first]
            pair = 2 * first + second
            third = right[at, self._first_test + 3 + pair]
            leaf = self._flat_leaves[self._first_leaf + 2 * pair + third]
            out[start : start + block] = leaf.reshape(len(rows), len(self.baseline), -1).sum(2) + self.baseline
        return out
