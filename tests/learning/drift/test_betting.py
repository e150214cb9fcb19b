"""Wealth that grows only when a mean falls: the arithmetic under every detector."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from turnout.learning.drift.betting import change_point, first_alarm, log_factors, log_mean, log_wealth

FALLS = np.array([0.1, 0.2, 0.3])
SHARES = st.floats(0, 1, allow_subnormal=False)


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(*(arrays(float, n, elements=SHARES) for _ in range(2)))))
def test_wealth_stays_finite_and_is_never_negative(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    scores, expected = drawn
    wealth = log_wealth(log_factors(scores, expected, FALLS), -np.log(100))
    assert np.isfinite(wealth).all() and (np.exp(wealth) >= 0).all()


def test_a_long_fall_overflows_nothing() -> None:
    wealth = log_wealth(log_factors(np.zeros(100_000), np.full(100_000, 0.95), FALLS), -np.log(5_000))
    assert np.isfinite(wealth).all() and wealth[-1].max() > 1_000


@given(SHARES, SHARES)
def test_no_bet_gains_on_average_while_the_mean_is_as_expected_or_above(expected: float, better: float) -> None:
    mean = expected + (1 - expected) * better
    passed, failed = (np.exp(log_factors(np.array([score]), np.array([expected]), FALLS))[0] for score in (1.0, 0.0))
    assert (mean * passed + (1 - mean) * failed <= 1 + 1e-9).all()


def test_a_bet_on_passes_and_failures_is_a_likelihood_ratio() -> None:
    factors = np.exp(log_factors(np.array([1.0, 0.0]), np.array([0.6, 0.6]), np.array([0.2])))
    np.testing.assert_allclose(factors[:, 0], [0.4 / 0.6, 0.6 / 0.4])


def test_wealth_follows_its_recursion_and_goes_on_where_it_was() -> None:
    factors = np.random.default_rng(0).normal(0, 0.3, (50, 3))
    wealth, by_hand = np.zeros(3), []
    for factor in np.exp(factors):
        wealth = (wealth + 0.01) * factor
        by_hand.append(wealth)
    whole = log_wealth(factors, np.log(0.01))
    np.testing.assert_allclose(np.exp(whole), by_hand)
    head = log_wealth(factors[:20], np.log(0.01))
    np.testing.assert_allclose(log_wealth(factors[20:], np.log(0.01), before=head[-1]), whole[20:])


def test_wealth_is_its_stakes_on_average() -> None:
    """The bound rests on this: W(t) less t / horizon has mean zero."""
    scores = (np.random.default_rng(0).random((40, 50_000)) < 0.7).astype(float)
    wealth = np.exp(log_wealth(log_factors(scores, np.full_like(scores, 0.7), np.array([0.1])), -np.log(40)))
    assert wealth[-1].mean() == pytest.approx(1.0, abs=0.03)


def test_money_split_evenly_is_worth_the_mean() -> None:
    assert np.exp(log_mean(np.log([[1.0, 3.0]]))) == pytest.approx(2.0)


def test_an_empty_stream_raises_no_alarm() -> None:
    wealth = log_mean(log_wealth(log_factors(np.empty(0), np.empty(0), FALLS), -np.log(10)))
    assert first_alarm(wealth, 0.05) is None


def test_the_change_is_put_where_it_was() -> None:
    scores = np.concatenate((np.tile([1.0, 1.0, 0.0], 100), np.zeros(20)))
    factors = log_factors(scores, np.full(320, 2 / 3), FALLS)
    assert abs(change_point(factors, 319) - 300) <= 1
