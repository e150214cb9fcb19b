"""What success is worth against seconds and money."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.errors import RequestError
from turnout.policy.utility import EXCHANGE_RATES, exchange_rate, relative_expense, utilities
from turnout.predictor import Prediction
from turnout.types import PREFERENCES


def prediction(p: list[float], seconds: list[float] | None = None, cost: list[float] | None = None) -> Prediction:
    def column(values: list[float] | None) -> Any:
        return None if values is None else np.array(values, np.float32)

    return Prediction(np.array(p, np.float64), column(seconds), column(cost), 0.0)


# The rate


def test_every_preference_has_a_rate_and_faster_means_dearer() -> None:
    assert set(EXCHANGE_RATES) == set(PREFERENCES)
    assert exchange_rate("fast") > exchange_rate("balanced") > exchange_rate("quality") > 0


@pytest.mark.parametrize("number", [0, 0.0, 0.3, 1, 25, 1e300, sys.float_info.max, np.float64(0.5)])
def test_a_number_is_its_own_rate(number: float) -> None:
    assert exchange_rate(number) == float(number)


@pytest.mark.parametrize("preference", ["", "FAST", " fast", "cheap", "0.5", None, True, False, [], b"fast", 1j])
def test_a_preference_of_no_known_name_or_kind_is_refused_and_the_names_are_given(preference: Any) -> None:
    with pytest.raises(RequestError, match="fast, balanced, quality nor a number"):
        exchange_rate(preference)


@pytest.mark.parametrize("number", [-1, -1e-9, float("nan"), float("inf"), float("-inf"), 10**400])
def test_a_number_that_is_no_rate_is_refused(number: float) -> None:
    with pytest.raises(RequestError):
        exchange_rate(number)


# Expense


def test_money_counts_before_seconds() -> None:
    expense = relative_expense(prediction([0.5, 0.5], seconds=[9, 1], cost=[0.01, 0.04]))
    np.testing.assert_allclose(expense, [0.25, 1.0])


@pytest.mark.parametrize("cost", [None, [0.0, 0.0]])
def test_seconds_count_where_no_money_is_spent(cost: list[float] | None) -> None:
    np.testing.assert_allclose(relative_expense(prediction([0.5, 0.5], seconds=[1, 4], cost=cost)), [0.25, 1.0])


def test_the_order_counts_where_nothing_was_measured() -> None:
    np.testing.assert_allclose(relative_expense(prediction([0.5, 0.5, 0.5])), [0.0, 0.5, 1.0])


def test_a_single_candidate_without_measures_costs_nothing() -> None:
    np.testing.assert_allclose(relative_expense(prediction([0.5])), [0.0])


def test_utility_is_success_less_expense_at_the_rate() -> None:
    values = utilities(prediction([0.6, 0.9], seconds=[1, 4]), 0.4)
    np.testing.assert_allclose(values, [0.6 - 0.4 * 0.25, 0.9 - 0.4])


@pytest.mark.parametrize(("preference", "gap"), [("fast", 0.4), ("balanced", 0.15), ("quality", 0.02)])
def test_a_preference_buys_the_most_expensive_candidate_for_its_points_of_success(preference: str, gap: float) -> None:
    for extra, bought in ((-0.01, False), (0.01, True)):
        values = utilities(prediction([0.3, 0.3 + gap + extra], cost=[0.0, 1.0]), preference)
        assert bool(values[1] > values[0]) is bought


# Whole 256ths and 64ths are exact in floating point, so that no rounding decides a tie.
SHARES = st.integers(0, 256).map(lambda n: n / 256)


@given(
    st.lists(st.tuples(SHARES, SHARES), min_size=1, max_size=6), st.integers(0, 128), st.integers(1, 128), st.booleans()
)
def test_a_higher_rate_never_chooses_a_more_expensive_candidate(
    rows: list[tuple[float, float]], rate: int, step: int, money: bool
) -> None:
    rows = [*rows, (0.5, 1.0)]  # the most expensive one
    success, expense = [row[0] for row in rows], [row[1] for row in rows]
    made = prediction(success, cost=expense) if money else prediction(success, seconds=expense)
    chosen = [int(np.argmax(utilities(made, number / 64))) for number in (rate, rate + step)]
    assert expense[chosen[1]] <= expense[chosen[0]]


@given(st.lists(SHARES, min_size=1, max_size=6))
def test_at_a_rate_of_nothing_only_success_counts(success: list[float]) -> None:
    np.testing.assert_array_equal(utilities(prediction(success, seconds=[1.0] * len(success)), 0), success)
