"""Two hundred requests at once against four slots and faults, then ten thousand: nothing late, lost or left behind.

    python benchmarks/crowd.py [--kinds ollama] [--requests N]

The emulator runs in a process of its own (`crowd_server.py`). Faults of every kind, each with a share of its own and
5 % together, strike its answers, listings and health checks; half of the requests stream, some leave early, some
have little time. A provider that nobody listens at is a fault of all requests at once and comes last, by itself.
Breaker, retries and health checks have their default settings; the time limits are short.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import random
import subprocess
import sys
import time
import urllib.request
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import linear_regression, median, quantiles
from typing import Any

from common import Table, parser, report, say
from crowd_server import INSIDE
from fault_trials import ANSWER, KEY_VARIABLE, KINDS, MODELS, settings
from process import descriptors, resident_bytes

from turnout.config.providers import BreakerSettings, QueueLimits, RetrySettings, Timeouts
from turnout.emulators.admin import ADMIN
from turnout.emulators.faults import Fault, FaultName
from turnout.errors import ProviderError
from turnout.providers import Fleet
from turnout.types import Answer, Attempt, CandidateState, ProviderEvent, Request

KINDS_HERE = ("ollama", "lmstudio")
AT_ONCE = 200
REQUESTS = 10_000
SLOTS = 4
SPEED = 100.0
FAULT_SHARE = 0.05
FAULT_S = 0.2
OUTAGE_S = 1.0
LIMITS = Timeouts(connect_s=1.0, first_token_s=1.0, load_s=2.0, chunk_s=1.0, total_s=3.0)
DEADLINE_S, SHORT_DEADLINE_S, SHORT_SHARE = 10.0, 1.0, 0.1
LEFT_SHARE = 0.02
SLACK_S = 0.5
STUCK_S = 15.0
"""No answer and no error this long after the deadline: given up."""
GROWTH_LIMIT_MIB = 1.0
SUBJECTS = ("caching", "locks", "queues", "retries", "schemas", "indexes", "tokens", "naïve clocks")
_REST_STEPS, _REST_S = 100, 0.1

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asking:
    """One request and how it is asked."""

    prompt: str
    streamed: bool
    leaves: bool
    deadline_s: float

    @classmethod
    def drawn(cls, chance: random.Random) -> Asking:
        """At random."""
        streamed = chance.random() < 0.5
        return cls(
            prompt(chance.choice(SUBJECTS)),
            streamed,
            streamed and chance.random() < LEFT_SHARE,
            SHORT_DEADLINE_S if chance.random() < SHORT_SHARE else DEADLINE_S,
        )


def prompt(subject: str) -> str:
    """A short answer is asked for."""
    return f"write 20 words about {subject}"


@dataclass
class Tally:
    """How requests ended. Seconds are in arrays, whose growth is no leak that could be taken for one."""

    outcomes: Counter[str] = field(default_factory=Counter)
    answered_s: array[float] = field(default_factory=lambda: array("d"))
    ended_s: array[float] = field(default_factory=lambda: array("d"))
    late: int = 0
    latest_s: float = -DEADLINE_S
    wrong_texts: int = 0
    unnamed: list[str] = field(default_factory=list)
    attempts: int = 0
    retries: int = 0
    errors_of_attempts: Counter[str] = field(default_factory=Counter)

    def attempted(self, attempt: Attempt) -> None:
        """Hear of one attempt."""
        self.attempts += 1
        self.retries += attempt.number > 1
        self.errors_of_attempts[attempt.error] += bool(attempt.error)

    def ended(self, outcome: str, seconds: float, deadline_s: float) -> None:
        """One request is over."""
        self.outcomes[outcome] += 1
        self.ended_s.append(seconds)
        if outcome == ANSWER:
            self.answered_s.append(seconds)
        self.late += seconds > deadline_s + SLACK_S
        self.latest_s = max(self.latest_s, seconds - deadline_s)

    def figures(self) -> Figures:
        """As the result has it."""
        return {
            "requests": self.outcomes.total(),
            "outcomes": dict(self.outcomes.most_common()),
            "answered_share": round(self.outcomes[ANSWER] / max(1, self.outcomes.total()), 4),
            "unnamed": len(self.unnamed),
            "unnamed_told": self.unnamed[:10],
            "late": self.late,
            "latest_after_deadline_s": round(self.latest_s, 3),
            "wrong_texts": self.wrong_texts,
            "answer_s": _spread(self.answered_s),
            "end_s": _spread(self.ended_s),
            "attempts": self.attempts,
            "retries": self.retries,
            "errors_of_attempts": dict(self.errors_of_attempts.most_common()),
        }


def _spread(seconds: Sequence[float]) -> Figures:
    if len(seconds) < 2:
        return {"p50": None, "p99": None, "max": None}
    return {
        "p50": round(median(seconds), 4),
        "p99": round(quantiles(seconds, n=100)[98], 4),
        "max": round(max(seconds), 4),
    }


@contextmanager
def provider(kind: str) -> Iterator[str]:
    """The address of an emulator in a process of its own."""
    command = [sys.executable, str(Path(__file__).with_name("crowd_server.py")), kind, str(SLOTS), str(SPEED)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait(timeout=10)


async def look(url: str, path: str, faults: Sequence[Figures] | None = None) -> Figures:
    """What the emulator tells of itself; with `faults` they are switched on."""

    def ask() -> Figures:
        data = None if faults is None else json.dumps(faults).encode()
        with urllib.request.urlopen(urllib.request.Request(url + path, data), timeout=10) as answer:
            told: Figures = json.loads(answer.read())
        return told

    return await asyncio.to_thread(ask)


def mixed_faults(chance: random.Random) -> list[Figures]:
    """Every fault that strikes single requests, with shares drawn at random that add up to FAULT_SHARE."""
    names = [name for name in FaultName if name is not FaultName.REFUSED]
    weights = [chance.uniform(0.2, 1.0) for _ in names]
    return [
        {"name": name, "rate": FAULT_SHARE * weight / sum(weights), "seconds": FAULT_S}
        for name, weight in zip(names, weights, strict=True)
    ]


class Crowd:
    """A fleet of one provider and those who ask it."""

    def __init__(self, fleet: Fleet, candidate: str, seed: int = 0) -> None:
        self.fleet = fleet
        self.candidate = candidate
        self.chance = random.Random(seed)
        self.right: dict[str, str] = {}
        self.tally = Tally()
        self.openings = 0
        fleet.on_attempt(lambda attempt: self.tally.attempted(attempt))
        fleet.on_event(self._heard)

    def _heard(self, event: ProviderEvent) -> None:
        self.openings += event.kind == "breaker" and event.after == "open"

    @property
    def state(self) -> CandidateState:
        """The candidate now."""
        return self.fleet.snapshot().candidates[self.candidate]

    async def learn(self) -> None:
        """Every answer as it is without a fault."""
        for subject in SUBJECTS:
            answer = await self.fleet.complete(self.candidate, Request.of(prompt(subject)))
            self.right[prompt(subject)] = answer.text

    async def ask(self, asking: Asking) -> str:
        """One request; how it ended."""
        started_s = time.perf_counter()
        try:
            async with asyncio.timeout(asking.deadline_s + STUCK_S):
                outcome = await self._ask(asking)
        except ProviderError as error:
            outcome = error.code
        except TimeoutError:
            outcome = "stuck"
            self.tally.unnamed.append(f"nothing came of {asking}")
        except Exception as error:  # that is what must never happen; the others go on
            outcome = "unnamed"
            self.tally.unnamed.append(f"{type(error).__name__}: {error}")
        self.tally.ended(outcome, time.perf_counter() - started_s, asking.deadline_s)
        return outcome

    async def _ask(self, asking: Asking) -> str:
        request = Request.of(asking.prompt)
        text = ""
        if asking.streamed:
            async with aclosing(
                self.fleet.stream(self.candidate, request, deadline_s=asking.deadline_s)
            ) as pieces:
                async for piece in pieces:
                    if asking.leaves:
                        return "left early"
                    text = piece.text if isinstance(piece, Answer) else text + piece.text
        else:
            text = (await self.fleet.complete(self.candidate, request, deadline_s=asking.deadline_s)).text
        if not text:
            return "empty answer"  # the fault of that name: tokens counted and no text, which is an answer
        self.tally.wrong_texts += text != self.right[asking.prompt]
        return ANSWER

    async def wave(self) -> None:
        """AT_ONCE requests at once, until the last has ended."""
        await asyncio.gather(*(self.ask(Asking.drawn(self.chance)) for _ in range(AT_ONCE)))

    def collect(self) -> Figures:
        """What was counted since the last time."""
        tally, self.tally = self.tally, Tally()
        openings, self.openings = self.openings, 0
        return {**tally.figures(), "breaker_openings": openings}

    async def rest(self) -> Figures:
        """Wait a little for everything to calm down; what then is still held."""
        for _ in range(_REST_STEPS):
            state = self.state
            if not state.running and not state.waiting and state.breaker == "closed":
                break
            await asyncio.sleep(_REST_S)
        return {"running": state.running, "waiting": state.waiting, "breaker": state.breaker}


async def endure(crowd: Crowd, requests: int) -> Figures:
    """Wave after wave, with a look at what this process holds after each."""
    memory: list[int | None] = []
    open_now: list[int | None] = []
    tasks: list[int] = []
    started_s = time.perf_counter()
    waves = max(2, requests // AT_ONCE)
    for number in range(1, waves + 1):
        await crowd.wave()
        gc.collect()
        memory.append(resident_bytes())
        open_now.append(descriptors())
        tasks.append(len(asyncio.all_tasks()))
        if number % 10 == 0:
            say(f"  {number * AT_ONCE:,} requests in {time.perf_counter() - started_s:.0f} s")
    figures = crowd.collect()
    figures["seconds"] = round(time.perf_counter() - started_s, 1)
    figures["most_tasks"] = max(tasks)
    figures["most_descriptors"] = max((one for one in open_now if one is not None), default=None)
    return {**figures, "memory": _memory([one for one in memory if one is not None])}


def _memory(samples: Sequence[int]) -> Figures | None:
    """Growth over the second half: between the medians of its first and last five waves, and as a slope."""
    half = [one / 1024 for one in samples[len(samples) // 2 :]]
    if len(half) < 2:
        return None
    slope = linear_regression(range(len(half)), half).slope
    few = min(5, len(half) // 2)
    return {
        "first_mib": round(samples[0] / 2**20, 2),
        "last_mib": round(samples[-1] / 2**20, 2),
        "requests_of_second_half": len(half) * AT_ONCE,
        "growth_mib": round((median(half[-few:]) - median(half[:few])) / 1024, 3),
        "slope_kib_per_1000": round(slope * 1000 / AT_ONCE, 2),
        "samples_mib": [round(one / 2**20, 2) for one in samples],
    }


async def survive_outage(crowd: Crowd, url: str) -> Figures:
    """Nobody listens for a second in the middle of a wave; then how long until an answer comes again."""
    wave = asyncio.create_task(crowd.wave())
    await asyncio.sleep(FAULT_S)
    await look(url, f"{ADMIN}faults", [{"name": FaultName.REFUSED, "seconds": OUTAGE_S, "count": 1}])
    refused_s = time.perf_counter()
    await wave
    figures = crowd.collect()
    single = Asking(prompt(SUBJECTS[0]), False, False, DEADLINE_S)
    while (outcome := await crowd.ask(single)) != ANSWER and time.perf_counter() < refused_s + 60:
        await asyncio.sleep(_REST_S)
    crowd.collect()
    back_s = round(time.perf_counter() - refused_s, 2) if outcome == ANSWER else None
    return {**figures, "refused_s": OUTAGE_S, "answers_again_after_s": back_s}


async def run_kind(kind: str, requests: int, url: str) -> Figures:
    """Everything with one kind of provider."""
    open_before, tasks_before = descriptors(), len(asyncio.all_tasks())
    wide = settings(
        kind,
        url,
        timeouts=LIMITS,
        retry=RetrySettings(),
        breaker=BreakerSettings(),
        queue=QueueLimits(
            max_concurrent=SLOTS, max_concurrent_per_candidate=SLOTS, max_waiting=AT_ONCE, max_wait_s=DEADLINE_S
        ),
    )
    async with Fleet([wide]) as fleet:
        crowd = Crowd(fleet, f"{kind}/{MODELS[kind]}")
        await fleet.load(crowd.candidate)
        await crowd.learn()
        crowd.collect()
        faults = mixed_faults(crowd.chance)
        await look(url, f"{ADMIN}faults", faults)
        say(f"{kind}: {AT_ONCE} at once ...")
        await crowd.wave()
        figures: Figures = {"faults": faults, "crowd": crowd.collect()}
        say(f"{kind}: {requests:,} in waves ...")
        figures["endurance"] = await endure(crowd, requests)
        state = await look(url, f"{ADMIN}state")
        figures["struck"] = state["struck"]
        await asyncio.to_thread(_without_faults, url)
        figures["rest"] = await crowd.rest()
        say(f"{kind}: an outage ...")
        figures["outage"] = await survive_outage(crowd, url)
        figures["rest_after_outage"] = await crowd.rest()
    for _ in range(_REST_STEPS):
        if descriptors() == open_before and len(asyncio.all_tasks()) == tasks_before:
            break
        await asyncio.sleep(_REST_S)
    inside, state = await look(url, INSIDE), await look(url, f"{ADMIN}state")
    figures["server"] = {**inside, "counters": state["counters"], "pending": state["pending"]}
    figures["descriptors"] = {"before": open_before, "after": descriptors()}
    figures["tasks"] = {"before": tasks_before, "after": len(asyncio.all_tasks())}
    return figures


def _without_faults(url: str) -> None:
    request = urllib.request.Request(f"{url}{ADMIN}faults", method="DELETE")
    urllib.request.urlopen(request, timeout=10).close()


def verdicts(figures: Figures) -> list[tuple[str, object, object, bool]]:
    """Every aim: what it is of, the figure, the aim, whether it is reached."""
    parts = [figures[name] for name in ("crowd", "endurance", "outage")]
    server, memory = figures["server"], figures["endurance"]["memory"]
    unnamed, late, wrong = (sum(part[key] for part in parts) for key in ("unnamed", "late", "wrong_texts"))
    most, running = server["most_for_long"], server["counters"]["max_running"]
    growth = None if memory is None else memory["growth_mib"]
    left_here, left_there = (sum(rest[key] for rest in (figures["rest"], figures["rest_after_outage"])) for key in ("running", "waiting"))
    opened = figures["crowd"]["breaker_openings"] + figures["endurance"]["breaker_openings"]
    breaker = figures["rest_after_outage"]["breaker"]
    open_before, open_after = figures["descriptors"].values()
    tasks_before, tasks_after = figures["tasks"].values()
    return [
        ("unnamed errors, or none at all", unnamed, 0, unnamed == 0),
        (f"later than the deadline and {SLACK_S:g} s", late, 0, late == 0),
        ("answers with another text", wrong, 0, wrong == 0),
        ("requests inside the server at once", most, f"≤ {SLOTS}", most <= SLOTS),
        ("generations at once", running, f"≤ {SLOTS}", running <= SLOTS),
        ("slots held, requests waiting at rest", left_here + left_there, 0, left_here + left_there == 0),
        ("still generating or waiting at the server", server["inside"] + server["counters"]["running"], 0, server["inside"] + server["counters"]["running"] == 0),
        (f"breaker openings under {FAULT_SHARE:.0%} faults", opened, 0, opened == 0),
        ("breaker at rest", breaker, "closed", breaker == "closed"),
        ("descriptors more than before", None if open_before is None else open_after - open_before, 0, open_before == open_after),
        ("tasks more than before", tasks_after - tasks_before, 0, tasks_after == tasks_before),
        ("MiB of growth over the second half", growth, f"< {GROWTH_LIMIT_MIB:g}", growth is None or growth < GROWTH_LIMIT_MIB),
    ]
