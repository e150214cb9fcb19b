"""What success is worth against seconds and money: utility = p(success) - rate * expense.

Expense is relative: 1 is this request on the most expensive candidate, by expected cost where money is spent, else by
expected seconds, else by the candidates' order. The rate is how much probability of success one such call is worth;
a caller's preference names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from sys import float_info
from typing import Final

from turnout.errors import RequestError
from turnout.predictor import Prediction
from turnout.types import PREFERENCES, Preference

EXCHANGE_RATES: Final[Mapping[Preference, float]] = {"fast": 0.4, "balanced": 0.15, "quality": 0.02}
"""Balanced moves to the most expensive candidate for 15 points of success, fast for 40, quality for 2."""


def exchange_rate(preference: str | float) -> float:
    """The rate of a named preference, or the number itself.

    Raises:
        RequestError: an unknown name, a negative number, or not a number at all.
    """
    if isinstance(preference, str):
        for name in PREFERENCES:
            if name == preference:
                return EXCHANGE_RATES[name]
    elif isinstance(preference, int | float) and not isinstance(preference, bool) and 0 <= preference <= float_info.max:
        return float(preference)
    raise RequestError(f"preference {preference!r} is neither {', '.join(PREFERENCES)} nor a number of 0 or more")


def relative_expense(prediction: Prediction) -> list[float]:
    """Expense of each candidate, 1 for the most expensive."""
    for measure in (prediction.cost_usd, prediction.seconds):
        if measure is not None and (most := measure.max()) > 0:
            relative: list[float] = (measure / most).tolist()
            return relative
    n = len(prediction.p_success)
    return [place / max(n - 1, 1) for place in range(n)]


def utilities(prediction: Prediction, preference: str | float) -> list[float]:
    """Utility of each candidate for one request."""
    rate = exchange_rate(preference)
    return [
        p - rate * expense
        for p, expense in zip(prediction.p_success.tolist(), relative_expense(prediction), strict=True)
    ]
