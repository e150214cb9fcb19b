"""The share that the fast one can take: what it means, and where it ends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from turnout.advice.offload import LOSS, shares

CHANCES = arrays(float, st.tuples(st.just(3), st.integers(1, 40)), elements=st.floats(0.01, 0.99))


def test_an_equal_one_can_take_everything() -> None:
    same = np.full((4, 50), 0.7)
    assert shares(same, same).tolist() == [1.0] * 4
    assert shares(same + 0.1, same).tolist() == [1.0] * 4


def test_one_that_is_better_nowhere_takes_what_the_loss_allows() -> None:
    strong = np.full((1, 1000), 0.9)
    assert shares(strong - 0.1, strong)[0] == pytest.approx(LOSS / 0.1, abs=0.002)


def test_where_it_is_better_it_earns_what_it_loses_elsewhere() -> None:
    strong, fast = np.full((1, 100), 0.5), np.full((1, 100), 0.2)
    fast[0, :50] = 0.6
    assert shares(fast, strong)[0] == pytest.approx(0.5 + (0.05 + LOSS) / 0.3, abs=0.011)


@given(CHANCES, st.integers(0, 2**32 - 1))
def test_the_share_keeps_its_promise_and_no_larger_one_would(strong: np.ndarray, seed: int) -> None:
    fast = np.clip(strong + np.random.default_rng(seed).normal(-0.1, 0.2, strong.shape), 0.01, 0.99)
    n = strong.shape[1]
    for taken, gains in zip(np.rint(shares(fast, strong) * n).astype(int), np.sort(strong - fast, axis=1), strict=True):
        assert taken == 0 or gains[:taken].sum() / n <= LOSS + 1e-9
        assert taken == n or gains[: taken + 1].sum() / n > LOSS - 1e-9


@given(CHANCES)
def test_more_loss_allows_no_smaller_share(strong: np.ndarray) -> None:
    fast = strong * 0.8
    assert (shares(fast, strong, 0.05) >= shares(fast, strong, 0.01)).all()
