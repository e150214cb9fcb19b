"""How long an answer would have taken at each candidate, by the emulators' own figures and with lengths known.

It looks into the fleet's lanes, which nothing else should: the queue as it stood is played to its end on a copy, under
the same rules of scheduling, with the true times of everybody in it and of one more.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from day_world import CANDIDATES, Ask, Truth

from turnout.providers import Fleet
from turnout.providers.lane import Lane
from turnout.providers.schedule import Schedule, Ticket


@dataclass(eq=False)
class Job:
    """One request under way."""

    ask: Ask
    candidate: str = ""
    ticket: Ticket | None = None
    done: bool = False


CURRENT: ContextVar[Job | None] = ContextVar("job", default=None)


class Hindsight:
    """Follows the queues and loads of a fleet and tells what each choice would have come to."""

    def __init__(self, fleet: Fleet, truth: Truth) -> None:
        self._truth = truth
        self._lanes: dict[str, Lane] = fleet._lanes
        self._jobs: dict[str, list[Job]] = {name: [] for name in self._lanes}
        self._loading: dict[str, float] = {}
        self._loaded_s: dict[str, float] = {}
        self._memory: dict[str, str] = {name: "" for name in self._lanes}
        for name, lane in self._lanes.items():
            self._follow_queue(name, lane)
            self._follow_loads(name, lane)

    def _follow_queue(self, provider: str, lane: Lane) -> None:
        ask = lane.queue.schedule.ask

        def asked(model: str) -> Ticket | None:
            ticket, job = ask(model), CURRENT.get()
            if job is not None and ticket is not None:
                job.ticket = ticket
                self._jobs[provider].append(job)
            return ticket

        lane.queue.schedule.ask = asked  # type: ignore[method-assign]

    def _follow_loads(self, provider: str, lane: Lane) -> None:
        load = lane.provider.load

        async def loading(model: str, *arguments: Any, **options: Any) -> None:
            candidate = f"{provider}/{model}"
            self._loading[candidate] = time.monotonic()
            try:
                await load(model, *arguments, **options)
                self._loaded_s[candidate] = time.monotonic()
                self._memory[provider] = candidate
            finally:
                del self._loading[candidate]

        lane.provider.load = loading  # type: ignore[method-assign]

    def seconds(self, ask: Ask) -> dict[str, float]:
        """From now to the end of the answer, by candidate."""
        return {name: self._played(name, ask) for name in CANDIDATES}

    def is_warm(self, candidate: str) -> bool:
        """Whether it is in memory now."""
        return self._memory[candidate.partition("/")[0]] == candidate

    def _played(self, candidate: str, ask: Ask) -> float:
        provider = candidate.partition("/")[0]
        lane, now_s = self._lanes[provider], time.monotonic()
        jobs = self._jobs[provider] = [job for job in self._jobs[provider] if not job.done]
        running = sorted((j for j in jobs if _ticket(j).started_s is not None), key=lambda j: _ticket(j).started_s or 0)
        waiting = [job for job in jobs if _ticket(job).started_s is None]
        clock_s = now_s
        queue = Schedule(lane.settings.queue, max_resident=lane.provider.max_resident, now=lambda: clock_s)
        memory, ready_s = self._memory[provider], {memory: now_s} if (memory := self._memory[provider]) else {}
        ends: list[tuple[float, Ticket]] = []
        queue.observe(lane.queue.schedule.resident or ())
        for name, began_s in self._loading.items():
            if name.startswith(f"{provider}/"):
                memory, ready_s = name, {name: max(now_s, began_s + self._truth.load_s(name))}
        for job in running:
            clock_s = _ticket(job).asked_s
            ticket = queue.ask(job.candidate.partition("/")[2])
            queue.next()
            assert ticket is not None
            ends.append((self._end_s(job, now_s), ticket))
        service_s: dict[Ticket, tuple[str, float]] = {}
        for job in [*waiting, Job(ask, candidate)]:
            clock_s = _ticket(job).asked_s if job.ticket is not None else now_s
            ticket = queue.ask(job.candidate.partition("/")[2])
            assert ticket is not None
            service_s[ticket] = (job.candidate, self._service_s(job))
        mine, clock_s = ticket, now_s
        while True:
            started = queue.next()
            if started is not None:
                name, takes_s = service_s[started]
                if name != memory or name not in ready_s:
                    memory, ready_s = name, {name: clock_s + self._truth.load_s(name)}
                end_s = max(clock_s, ready_s[name]) + takes_s
                if started is mine:
                    return end_s - now_s
                ends.append((end_s, started))
                continue
            if not ends:
                return float("inf")
            first = min(ends, key=lambda pair: pair[0])
            ends.remove(first)
            clock_s = max(clock_s, first[0])
            queue.leave(first[1])

    def _service_s(self, job: Job) -> float:
        return self._truth.service_s(job.candidate, job.ask.prompt_tokens, job.ask.answer_tokens[job.candidate])

    def _end_s(self, job: Job, now_s: float) -> float:
        """When a request that has its slot will be done."""
        started_s = _ticket(job).started_s or now_s
        if job.candidate in self._loading:
            ready_s = max(now_s, self._loading[job.candidate] + self._truth.load_s(job.candidate))
        else:
            ready_s = max(started_s, self._loaded_s.get(job.candidate, 0.0))
        return max(now_s, ready_s + self._service_s(job))


def _ticket(job: Job) -> Ticket:
    assert job.ticket is not None
    return job.ticket


def mine() -> asyncio.Task[Any] | None:
    """The task that runs now, which tells attempts of one request from those of others."""
    return asyncio.current_task()


def share(values: Sequence[bool]) -> float:
    """How many of them hold."""
    return sum(values) / len(values) if values else float("nan")
