"""Features that come back as they went in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.errors import HistoryError
from turnout.features import extract
from turnout.history import StoredFeatures, unpack_features
from turnout.history.packing import pack_features


def test_the_features_of_a_prompt_come_back() -> None:
    features = extract("why does our lock deadlock under failover?")
    back = unpack_features(pack_features(features))
    np.testing.assert_array_equal(back.vector, features.vector)
    np.testing.assert_array_equal(back.buckets, features.buckets)
    np.testing.assert_array_equal(back.counts, features.counts)
    assert (back.vector.dtype, back.buckets.dtype, back.counts.dtype) == (np.float32, np.int64, np.int64)


@given(
    st.lists(st.floats(width=32, allow_nan=False), max_size=20),
    st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)), max_size=20),
)
def test_any_arrays_come_back(vector: list[float], ngrams: list[tuple[int, int]]) -> None:
    buckets, counts = np.array(ngrams, np.int64).reshape(-1, 2).T
    features = StoredFeatures(np.array(vector, np.float32), buckets, counts)
    back = unpack_features(pack_features(features))
    assert back.vector.tolist() == features.vector.tolist()
    assert back.buckets.tolist() == buckets.tolist()
    assert back.counts.tolist() == counts.tolist()


@pytest.mark.parametrize("damage", ["", "AAAA", "!!!!", "é", "cut", "longer"])
def test_damage_is_told(damage: str) -> None:
    whole = pack_features(extract("hello")).decode()
    text = {"cut": whole[:-8], "longer": whole + "AAAA"}.get(damage, damage)
    with pytest.raises(HistoryError, match="cannot be read"):
        unpack_features(text)
