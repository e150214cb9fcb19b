"""How long an answer would have taken at each candidate, by the emulators' own figures and with all lengths known.

It looks into the fleet's lanes, which nothing else should: the queue as it stood at a decision is written down, and
when the day is over played to its end under the same rules of scheduling, with the true times of everybody in it and of
one request more. What came later is left out: nobody could know.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from day_world import Ask, Truth

from turnout.config.providers import QueueLimits
from turnout.providers import Fleet
from turnout.providers.lane import Lane
from turnout.providers.schedule import Schedule, Ticket


@dataclass(eq=False)
class Job:
    """One request under way."""

    ask: Ask
    candidate: str
    ticket: Ticket | None = None
    done: bool = False


CURRENT: ContextVar[Job | None] = ContextVar("CURRENT", default=None)


@dataclass(frozen=True)
class Queued:
    """One request before ours: when it asked, when it will be done if it runs, how long it takes once it does."""

    candidate: str
    asked_s: float
    ends_s: float | None
    service_s: float


@dataclass(frozen=True)
class Moment:
    """One provider at a decision: what the queue holds for resident, what is in memory or on its way, who is before us."""

    at_s: float
    limits: QueueLimits
    max_resident: int | None
    resident: frozenset[str]
    memory: str
    ready_s: float
    before: tuple[Queued, ...]


class Hindsight:
    """Follows the queues of a fleet, and what each start brings into memory."""

    def __init__(self, fleet: Fleet, truth: Truth) -> None:
        self._truth = truth
        self._lanes: dict[str, Lane] = fleet._lanes
        self._jobs: dict[str, list[Job]] = {name: [] for name in self._lanes}
        self._memory: dict[str, tuple[str, float]] = dict.fromkeys(self._lanes, ("", 0.0))
        self._begins_s: dict[Ticket, float] = {}
        for name, lane in self._lanes.items():
            self._follow_queue(name, lane)
            self._follow_starts(name, lane)

    def _follow_queue(self, provider: str, lane: Lane) -> None:
        ask = lane.queue.schedule.ask

        def asked(model: str, *since: Any) -> Ticket | None:
            ticket, job = ask(model, *since), CURRENT.get()
            if job is not None and ticket is not None:
                job.ticket = ticket
                self._jobs[provider].append(job)
            return ticket

        lane.queue.schedule.ask = asked  # type: ignore[method-assign]

    def _follow_starts(self, provider: str, lane: Lane) -> None:
        start = lane.queue.schedule.next

        def started() -> Ticket | None:
            ticket = start()
            if ticket is not None:
                now_s, candidate = time.monotonic(), f"{provider}/{ticket.candidate}"
                memory, ready_s = self._memory[provider]
                if memory != candidate:  # one language model at a time: whoever starts brings its own
                    ready_s = now_s + self._truth.load_s(candidate)
                    self._memory[provider] = (candidate, ready_s)
                self._begins_s[ticket] = max(now_s, ready_s)
            return ticket

        lane.queue.schedule.next = started  # type: ignore[method-assign]

    def moments(self) -> dict[str, Moment]:
        """Every provider as it is now."""
        return {name: self._moment(name, lane) for name, lane in self._lanes.items()}

    def _moment(self, provider: str, lane: Lane) -> Moment:
        now_s = time.monotonic()
        jobs = self._jobs[provider] = [job for job in self._jobs[provider] if not job.done]
        memory, ready_s = self._memory[provider]
        queued = [self._queued(job, job.ticket) for job in jobs if job.ticket is not None]
        return Moment(
            now_s,
            lane.settings.queue,
            lane.provider.max_resident,
            lane.queue.schedule.resident or frozenset(),
            memory,
            ready_s,
            tuple(queued),
        )

    def _queued(self, job: Job, ticket: Ticket) -> Queued:
        service_s = self._truth.service_s(job.candidate, job.ask.prompt_tokens, job.ask.answer_tokens[job.candidate])
        begins_s = self._begins_s.get(ticket)
        return Queued(job.candidate, ticket.asked_s, None if begins_s is None else begins_s + service_s, service_s)


def is_warm(moment: Moment, candidate: str) -> bool:
    """Whether it was in memory, or on its way there."""
    return moment.memory == candidate


def played(moment: Moment, candidate: str, ask: Ask, truth: Truth) -> float:
    """Seconds from the decision to the end of the answer, had this candidate been asked."""
    clock_s = moment.at_s
    queue = Schedule(moment.limits, max_resident=moment.max_resident, now=lambda: clock_s)
    queue.observe(moment.resident)
    ends: list[tuple[float, Ticket]] = []
    work: dict[Ticket, Queued] = {}
    service_s = truth.service_s(candidate, ask.prompt_tokens, ask.answer_tokens[candidate])
    ours = Queued(candidate, moment.at_s, None, service_s)
    order = sorted(moment.before, key=lambda entry: (entry.ends_s is None, entry.asked_s))
    ticket = None
    for entry in [*order, ours]:
        clock_s = entry.asked_s
        ticket = queue.ask(entry.candidate.partition("/")[2])
        assert ticket is not None
        work[ticket] = entry
        if entry.ends_s is not None:
            queue.next()
            ends.append((max(moment.at_s, entry.ends_s), ticket))
    mine, clock_s = ticket, moment.at_s
    memory, ready_s = moment.memory, moment.ready_s
    while True:
        started = queue.next()
        if started is not None:
            entry = work[started]
            if entry.candidate != memory:
                memory, ready_s = entry.candidate, clock_s + truth.load_s(entry.candidate)
            end_s = max(clock_s, ready_s) + entry.service_s
            if started is mine:
                return end_s - moment.at_s
            ends.append((end_s, started))
        elif ends:
            first = min(ends, key=lambda pair: pair[0])
            ends.remove(first)
            clock_s = max(clock_s, first[0])
            queue.leave(first[1])
        else:
            return float("inf")
