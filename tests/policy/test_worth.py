"""Utility of one candidate from what is expected of it now: success less seconds and money at a rate."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.config.rules import ExchangeRates
from turnout.policy.worth import worths

SHARES = st.floats(0, 1)
AMOUNTS = st.one_of(st.none(), st.floats(0, 100))
RATES = st.one_of(
    st.floats(0, 10),
    st.builds(ExchangeRates, success_per_second=st.floats(0, 1), success_per_cent=st.floats(0, 1)),
)


def worth(
    p: float,
    seconds: float | None,
    dollars: float | None,
    rate: float | ExchangeRates,
    *,
    most_seconds: float,
    most_cost_usd: float,
) -> float:
    """Of one candidate beside another that takes the most."""
    first, _ = worths([(p, seconds, dollars), (0.5, most_seconds or None, most_cost_usd or None)], rate)
    return first


def test_where_nothing_is_known_only_success_counts() -> None:
    assert worth(0.7, None, None, 0.4, most_seconds=0, most_cost_usd=0) == 0.7


@pytest.mark.parametrize(("seconds", "left"), [(0, 0.7), (2, 0.6), (8, 0.3), (None, 0.3)])
def test_seconds_count_as_a_share_of_the_most_and_unknown_ones_as_the_most(seconds: float | None, left: float) -> None:
    assert worth(0.7, seconds, None, 0.4, most_seconds=8, most_cost_usd=0) == pytest.approx(left)


@pytest.mark.parametrize(("dollars", "left"), [(0, 0.7), (0.01, 0.5), (0.02, 0.3), (None, 0.3)])
def test_money_counts_as_a_share_of_the_most_where_no_seconds_are_known(dollars: float | None, left: float) -> None:
    assert worth(0.7, None, dollars, 0.4, most_seconds=0, most_cost_usd=0.02) == pytest.approx(left)


def test_where_both_are_known_each_counts_half() -> None:
    assert worth(0.7, 2, 0.02, 0.4, most_seconds=8, most_cost_usd=0.02) == pytest.approx(0.7 - 0.4 * (0.25 + 1) / 2)


def test_rates_of_a_second_and_a_cent_are_not_relative() -> None:
    rates = ExchangeRates(success_per_second=0.01, success_per_cent=0.05)
    assert worth(0.7, 5, 0.02, rates, most_seconds=1000, most_cost_usd=9) == pytest.approx(0.7 - 0.05 - 0.1)
    assert worth(0.7, None, None, rates, most_seconds=5, most_cost_usd=0.02) == pytest.approx(0.7 - 0.05 - 0.1)
    assert worth(0.7, 5, 9, ExchangeRates(), most_seconds=5, most_cost_usd=9) == 0.7


@given(SHARES, SHARES, AMOUNTS, AMOUNTS, RATES)
def test_more_success_is_worth_more(
    p: float, more: float, seconds: float | None, dollars: float | None, rate: float | ExchangeRates
) -> None:
    low, high = (worth(each, seconds, dollars, rate, most_seconds=100, most_cost_usd=100) for each in sorted((p, more)))
    assert low <= high


@given(st.floats(0, 100), st.floats(0, 100), AMOUNTS, RATES, st.booleans())
def test_more_seconds_or_more_money_are_never_worth_more(
    one: float, two: float, other: float | None, rate: float | ExchangeRates, money: bool
) -> None:
    less, more = sorted((one, two))
    values = [
        worth(0.5, *((other, each) if money else (each, other)), rate, most_seconds=100, most_cost_usd=100)
        for each in (less, more, None)
    ]
    assert values == sorted(values, reverse=True)


@given(SHARES, AMOUNTS, AMOUNTS, st.floats(0, 5), st.floats(0, 5))
def test_a_higher_rate_never_adds_worth(
    p: float, seconds: float | None, dollars: float | None, one: float, two: float
) -> None:
    low, high = (worth(p, seconds, dollars, rate, most_seconds=100, most_cost_usd=100) for rate in sorted((one, two)))
    assert high <= low <= p
