"""Hashed n-grams of rows that come and go: two flat arrays that grow, and where each row's piece of them lies.

A row that is replaced leaves its piece behind; once most of the arrays is such waste, they are packed.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from turnout.features.ngrams import BUCKETS

_LEAST: Final = 1 << 12


class NgramStore:
    """Counts of n-grams for `size` rows, 8 bytes for each n-gram and at most as much again for what was replaced."""

    def __init__(self, size: int) -> None:
        self._start = np.zeros(size, np.int64)
        self._length = np.zeros(size, np.int32)
        self._buckets = np.empty(_LEAST, np.int32)
        self._counts = np.empty(_LEAST, np.float32)
        self._used = 0
        self._live = 0

    def put(self, row: int, buckets: NDArray[np.int64], counts: NDArray[np.int64]) -> None:
        """Give a row its n-grams; what it had before is gone."""
        length = len(buckets)
        self._live += length - int(self._length[row])
        self._length[row] = 0
        if self._used + length > len(self._buckets):
            self._make_room(length)
        piece = slice(self._used, self._used + length)
        self._buckets[piece] = buckets
        self._counts[piece] = counts
        self._start[row], self._length[row] = self._used, length
        self._used += length

    def rows(self, order: NDArray[np.int64]) -> sparse.csr_matrix:
        """The n-grams of some rows in this order: CSR float32 (len(order), BUCKETS) of counts."""
        at, indptr = self._places(order)
        return sparse.csr_matrix((self._counts[at], self._buckets[at], indptr), shape=(len(order), BUCKETS))

    def _places(self, order: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where the pieces of some rows lie, one after the other, and where each begins among them."""
        lengths = self._length[order].astype(np.int64)
        indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        return np.arange(indptr[-1]) + np.repeat(self._start[order] - indptr[:-1], lengths), indptr

    def _make_room(self, length: int) -> None:
        """Arrays twice as large as what lives, packed; so that waste never makes up more than half."""
        order = np.flatnonzero(self._length)
        at, indptr = self._places(order)
        room = max(_LEAST, 2 * (len(at) + length))
        for name in ("_buckets", "_counts"):
            old = getattr(self, name)
            new = np.empty(room, old.dtype)
            np.take(old, at, out=new[: len(at)])
            setattr(self, name, new)
        self._start[order] = indptr[:-1]
        self._used = len(at)
