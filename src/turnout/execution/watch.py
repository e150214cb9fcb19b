"""What is known of the outside now: the fleet's snapshot with the machine's resources, taken at most every few milliseconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Protocol

from turnout.types import Resources, Snapshot

FRESH_S: Final = 0.01
"""Under load many requests decide on one snapshot: what it costs is shared, and a queue is not much longer so soon."""


class Observes(Protocol):
    """Who sees the providers; the fleet does."""

    def snapshot(self) -> Snapshot:
        """What is known now, from memory."""
        ...


class Watch:
    """The latest snapshot.

    Args:
        fleet: sees the providers.
        resources: the latest sample of the machine; None where nothing samples it.
        now: the monotonic clock.
    """

    def __init__(
        self,
        fleet: Observes,
        resources: Callable[[], Resources | None] = lambda: None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fleet = fleet
        self._resources = resources
        self._now = now
        self._latest = Snapshot(taken_s=float("-inf"))

    def snapshot(self) -> Snapshot:
        """A snapshot of at most `FRESH_S` of age."""
        if self._now() - self._latest.taken_s >= FRESH_S:
            self._latest = replace(self._fleet.snapshot(), resources=self._resources())
        return self._latest

    def forget(self) -> None:
        """Take the next snapshot anew, whatever the age of the latest."""
        self._latest = Snapshot(taken_s=float("-inf"))

    def problem(self, candidate: str) -> str:
        """Why a candidate cannot be asked, as of a moment ago; empty where it can."""
        state = self.snapshot().candidates.get(candidate)
        return "" if state is None else state.problem
