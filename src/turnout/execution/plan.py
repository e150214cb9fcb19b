"""Who is asked next: the order of the decision, without those who failed, and somebody better for an untrusted answer.

Pure bookkeeping for one request; knows neither time nor providers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from turnout.errors import AuthenticationError, ContextOverflowError, ProviderError, UnreachableError
from turnout.types import Ranked

MIN_GAIN: Final = 0.1
"""Another candidate is asked for an untrusted answer only if its chance of success is this much above the confidence in
what is there: below it, the calibration error of either figure (.02 to .07, see benchmarks/quality.md) eats the gain."""

SAME_PROVIDER_LAST: Final = (UnreachableError, AuthenticationError)
"""Errors of a whole provider: its other candidates would most likely fail alike."""


class Plan:
    """The candidates of one request, and who of them is left.

    Args:
        ranking: best first.
        strength: position of each candidate from the cheapest to the most expensive; breaks ties between equal utilities.
        window: the context window of a candidate in tokens; None where unknown.
        max_attempts: how many candidates may be asked in all.
    """

    def __init__(
        self,
        ranking: Sequence[Ranked],
        *,
        strength: Mapping[str, int],
        window: Callable[[str], int | None],
        max_attempts: int,
    ) -> None:
        self._ranking = ranking
        self._strength = strength
        self._window = window
        self._left = max_attempts
        self._asked: set[str] = set()
        self._suspects: set[str] = set()
        self._needs_window = 0

    def first(self) -> Ranked:
        """The one that was decided for."""
        return self._take(self._ranking[0])

    def failed(self, candidate: str, error: ProviderError) -> None:
        """Learn from a failure: what it says about the others."""
        if isinstance(error, SAME_PROVIDER_LAST):
            self._suspects.add(candidate.partition("/")[0])
        if isinstance(error, ContextOverflowError):
            self._needs_window = max(self._needs_window, self._window(candidate) or 0)

    def fallback(self, problem: Callable[[str], str]) -> Ranked | None:
        """The next candidate after a failure; None where nobody is left.

        Args:
            problem: why a candidate cannot be asked now; empty where it can.
        """
        entry = next(self._able(problem), None)
        return None if entry is None else self._take(entry)

    def better(self, confidence: float, *, left_s: float, problem: Callable[[str], str]) -> Ranked | None:
        """The most useful of those that are worth asking about an untrusted answer; None where nobody is.

        What is there costs nothing more: another one is worth its expense where its utility, at the request's own exchange
        rate, is above the confidence in that. Of whom nothing was learned, expense tells only who is the stronger.

        Args:
            confidence: in the best answer so far.
            left_s: seconds until the deadline; whoever is expected to take longer is not asked.
            problem: see `fallback`.
        """
        worthwhile = [
            entry
            for entry in self._remaining()
            if entry.p_success >= confidence + MIN_GAIN
            and _worth(entry) > confidence
            and left_s > (entry.expected_s or 0.0)
            and self._is_large_enough(entry)
            and not problem(entry.candidate)
        ]
        if not worthwhile:
            return None
        return self._take(max(worthwhile, key=lambda entry: (_worth(entry), self._strength.get(entry.candidate, -1))))

    def next_expected_s(self, problem: Callable[[str], str]) -> float | None:
        """Seconds that the one who would be asked next should take; None where nobody is left or nobody knows."""
        entry = next(self._able(problem), None)
        return None if entry is None else entry.expected_s

    def _able(self, problem: Callable[[str], str]) -> Iterator[Ranked]:
        """Who could be asked, in order; those of a provider that is under suspicion last."""
        for suspected in (False, True) if self._suspects else (False,):
            for entry in self._remaining():
                is_suspect = entry.candidate.partition("/")[0] in self._suspects
                if is_suspect is suspected and self._is_large_enough(entry) and not problem(entry.candidate):
                    yield entry

    def _remaining(self) -> list[Ranked]:
        return [entry for entry in self._ranking if entry.candidate not in self._asked] if self._left > 0 else []

    def _is_large_enough(self, entry: Ranked) -> bool:
        if not self._needs_window:
            return True
        window = self._window(entry.candidate)
        return window is None or window > self._needs_window

    def _take(self, entry: Ranked) -> Ranked:
        self._asked.add(entry.candidate)
        self._left -= 1
        return entry


def _worth(entry: Ranked) -> float:
    return entry.utility if entry.learned else entry.p_success
