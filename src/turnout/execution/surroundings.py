"""What all runs of a client share: who answers, who judges, below which confidence another candidate is asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from turnout.execution.race import Pieces
from turnout.execution.threshold import Threshold
from turnout.types import Answer, Attempt, Request


class Asks(Protocol):
    """What a run needs of the providers; the fleet has it."""

    async def complete(
        self,
        candidate: str,
        request: Request,
        *,
        deadline_s: float | None = None,
        expected_s: float | None = None,
        on_attempt: Callable[[Attempt], None] | None = None,
    ) -> Answer:
        """One whole answer."""
        ...

    def stream(
        self,
        candidate: str,
        request: Request,
        *,
        deadline_s: float | None = None,
        patience_s: float | None = None,
        expected_s: float | None = None,
        on_attempt: Callable[[Attempt], None] | None = None,
    ) -> Pieces:
        """Chunks, then the whole answer, last."""
        ...


class Judges(Protocol):
    """How far an answer can be trusted."""

    def __call__(
        self, request: Request, answer: Answer, prior: float
    ) -> tuple[float, Mapping[str, float | bool | None]]:
        """The probability that the answer is good, and the signals that it was judged by."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all runs of a client share. `problem` tells why a candidate cannot be asked now; empty where it can."""

    asks: Asks
    judge: Judges
    threshold: Threshold
    problem: Callable[[str], str]
    now: Callable[[], float] = time.monotonic
