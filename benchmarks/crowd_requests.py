"""Those who ask in `crowd.py`: what each of them wants, how it ended, and all of them counted."""

from __future__ import annotations

import asyncio
import random
import time
from array import array
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any

from fault_trials import ANSWER

from turnout.config.providers import BreakerSettings
from turnout.errors import ProviderError
from turnout.providers import Fleet
from turnout.types import Answer, Attempt, CandidateState, ProviderEvent, Request

AT_ONCE = 200
DEADLINE_S, SHORT_DEADLINE_S, SHORT_SHARE = 10.0, 1.0, 0.1
LEFT_SHARE = 0.02
SLACK_S = 0.5
STUCK_S = 15.0
"""No answer and no error this long after the deadline: given up."""
SUBJECTS = ("caching", "locks", "queues", "retries", "schemas", "indexes", "tokens", "naïve clocks")
EMPTY = "empty answer"
"""What the fault of this name makes: tokens counted and no text, which is an answer."""
_REST_STEPS, _REST_S = 200, 0.1

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asking:
    """One request and how it is asked."""

    prompt: str
    streamed: bool
    leaves: bool
    deadline_s: float

    @property
    def is_patient(self) -> bool:
        """Whether nothing but a fault can keep it from an answer."""
        return not self.leaves and self.deadline_s == DEADLINE_S

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
    patient: Counter[bool] = field(default_factory=Counter)
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
        if attempt.error:
            self.errors_of_attempts[attempt.error] += 1

    def ended(self, outcome: str, seconds: float, asking: Asking) -> None:
        """One request is over."""
        deadline_s = asking.deadline_s
        self.outcomes[outcome] += 1
        if asking.is_patient:
            self.patient[outcome in (ANSWER, EMPTY)] += 1
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
            "answered_share_of_patient": round(self.patient[True] / max(1, self.patient.total()), 4),
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


class Crowd:
    """A fleet of one provider and those who ask it."""

    def __init__(self, fleet: Fleet, candidate: str, seed: int = 0) -> None:
        self.fleet = fleet
        self.candidate = candidate
        self.chance = random.Random(seed)
        self.right: dict[str, str] = {}
        self.tally = Tally()
        self.openings: list[str] = []
        self._recent: deque[str] = deque(maxlen=BreakerSettings().window)
        fleet.on_attempt(self._attempted)
        fleet.on_event(self._heard)

    def _attempted(self, attempt: Attempt) -> None:
        self.tally.attempted(attempt)
        if attempt.error not in ("queue_full", "circuit_open"):  # those never came to the provider
            self._recent.append(attempt.error or ANSWER)

    def _heard(self, event: ProviderEvent) -> None:
        if event.kind == "breaker" and event.after == "open":
            whose = event.model or event.provider
            self.openings.append(f"{whose} after {' '.join(self._recent)}")

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
        self.tally.ended(outcome, time.perf_counter() - started_s, asking)
        return outcome

    async def _ask(self, asking: Asking) -> str:
        request = Request.of(asking.prompt)
        text = ""
        if asking.streamed:
            async with aclosing(self.fleet.stream(self.candidate, request, deadline_s=asking.deadline_s)) as pieces:
                async for piece in pieces:
                    if asking.leaves:
                        return "left early"
                    text = piece.text if isinstance(piece, Answer) else text + piece.text
        else:
            text = (await self.fleet.complete(self.candidate, request, deadline_s=asking.deadline_s)).text
        if not text:
            return EMPTY
        self.tally.wrong_texts += text != self.right[asking.prompt]
        return ANSWER

    async def wave(self) -> None:
        """AT_ONCE requests at once, until the last has ended."""
        await asyncio.gather(*(self.ask(Asking.drawn(self.chance)) for _ in range(AT_ONCE)))

    def collect(self) -> Figures:
        """What was counted since the last time."""
        tally, self.tally = self.tally, Tally()
        openings, self.openings = self.openings, []
        return {**tally.figures(), "breaker_openings": openings}

    async def rest(self) -> Figures:
        """Wait a little for everything to calm down; what then is still held."""
        for _ in range(_REST_STEPS):
            state = self.state
            if not state.running and not state.waiting and state.breaker == "closed":
                break
            await asyncio.sleep(_REST_S)
        return {"running": state.running, "waiting": state.waiting, "breaker": state.breaker}
