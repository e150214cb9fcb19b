"""Which share of requests goes to another candidate than the usual first, and to which one.

Only the chosen candidate's outcome is ever known, so a router that always takes the one it believes in never learns that
it is wrong about the others. With a small probability, which the history keeps, another eligible candidate is taken.

With `by_uncertainty` the same average rate is spent where the predictor knows least. For one request

    uncertainty = (closeness + doubt + novelty) / 3
    closeness   = exp(-(utility of the first - utility of the second) / TEMPERATURE)
    doubt       = 4 p (1 - p), p the first one's probability of success

that is the margin and the variance of uncertainty sampling (Lewis and Gale, "A Sequential Algorithm for Training Text
Classifiers", 1994) beside how new the prompt is. The probability of exploring is rate * uncertainty / usual uncertainty,
at least a fifth and at most five times the rate. The usual uncertainty is learned as requests come, by stochastic
approximation (Robbins and Monro, 1951): it rises while more than the rate is spent and falls while less is.

The others share that probability: half of it evenly, so that everybody is tried, half of it as a softmax of their
utilities (Boltzmann exploration; Sutton and Barto, "Reinforcement Learning", 2.3). Without `by_uncertainty` the
probability is the rate, and all others have the same part of it (epsilon-greedy).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from turnout.config.routing import Exploration
from turnout.types import Decision, Ranked

LEAST: Final = 0.2
MOST: Final = 5.0
"""Of the rate. Bounds keep propensities away from 0, and so the weights of what is learned from them."""

MOST_OF_ALL: Final = 0.5
"""However large the rate is: uncertainty alone never sends more than every second request elsewhere."""

EVENLY: Final = 0.5
"""Share of the exploration that does not ask how plausible a candidate is."""

TEMPERATURE: Final = 0.1
"""In utility: what a conversation has to gain to change its candidate is a difference worth having."""

FIRST_GUESS: Final = 0.5
"""Of the usual uncertainty; a few hundred requests forget it."""

STEP: Final = 0.02
"""How far one request moves the usual uncertainty."""

_BOUNDS: Final = (1e-3, 1e3)


class Explorer:
    """Spends the exploration of one configuration. Threads may share it: a lost step of its average does not matter.

    Args:
        settings: whether, how often, and by which measure.
    """

    def __init__(self, settings: Exploration) -> None:
        self._settings = settings
        self._usual = FIRST_GUESS
        self.is_on = settings.enabled and settings.rate > 0

    def spread(self, decision: Decision) -> list[float]:
        """The probability with which each of the ranking is to be chosen, in its order; they add up to 1."""
        ranking, rate = decision.ranking, self._settings.rate
        others = len(ranking) - 1
        if not self.is_on or not others:
            return [1.0, *[0.0] * others]
        if not self._settings.by_uncertainty:
            return [1.0 - rate, *[rate / others] * others]
        most = max(rate, min(MOST * rate, MOST_OF_ALL))
        total = min(max(rate * uncertainty(decision) / self._usual, LEAST * rate), most)
        moved = self._usual * math.exp(STEP * (total / rate - 1.0))
        self._usual = min(max(moved, _BOUNDS[0]), _BOUNDS[1])
        return [1.0 - total, *[total * share for share in shares(ranking[1:])]]


def uncertainty(decision: Decision) -> float:
    """How little is known of who is best for this request, from 0 to 1; there are at least two candidates."""
    first, second = decision.ranking[:2]
    if not first.learned:
        return 1.0
    closeness = math.exp(-max(first.utility - second.utility, 0.0) / TEMPERATURE)
    doubt = 4.0 * first.p_success * (1.0 - first.p_success)
    return (closeness + doubt + decision.novelty) / 3.0


def shares(others: Sequence[Ranked]) -> list[float]:
    """How those who are not first share what is explored; they add up to 1, and nobody has nothing."""
    best = max([entry.utility for entry in others])
    plausible = [math.exp((entry.utility - best) / TEMPERATURE) for entry in others]
    evenly, scale = EVENLY / len(others), (1.0 - EVENLY) / sum(plausible)
    return [evenly + scale * weight for weight in plausible]


def explored(decision: Decision, place: int) -> Decision:
    """The decision with this one of its ranking in front, and what it would have been without."""
    ranking = decision.ranking
    chosen = ranking[place]
    return replace(
        decision,
        candidate=chosen.candidate,
        confidence=chosen.p_success,
        reason=f"explored, to learn how it does; {decision.candidate} would be usual: {decision.reason}",
        ranking=(chosen, *ranking[:place], *ranking[place + 1 :]),
        decided_by="explore",
    )
