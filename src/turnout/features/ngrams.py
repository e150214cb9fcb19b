"""Hashed word n-grams: a prompt as a short list of bucket numbers, no vocabulary kept.

Words are hashed with CRC-32, pairs of neighbours by mixing the two hashes (Knuth's multiplicative constant
2654435761), both folded to `BUCKETS`. No text of anybody's prompts can be read back from a predictor.
"""

from __future__ import annotations

from binascii import crc32
from typing import Final

import numpy as np
from numpy.typing import NDArray

BUCKETS: Final = 1 << 18
MAX_WORDS: Final = 700
"""Longer prompts contribute their first two thirds and last third of this many words."""

_MIX: Final = np.uint32(2654435761)
_PAIR: Final = np.uint32(0x9E3779B9)
_SHIFT: Final = np.uint32(32 - BUCKETS.bit_length() + 1)


def hash_words(words: list[str]) -> NDArray[np.uint32]:
    """CRC-32 of each word, uint32, in order, bounded to `MAX_WORDS`."""
    if len(words) > MAX_WORDS:
        words = words[: MAX_WORDS * 2 // 3] + words[-(MAX_WORDS // 3) :]
    return np.array([crc32(word.encode("utf-8", "replace")) for word in words], dtype=np.uint32)


def ngram_buckets(hashes: NDArray[np.uint32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distinct buckets of the words and word pairs, and how often each occurs.

    Returns:
        Two int64 arrays of equal length: bucket numbers in [0, BUCKETS), ascending, and counts of at least 1.
    """
    pairs = (hashes[:-1] * _PAIR) ^ hashes[1:]
    every = np.concatenate((hashes, pairs)) * _MIX >> _SHIFT
    every.sort()
    if not len(every):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    starts = np.flatnonzero(np.concatenate(([True], every[1:] != every[:-1])))
    counts = np.diff(starts, append=len(every))
    return every[starts].astype(np.int64), counts
