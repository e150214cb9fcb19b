"""Policies as they would have chosen on logged decisions: float64 (n, k), the probabilities of each row's candidates.

Where a rule or the caller had left no choice, every policy chooses what was chosen: nobody decides there.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from turnout.errors import DataError, RequestError
from turnout.learning.evaluation import predict_table
from turnout.learning.logged import LoggedDecisions
from turnout.policy.utility import exchange_rate
from turnout.predictor import Predictor

Array = NDArray[np.float64]

_BALANCED: Final = exchange_rate("balanced")


def always(logged: LoggedDecisions, candidate: str) -> Array:
    """One candidate wherever it could be chosen, else what was chosen.

    Raises:
        DataError: the log knows no such candidate.
    """
    if candidate not in logged.candidates:
        known = ", ".join(logged.candidates)
        raise DataError(f"no logged decision knows candidate {candidate!r}; there is: {known}")
    wanted = logged.candidates.index(candidate)
    return _certain(logged, np.where(logged.eligible[:, wanted], wanted, logged.chosen))


def uniform(logged: LoggedDecisions) -> Array:
    """Each that could be chosen as likely as any other."""
    eligible = logged.eligible.astype(np.float64)
    target = eligible / np.maximum(eligible.sum(1, keepdims=True), 1.0)
    return _with_pins(logged, target)


def of_predictor(logged: LoggedDecisions, predictor: Predictor) -> Array:
    """What a predictor would have chosen: the best utility of each row, at the row's preference and expected seconds."""
    return greedy(logged, chances(logged, predictor))


def as_predicted(logged: LoggedDecisions) -> Array:
    """What the predictor of the time put first, without exploration; the chosen one where nothing was predicted."""
    known = np.isfinite(logged.predicted).any(1, keepdims=True)
    target = greedy(logged, np.nan_to_num(logged.predicted, nan=-1.0).astype(np.float64))
    return np.where(known, target, _certain(logged, logged.chosen))


def chances(logged: LoggedDecisions, predictor: Predictor) -> Array:
    """A predictor's chances of success for the log's candidates; one that it does not know gets the mean of the others."""
    predicted = predict_table(predictor, logged.features)
    places = [predictor.candidates.index(name) if name in predictor.candidates else None for name in logged.candidates]
    if all(place is None for place in places):
        raise DataError("the predictor knows none of the candidates of this log")
    usual = predicted.mean(1)
    return np.stack([usual if place is None else predicted[:, place] for place in places], axis=1)


def greedy(logged: LoggedDecisions, chance: Array) -> Array:
    """The best utility among those that could be chosen, the first of equals: one 1 in each row.

    Utility is the chance less the exchange rate times the expected seconds as a share of the row's longest, as in
    `turnout.policy.worth`; where nothing is expected, the order of the candidates stands for their expense.
    """
    utility = chance - expense_worth(logged)
    return _certain(logged, np.where(logged.eligible, utility, -np.inf).argmax(1))


def expense_worth(logged: LoggedDecisions) -> Array:
    """How much score each candidate's seconds are worth at the row's preference: float64 (n, k)."""
    return _rates(logged)[:, None] * _expense(logged)


def _expense(logged: LoggedDecisions) -> Array:
    """The share of each candidate in the row's most expensive: float64 (n, k)."""
    k = len(logged.candidates)
    in_order = np.broadcast_to(np.arange(k) / max(k - 1, 1), (len(logged), k))
    seconds = np.where(logged.eligible, logged.expected_s, np.nan).astype(np.float64)
    most = np.nan_to_num(seconds, nan=0.0).max(1, keepdims=True, initial=0.0)
    share = np.divide(seconds, most, out=np.ones_like(seconds), where=most > 0)
    return np.where(most > 0, np.nan_to_num(share, nan=1.0), in_order)


def _rates(logged: LoggedDecisions) -> Array:
    """What the most expensive call is worth at each row's preference."""
    known: dict[str, float] = {}
    for text in set(logged.preference.tolist()):
        known[text] = _rate(text)
    return np.array([known[text] for text in logged.preference.tolist()], np.float64)


def _rate(preference: str) -> float:
    for read in (str, float):
        try:
            return exchange_rate(read(preference))
        except (RequestError, ValueError):
            continue
    return _BALANCED  # "0.1 a second and 0.2 a cent" and the like have no single rate


def _certain(logged: LoggedDecisions, choice: NDArray[np.int64]) -> Array:
    target = np.zeros((len(logged), len(logged.candidates)))
    target[np.arange(len(logged)), choice] = 1.0
    return _with_pins(logged, target)


def _with_pins(logged: LoggedDecisions, target: Array) -> Array:
    rows = np.flatnonzero(logged.pinned)
    target[rows] = 0.0
    target[rows, logged.chosen[rows]] = 1.0
    return target
