"""How long things took, in fixed logarithmic buckets: any number of values in little memory, quantiles by interpolation.

Buckets grow by an eighth of an octave, so that a quantile is off by 9 % at most, whatever the range, and by far less
where values are spread evenly in a bucket. Only buckets that hold something are kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final, Self

BUCKETS_PER_OCTAVE: Final = 8
SHORTEST_S: Final = 1e-4
LONGEST_S: Final = 1e4
"""Shorter and longer values count as these: a tenth of a millisecond and almost three hours."""

_LAST: Final = math.ceil(math.log2(LONGEST_S / SHORTEST_S) * BUCKETS_PER_OCTAVE) - 1


@dataclass(frozen=True, slots=True)
class Spread:
    """What is told of many durations, in seconds; None where there were none."""

    count: int = 0
    mean_s: float | None = None
    p50_s: float | None = None
    p95_s: float | None = None
    p99_s: float | None = None


NOTHING: Final = Spread()


class Histogram:
    """Counts of durations in seconds."""

    __slots__ = ("_buckets", "count", "sum_s")

    def __init__(self) -> None:
        self.count = 0
        self.sum_s = 0.0
        self._buckets: dict[int, int] = {}

    def add(self, seconds: float) -> None:
        """Take in one duration."""
        at = int(math.log2(seconds / SHORTEST_S) * BUCKETS_PER_OCTAVE) if seconds > SHORTEST_S else 0
        at = min(at, _LAST)
        self.count += 1
        self.sum_s += seconds
        self._buckets[at] = self._buckets.get(at, 0) + 1

    def merge(self, other: Histogram) -> None:
        """Take in all durations of another one."""
        self.count += other.count
        self.sum_s += other.sum_s
        for at, count in other._buckets.items():
            self._buckets[at] = self._buckets.get(at, 0) + count

    def quantile(self, share: float) -> float | None:
        """The duration that this share of all stays under; None where there were none.

        Inside a bucket values are taken to lie evenly on the logarithmic scale.
        """
        wanted = share * self.count
        below = 0
        for at, count in sorted(self._buckets.items()):
            if below + count >= wanted:
                inside = (wanted - below) / count
                return float(SHORTEST_S * 2 ** ((at + inside) / BUCKETS_PER_OCTAVE))
            below += count
        return None

    def octaves(self, first: int, last: int) -> list[tuple[float, int]]:
        """How many durations are below each doubling of the shortest one, from the `first` to the `last` doubling."""
        counts = [0] * (last + 1)
        for at, count in self._buckets.items():
            octave = max(at // BUCKETS_PER_OCTAVE + 1, first)
            if octave <= last:
                counts[octave] += count
        below = list(accumulate(counts))
        return [(SHORTEST_S * 2**octave, below[octave]) for octave in range(first, last + 1)]

    def to_json(self) -> dict[str, Any]:
        """Plain values, from which `of_json` makes the same histogram."""
        return {"sum_s": self.sum_s, "buckets": [[at, count] for at, count in sorted(self._buckets.items())]}

    @classmethod
    def of_json(cls, value: Any) -> Self:
        """A histogram that was told by another process.

        Raises:
            ValueError: it is none.
        """
        made = cls()
        try:
            made.sum_s = float(value["sum_s"])
            made._buckets = {int(at): int(count) for at, count in value["buckets"]}
        except (TypeError, KeyError, ValueError, OverflowError) as error:
            raise ValueError(f"no histogram: {error!r}") from error
        if not (math.isfinite(made.sum_s) and all(0 <= at <= _LAST for at in made._buckets)):
            raise ValueError("no histogram: a bucket or a sum that cannot be")
        made.count = sum(made._buckets.values())
        return made

    def spread(self) -> Spread:
        """Mean and quantiles."""
        if not self.count:
            return NOTHING
        p50_s, p95_s, p99_s = map(self.quantile, (0.5, 0.95, 0.99))
        return Spread(self.count, self.sum_s / self.count, p50_s, p95_s, p99_s)
