"""Hashed word n-grams: a prompt as a short list of bucket numbers, no vocabulary kept.

Words are hashed with CRC-32, pairs of neighbours by mixing the two hashes (Knuth's multiplicative constant
2654435761), both folded to `BUCKETS`. No text of anybody's prompts can be read back from a predictor.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from turnout import kernel
from turnout.features.words import Words

BUCKETS: Final = 1 << 18
MAX_WORDS: Final = 700
"""Longer prompts contribute their first two thirds and last third of this many words."""

_MIX: Final = np.uint32(2654435761)
_PAIR: Final = np.uint32(0x9E3779B9)
_SHIFT: Final = np.uint32(32 - BUCKETS.bit_length() + 1)


def hash_words(words: Words) -> NDArray[np.uint32]:
    """CRC-32 of each word, uint32, in order, bounded to `MAX_WORDS`."""
    hashes: NDArray[np.uint32] = words["hash"]
    if len(hashes) > MAX_WORDS:
        return np.concatenate((hashes[: MAX_WORDS * 2 // 3], hashes[-(MAX_WORDS // 3) :]))
    return hashes


def ngram_buckets(hashes: NDArray[np.uint32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distinct buckets of the words and word pairs, and how often each occurs.

    Returns:
        Two int64 arrays of equal length: bucket numbers in [0, BUCKETS), ascending, and counts of at least 1.
    """
    n = len(hashes)
    if not n:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    if kernel.COMPILED:
        buckets, counts = np.empty(2 * n - 1, np.int64), np.empty(2 * n - 1, np.int64)
        distinct = kernel.native.ngram_buckets(hashes, buckets, counts)
        return buckets[:distinct], counts[:distinct]
    every = np.empty(2 * n - 1, np.uint32)
    every[:n] = hashes
    pairs = every[n:]
    np.multiply(hashes[:-1], _PAIR, out=pairs)
    pairs ^= hashes[1:]
    every *= _MIX
    every >>= _SHIFT
    bounds = edges_of_runs(every).nonzero()[0]
    starts = bounds[:-1]
    return every[starts].astype(np.int64), bounds[1:] - starts


def edges_of_runs(values: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Sort n values in place, n >= 1; shape (n + 1,), true where a run of equal ones begins, and at the end."""
    values.sort()
    edges = np.empty(len(values) + 1, np.bool_)
    edges[0] = edges[-1] = True
    np.not_equal(values[1:], values[:-1], out=edges[1:-1])
    return edges
