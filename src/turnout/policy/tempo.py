"""How long answers take now against what history led to expect, and what history leads to expect of one request.

History knows what takes long: thousands of answers, each to its prompt. It does not know today's machine. Of each candidate
the logarithm of measured over expected seconds is followed in two parts: how it differs from history for good, in its own
answers, and how it differs just now, which is forgotten in time. So nobody stays slow for having been asked last in a bad
minute, and nobody who is slower than history says has to prove it again and again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from turnout.types import Ranked, Tried

_LASTING: Final = 0.03
"""What one answer moves the lasting part, once there are many; the first ones move it to their mean."""

_AT_ONCE: Final = 0.15
"""What one answer moves the other part, as in `providers.estimates`."""

_HALF_LIFE_S: Final = 30.0
"""Of what is different just now: another program's compilation, a backup, a sleeping disk."""

_SHARED_ANSWERS: Final = 3.0
"""What all have in common counts like so many answers of the candidate's own: most of it is the machine."""

_FEW_ANSWERS: Final = 3
_MOST: Final = math.log(100.0)
"""One answer says no more than a hundred times as slow or as fast."""


class _Known(NamedTuple):
    """Of one candidate: answers, the lasting mean of the logarithms, and how far off it was at a moment."""

    answers: int
    lasting: float
    off: float
    at_s: float

    def off_by(self, now_s: float) -> float:
        return self.off * math.exp2(-max(0.0, now_s - self.at_s) / _HALF_LIFE_S)


class Tempo:
    """By how much answers of today differ from those of one predictor's history. Safe to share between threads.

    Args:
        now: the monotonic clock.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        # Replaced in one step, never changed: of two threads that write at once one answer may get lost, and nothing else.
        self._state: tuple[Mapping[str, _Known], float | None] = ({}, None)

    def factor(self, candidate: str) -> float | None:
        """What the seconds that history expects of it are to be multiplied by; None while too little was measured."""
        everybody, shared = self._state
        if shared is None:
            return None
        known = everybody.get(candidate)
        if known is None:
            return math.exp(shared)
        weight = known.answers / (known.answers + _SHARED_ANSWERS)
        return math.exp(weight * known.lasting + (1 - weight) * shared + known.off_by(self._now()))

    def took(self, ranking: Sequence[Ranked], tried: Sequence[Tried]) -> None:
        """Take in what the candidates of a decision took that were asked."""
        for one in tried:
            last = one.attempts[-1] if one.attempts else None
            if one.answer is None or last is None or last.error:
                continue
            expected = next((each.expected for each in ranking if each.candidate == one.candidate), None)
            if expected is None or expected.learned_s is None or expected.load_s:
                continue  # a load may come with the request, and would pass for slowness
            self._measured(one.candidate, expected.learned_s, last.answer_s - (one.answer.timings.load_s or 0.0))

    def _measured(self, candidate: str, expected_s: float, seconds: float) -> None:
        if not (expected_s > 0 and 0 < seconds < math.inf):
            return
        ratio = min(max(math.log(seconds / expected_s), -_MOST), _MOST)
        everybody, now_s = self._state[0], self._now()
        before = everybody.get(candidate, _Known(0, 0.0, 0.0, now_s))
        answers, off = before.answers + 1, before.off_by(now_s)
        lasting = before.lasting + max(_LASTING, 1 / answers) * (ratio - before.lasting)
        off += _AT_ONCE * (ratio - lasting - off)
        everybody = {**everybody, candidate: _Known(answers, lasting, off, now_s)}
        total = sum(each.answers for each in everybody.values())
        shared = sum(each.answers * each.lasting for each in everybody.values()) / total
        self._state = (everybody, shared if total >= _FEW_ANSWERS else None)


class Learned(NamedTuple):
    """What history says of one request by candidate, where it knows: seconds of the answer, its tokens, today's tempo."""

    seconds: Mapping[str, float]
    answer_tokens: Mapping[str, float]
    tempo: Tempo
