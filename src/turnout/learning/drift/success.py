"""Does a candidate still succeed as often as predicted? Bets on residuals, so that a change of traffic changes nothing.

What is expected of a request is its own predicted chance plus the constant by which the candidate's scores lay off
their predictions in the reference window, less a margin for what that window leaves open. Whatever routes may look at
the request, as the prediction did; it must not know the outcome.

Why bets and not a CUSUM: `benchmarks/drift.py` finds a loss of 20 points within 300 requests in 99.5 % of trials or more
with bets, in 98.5 % or more with a CUSUM whose threshold was simulated to give 5 % of false alarms. The CUSUM is sooner
(81 requests against 110 at a base rate of .5), but gave 7.5 % of false alarms on other streams of the same kind where
bets gave .5 %, and its threshold has to be simulated for each base rate, spread of predictions and kind of score. The
one of bets is 1 / alpha for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from turnout.learning.drift.baseline import Baseline, learn
from turnout.learning.drift.betting import change_point, first_alarm, log_factors, log_mean, log_wealth
from turnout.learning.drift.report import Direction
from turnout.learning.drift.streams import Scored

Array = NDArray[np.float64]

FALLS: Final = np.array([0.1, 0.2, 0.3])
"""Bets are on falls by 10, 20 and 30 points, a third of the money each."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change found in a stream, in positions of that stream: since when, until when it was watched before the alarm.

    mean, expected: of the values from `start` to `raised_at`, both included.
    """

    start: int
    raised_at: int
    mean: float
    expected: float


def success_baseline(reference: Scored) -> Baseline | None:
    """How far one candidate's scores lie off their predictions while nothing changes; None without enough of them."""
    return learn(reference.scores - reference.predicted)


def success_factors(stream: Scored, baseline: Baseline, direction: Direction) -> Array:
    """Logarithms of the bets' factors on one candidate's stream: float64 (n, n_bets)."""
    if direction == "worse":
        return log_factors(stream.scores, stream.predicted + baseline.low, FALLS)
    return log_factors(1 - stream.scores, 1 - (stream.predicted + baseline.high), FALLS)


def success_change(
    stream: Scored, baseline: Baseline, direction: Direction, *, alpha: float, horizon: int
) -> Change | None:
    """The first change of one candidate's success.

    Args:
        alpha: chance of a false alarm among `horizon` scored requests, of one candidate or of all that share it.
    """
    factors = success_factors(stream, baseline, direction)
    raised_at = first_alarm(log_mean(log_wealth(factors, -np.log(horizon))), alpha)
    if raised_at is None:
        return None
    start = change_point(factors, raised_at)
    seen = slice(start, raised_at + 1)
    expected = float(np.clip(stream.predicted[seen] + baseline.mean, 0, 1).mean())
    return Change(start, raised_at, float(stream.scores[seen].mean()), expected)
