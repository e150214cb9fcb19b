"""Features of a decision in the history: those that were stored, else those of its prompt, if either is there."""

from __future__ import annotations

from typing import Any

import numpy as np

from turnout.errors import HistoryError
from turnout.features import FEATURE_NAMES, extract
from turnout.features.ngrams import BUCKETS
from turnout.history.packing import StoredFeatures, unpack_features


def features_of(row: Any) -> StoredFeatures | None:
    """The features of a row of `Batch.decisions`; None where what is stored is damaged or not there.

    Extracting takes ten times as long as reading what was stored; it is needed once after features changed their meaning.
    """
    if row.features is not None:
        return _stored(row.features)
    if row.prompt is None:
        return None
    made = extract(row.prompt)
    return StoredFeatures(made.vector, made.buckets, made.counts)


def _stored(text: str) -> StoredFeatures | None:
    try:
        found = unpack_features(text)
    except HistoryError:
        return None
    whole = found.vector.shape == (len(FEATURE_NAMES),) and np.isfinite(found.vector).all()
    return found if whole and (not len(found.buckets) or found.buckets.max() < BUCKETS) else None
