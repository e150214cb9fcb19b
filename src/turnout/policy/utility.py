"""What success is worth against seconds and money: utility = p(success) - rate * expense.

Expense is relative: 1 is this request on the most expensive candidate, by expected cost where money is spent, else by
expected seconds, else by the candidates' order. The rate is how much probability of success one such call is worth;
a caller's preference names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from sys import float_info
from typing import Final

import numpy as np
from numpy.typing import NDArray

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


def relative_expense(prediction: Prediction) -> NDArray[np.float64]:
    """Expense of each candidate, 1 for the most expensive: float64 of shape (n_candidates,)."""
    for measure in (prediction.cost_usd, prediction.seconds):
        if measure is not None and float(measure.max()) > 0:
            return np.asarray(measure / measure.max(), np.float64)
    n = len(prediction.p_success)
    return np.arange(n) / max(n - 1, 1)


def utilities(prediction: Prediction, preference: str | float) -> NDArray[np.float64]:
    """Utility of each candidate for one request."""
    return prediction.p_success - exchange_rate(preference) * relative_expense(prediction)
