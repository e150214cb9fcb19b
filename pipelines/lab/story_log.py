"""What a life leaves behind: a row for each request with what every candidate would have made of it, and events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]
EventKind: TypeAlias = Literal["phase", "refused", "inconclusive", "promoted", "alarm", "swapped", "rolled back"]

FAST, STRONG = 0, 1
"""Columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One live request.

    candidate : who answered, FAST or STRONG. explored : whether that was drawn. predictor : the champion that decided.
    scores, seconds : of both on this prompt, over the same way; for who answered, those of the live answer.
    """

    phase: str
    prompt: str
    family: str
    difficulty: int
    candidate: int
    explored: bool
    predictor: str
    scores: tuple[float, float]
    seconds: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened after so many requests; `took_s` where a job did it."""

    at: int
    kind: EventKind
    told: str
    took_s: float = 0.0
    details: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Life:
    """Rows as arrays: phase str (n,), candidate int (n,), explored bool (n,), scores and seconds float64 (n, 2)."""

    phase: NDArray[np.str_]
    candidate: NDArray[np.int64]
    explored: NDArray[np.bool_]
    scores: Array
    seconds: Array

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Life:
        """The arrays of at least one row."""
        return cls(
            np.array([row.phase for row in rows]),
            np.array([row.candidate for row in rows], np.int64),
            np.array([row.explored for row in rows], bool),
            np.array([row.scores for row in rows], np.float64),
            np.array([row.seconds for row in rows], np.float64),
        )

    def __len__(self) -> int:
        return len(self.candidate)

    def take(self, which: NDArray[np.bool_]) -> Life:
        """Some of the rows."""
        return Life(*(getattr(self, name)[which] for name in ("phase", "candidate", "explored", "scores", "seconds")))


def learned_from_worse(events: Sequence[Event]) -> bool:
    """Whether the last promotion came while a worse file answered."""
    served = ""
    learned = False
    for event in events:
        if event.kind == "swapped":
            served = event.details["served"]
        if event.kind == "promoted":
            learned = served == "worse"
    return learned
