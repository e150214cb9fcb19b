"""Rows have the n-grams that they were given last, however often they were replaced."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from turnout.features.ngrams import BUCKETS
from turnout.learning.ngram_store import NgramStore

puts = st.lists(
    st.tuples(st.integers(0, 9), st.lists(st.integers(0, BUCKETS - 1), max_size=30, unique=True)), max_size=40
)


@given(puts)
def test_the_last_n_grams_of_each_row_are_found(some: list[tuple[int, list[int]]]) -> None:
    store, expected = NgramStore(10), np.zeros((10, BUCKETS), np.float32)
    for row, buckets in some:
        store.put(row, np.array(buckets, np.int64), np.arange(1, len(buckets) + 1))
        expected[row] = 0
        expected[row, buckets] = np.arange(1, len(buckets) + 1)
    order = np.array([9, 3, 0, 5])
    made = store.rows(order)
    assert made.dtype == np.float32 and (made.toarray() == expected[order]).all()


def test_what_was_replaced_does_not_pile_up() -> None:
    store = NgramStore(4)
    for n in range(3000):
        store.put(n % 4, np.arange(100), np.full(100, n))
    assert len(store._buckets) <= 1 << 12
    assert store.rows(np.arange(4)).sum(axis=1).ravel().tolist() == [[299600.0, 299700.0, 299800.0, 299900.0]]
