"""Which waiting request starts next at one provider. Pure: requests and a clock in, tickets out.

Bringing a language model into memory takes seconds to minutes and may end what runs on the one that makes room, so
requests for resident ones go first, a swap waits until there is an idle one to give up, and nobody waits for ever:
once a request has waited `starvation_s`, later ones for resident candidates no longer pass it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable

from turnout.config.providers import QueueLimits

_SMOOTHING = 0.2  # weight of the newest service time in the running mean
_LEAST_LEFT = 0.3
"""What takes longer than expected still needs this share of it: answers' lengths are skewed, and the mean residual of
a log-normal with a spread of .6 does not fall below about this."""


class Ticket:
    """One request: waiting until `started_s` is set. `expected_s` is how long it will likely hold its slot."""

    __slots__ = ("asked_s", "candidate", "expected_s", "started_s")

    def __init__(self, candidate: str, asked_s: float, expected_s: float | None = None) -> None:
        self.candidate = candidate
        self.asked_s = asked_s
        self.expected_s = expected_s
        self.started_s: float | None = None


class Schedule:
    """The slots of one provider. `max_resident` None means that every candidate is always at hand."""

    def __init__(
        self, limits: QueueLimits, *, max_resident: int | None = None, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits = limits
        self._max_resident = limits.max_resident if limits.max_resident is not None else max_resident
        self._now = now
        self._waiting: list[Ticket] = []
        self._running: Counter[str] = Counter()
        self._started: set[Ticket] = set()
        self._resident: dict[str, None] = {}  # least recently started first
        self._service_s: float | None = None
        self._swapped_s = float("-inf")  # when another candidate was last brought in

    @property
    def running(self) -> int:
        """Requests that have a slot."""
        return len(self._started)

    def running_for(self, candidate: str) -> int:
        """Requests of one candidate that have a slot."""
        return self._running[candidate]

    def waiting_for(self, candidate: str) -> int:
        """Requests of one candidate that wait."""
        return sum(ticket.candidate == candidate for ticket in self._waiting)

    def work_s(self, candidate: str, mean_s: float | None) -> float | None:
        """Seconds that one slot would need for what runs and waits of one candidate; None where nobody can tell.

        Args:
            candidate: the language model.
            mean_s: what its answers take on average, for requests that came without an expectation.
        """
        now, work_s = self._now(), 0.0
        for ticket in (*self._waiting, *self._started):
            if ticket.candidate != candidate:
                continue
            expected_s = mean_s if ticket.expected_s is None else ticket.expected_s
            if expected_s is None:
                return None
            held_s = 0.0 if ticket.started_s is None else now - ticket.started_s
            work_s += max(expected_s - held_s, _LEAST_LEFT * expected_s)
        return work_s

    @property
    def waiting(self) -> int:
        """Requests that wait."""
        return len(self._waiting)

    @property
    def retry_after_s(self) -> float:
        """When a place is likely: what runs and waits, at the mean time each has taken, over the slots."""
        ahead = (self.running + self.waiting) / self._limits.max_concurrent
        return max(0.1, ahead * (self._service_s if self._service_s is not None else 1.0))

    def ask(self, candidate: str, since_s: float | None = None, expected_s: float | None = None) -> Ticket | None:
        """A ticket, or None where the queue is full. It may start only when `next` hands it out.

        A request that comes back after a failed try says since when it waits, and takes that place again.
        """
        ticket = Ticket(candidate, self._now() if since_s is None else since_s, expected_s)
        # A free slot is not a place in the queue: with room to run at once, even a queue of length 0 admits.
        if len(self._waiting) >= self._limits.max_waiting and not (self._may_start(ticket) and not self._waiting):
            return None
        place = len(self._waiting)
        while place and self._waiting[place - 1].asked_s > ticket.asked_s:
            place -= 1
        self._waiting.insert(place, ticket)
        return ticket

    def next(self) -> Ticket | None:
        """Start and return the request whose turn it is; None where all have to wait."""
        if not self._waiting or self.running >= self._limits.max_concurrent:
            return None
        now = self._now()
        if len(self._waiting) == 1:  # nobody to choose among, nobody to pass
            only = self._waiting[0]
            return self._start(only, now) if self._may_start(only) else None
        # What was just brought in keeps its place as long as anybody has to wait: else a long queue swaps at each start.
        bound_s = now - self._limits.starvation_s
        late = (t for t in self._waiting if t.asked_s <= bound_s and not self._is_resident(t.candidate))
        starving = None if self._swapped_s > bound_s else next(late, None)
        # Who has waited too long is passed no more; those that came before it still go first.
        last = len(self._waiting) if starving is None else self._waiting.index(starving) + 1
        ready = [ticket for ticket in self._waiting[:last] if self._may_start(ticket)]
        chosen = next((t for t in ready if self._is_resident(t.candidate)), None) or next(iter(ready), None)
        return None if chosen is None else self._start(chosen, now)

    def leave(self, ticket: Ticket) -> None:
        """The request is done, failed, or gives up waiting."""
        if ticket.started_s is None:
            self._waiting.remove(ticket)
            return
        self._started.discard(ticket)
        took_s = self._now() - ticket.started_s
        old = self._service_s
        self._service_s = took_s if old is None else old + _SMOOTHING * (took_s - old)
        self._running[ticket.candidate] -= 1
        if not self._running[ticket.candidate]:
            del self._running[ticket.candidate]

    @property
    def resident(self) -> frozenset[str] | None:
        """What is in memory as far as starts and looks tell; None where everything is at hand."""
        return None if self._max_resident is None else frozenset(self._resident)

    def observe(self, resident: Iterable[str]) -> None:
        """What the provider says is in memory; what runs here counts as resident whatever it says."""
        told = set(resident) | self._running.keys()
        self._resident = {name: None for name in self._resident if name in told} | dict.fromkeys(sorted(told))

    def _start(self, ticket: Ticket, now: float) -> Ticket:
        self._waiting.remove(ticket)
        ticket.started_s = now
        self._started.add(ticket)
        self._running[ticket.candidate] += 1
        if self._max_resident is not None and ticket.candidate not in self._resident:
            self._swapped_s = now
            while len(self._resident) >= self._max_resident and (idle := self._idle()) is not None:
                del self._resident[idle]
        self._resident.pop(ticket.candidate, None)
        self._resident[ticket.candidate] = None
        return ticket

    def _may_start(self, ticket: Ticket) -> bool:
        if self.running >= self._limits.max_concurrent:
            return False
        if self._running[ticket.candidate] >= self._limits.max_concurrent_per_candidate:
            return False
        # A swap puts out an idle one: there is one as long as fewer are at work than may be in memory.
        return self._is_resident(ticket.candidate) or len(self._running) < (self._max_resident or 0)

    def _is_resident(self, candidate: str) -> bool:
        return self._max_resident is None or candidate in self._resident

    def _idle(self) -> str | None:
        return next((name for name in self._resident if not self._running[name]), None)
