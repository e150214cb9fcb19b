"""How long answers take now against what history led to expect, for each candidate and for all together.

History knows what takes long: thousands of answers, each to its prompt. It does not know today's machine. The logarithm of
measured over expected seconds is averaged for each candidate; what is known of one grows old with every answer of anybody,
and the less it weighs the more the candidate is taken to be as slow as all are now. So nobody stays slow for having been
asked last in a bad minute.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from turnout.types import Attempt, Ranked, Tried

_KEPT: Final = 0.97
"""Of the weight of what is known, with each answer: a busier machine shows within a few dozen."""

_SHARED_ANSWERS: Final = 3.0
"""What all have in common counts like so many answers of the candidate's own."""

_FEW_ANSWERS: Final = 3
_MOST: Final = math.log(100.0)
"""One answer says no more than a hundred times as slow or as fast."""


class _Known(NamedTuple):
    """The weight and mean of one candidate's logarithms, as of so many answers of all."""

    weight: float
    mean: float
    answers: int


class Tempo:
    """By how much answers of today differ from those of one predictor's history."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self._answers = 0
        self._factors: dict[str, float] = {}
        self._common: float | None = None

    def factor(self, candidate: str) -> float | None:
        """What the seconds that history expects of it are to be multiplied by; None while too little was measured."""
        return self._factors.get(candidate, self._common) if self._common is not None else None

    def took(self, ranking: Sequence[Ranked], tried: Sequence[Tried]) -> None:
        """Take in what the candidates of a decision took that were asked."""
        for one in tried:
            last = one.attempts[-1] if one.attempts else None
            if one.answer is None or last is None or last.error:
                continue
            entry = next((each for each in ranking if each.candidate == one.candidate), None)
            expected = entry.expected if entry is not None else None
            if expected is None or expected.learned_s is None or expected.load_s:
                continue  # a load may come with the request, and would pass for slowness
            self._measured(one.candidate, expected.learned_s, _answer_s(last))

    def _measured(self, candidate: str, expected_s: float, seconds: float) -> None:
        if not (expected_s > 0 and 0 < seconds < math.inf):
            return
        ratio = min(max(math.log(seconds / expected_s), -_MOST), _MOST)
        self._answers += 1
        before = self._known.get(candidate, _Known(0.0, 0.0, self._answers))
        weight = self._weight(before) + 1.0
        self._known[candidate] = _Known(weight, before.mean + (ratio - before.mean) / weight, self._answers)
        if self._answers >= _FEW_ANSWERS:
            self._balance()

    def _balance(self) -> None:
        weights = {name: self._weight(known) for name, known in self._known.items()}
        shared = sum(weights[name] * known.mean for name, known in self._known.items()) / sum(weights.values())
        self._factors = {
            name: math.exp((weights[name] * known.mean + _SHARED_ANSWERS * shared) / (weights[name] + _SHARED_ANSWERS))
            for name, known in self._known.items()
        }
        self._common = math.exp(shared)

    def _weight(self, known: _Known) -> float:
        return float(known.weight * _KEPT ** (self._answers - known.answers))


def _answer_s(attempt: Attempt) -> float:
    """From the slot to the end of the answer."""
    return attempt.total_s - attempt.queue_s - attempt.load_s
