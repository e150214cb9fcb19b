"""What was found in a history on the way to training arrays, for reports."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class HistoryCounts:
    """Decisions: `read`, with a usable `scored` candidate, `kept` in the arrays, `skipped` by reason.

    `support` counts scored decisions by candidate, before any sample; `earlier` the scores that were left out because
    another language model stood behind the name; `first_at` and `last_at` are of the decisions read, Unix seconds.
    `seconds` and `cost_usd` are means by candidate: measured, and expected at the time.
    """

    read: int = 0
    scored: int = 0
    kept: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    support: Counter[str] = field(default_factory=Counter)
    earlier: Counter[str] = field(default_factory=Counter)
    first_at: float = 0.0
    last_at: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)
    cost_usd: dict[str, float] = field(default_factory=dict)

    def cheapest_first(self, min_support: int) -> tuple[str, ...]:
        """Candidates with enough scored decisions: by mean cost where it is known of all and differs, else by seconds.

        Costs are those that were expected of all candidates for the same requests, seconds are known of who was asked.
        """
        names = sorted(name for name, count in self.support.items() if count >= min_support)
        costs = [self.cost_usd.get(name) for name in names]
        by_cost = None not in costs and len(set(costs)) > 1
        known = self.cost_usd if by_cost else self.seconds
        return tuple(sorted(names, key=lambda name: known.get(name, math.inf)))

    def to_json(self) -> dict[str, Any]:
        """Plain values by name."""
        return {
            "read": self.read,
            "scored": self.scored,
            "kept": self.kept,
            "skipped": dict(self.skipped),
            "support": dict(self.support),
            "of an earlier language model": dict(self.earlier),
            "first_at": self.first_at,
            "last_at": self.last_at,
            "seconds": self.seconds,
            "cost_usd": self.cost_usd,
        }


class Means:
    """Means by name of what comes one by one."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._counts: Counter[str] = Counter()

    def add(self, name: str, value: float) -> None:
        """One more value."""
        self._sums[name] = self._sums.get(name, 0.0) + value
        self._counts[name] += 1

    def by_name(self) -> dict[str, float]:
        """The mean of each."""
        return {name: total / self._counts[name] for name, total in self._sums.items()}
