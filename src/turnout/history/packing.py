"""Features as one short text: little-endian arrays behind their lengths, in base64."""

from __future__ import annotations

import binascii
import struct
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from turnout.errors import HistoryError
from turnout.history.records import FeatureArrays

_LENGTHS: Final = struct.Struct("<II")
_REAL: Final = np.dtype("<f4")
_WHOLE: Final = np.dtype("<u4")


@dataclass(frozen=True, slots=True)
class StoredFeatures:
    """Features as they come back; the arrays are those of `turnout.features.Features`."""

    vector: NDArray[np.float32]
    buckets: NDArray[np.int64]
    counts: NDArray[np.int64]


def pack_features(features: FeatureArrays) -> bytes:
    """The lengths of vector and buckets as uint32, then float32 vector, uint32 buckets, uint32 counts."""
    vector, buckets = features.vector, features.buckets
    ngrams = np.empty((2, len(buckets)), _WHOLE)
    ngrams[0] = buckets
    ngrams[1] = features.counts
    lengths = _LENGTHS.pack(len(vector), len(buckets))
    raw = lengths + vector.astype(_REAL, copy=False).tobytes() + ngrams.tobytes()
    return binascii.b2a_base64(raw, newline=False)


def unpack_features(text: str | bytes) -> StoredFeatures:
    """What `pack_features` made a text of.

    Raises:
        HistoryError: the text is damaged.
    """
    try:
        raw = binascii.a2b_base64(text, strict_mode=True)
        features, ngrams = _LENGTHS.unpack_from(raw)
        if len(raw) != _LENGTHS.size + 4 * features + 8 * ngrams:
            raise ValueError("its length is wrong")
    except (ValueError, struct.error) as error:
        raise HistoryError(f"stored features cannot be read: {error}") from None
    at = _LENGTHS.size
    vector = np.frombuffer(raw, _REAL, features, at)
    buckets = np.frombuffer(raw, _WHOLE, ngrams, at + 4 * features)
    counts = np.frombuffer(raw, _WHOLE, ngrams, at + 4 * features + 4 * ngrams)
    return StoredFeatures(vector.astype(np.float32), buckets.astype(np.int64), counts.astype(np.int64))
