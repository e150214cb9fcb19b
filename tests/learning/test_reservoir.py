"""The sample is of the right size, of the right odds, and the same for the same seed."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.learning.reservoir import Reservoir


def sample(weights: list[float], size: int, seed: int = 0) -> list[int]:
    slots: dict[int, int] = {}
    reservoir = Reservoir(size, seed)
    for item, weight in enumerate(weights):
        key = reservoir.draw(weight)
        if key is not None:
            slots[reservoir.place(key)] = item
    return sorted(slots.values())


@given(st.lists(st.floats(1e-250, 1e6), max_size=60), st.integers(1, 20), st.integers(0, 99))
def test_as_many_stay_as_there_are_slots_each_once(weights: list[float], size: int, seed: int) -> None:
    kept = sample(weights, size, seed)
    assert len(kept) == len(set(kept)) == min(size, len(weights))
    assert kept == sample(weights, size, seed)


def test_equal_weights_give_everybody_the_same_chance() -> None:
    seen = Counter(item for seed in range(3000) for item in sample([1.0] * 12, 3, seed))
    assert all(abs(seen[item] / 3000 - 0.25) < 0.035 for item in range(12))


def test_the_chance_is_that_of_drawing_by_weight_without_replacement() -> None:
    weights = [1.0, 2.0, 4.0, 8.0, 1.0, 8.0]
    seen = Counter(item for seed in range(4000) for item in sample(weights, 2, seed))
    generator = np.random.default_rng(0)
    share = np.array(weights) / sum(weights)
    drawn = Counter(
        item for _ in range(4000) for item in generator.choice(len(weights), 2, replace=False, p=share).tolist()
    )
    for item in range(len(weights)):
        assert seen[item] / 4000 == pytest.approx(drawn[item] / 4000, abs=0.04)


def test_an_item_that_is_not_placed_leaves_the_sample_as_it_was() -> None:
    reservoir, slots = Reservoir(5, 1), {}
    for item in range(500):
        key = reservoir.draw(1.0)
        if key is not None and item % 2:
            slots[reservoir.place(key)] = item
    assert len(slots) == 5 and all(item % 2 for item in slots.values())
