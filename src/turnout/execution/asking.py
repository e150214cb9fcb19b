"""Asking one candidate, or two that race, for one request; what came of each is judged and written down."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field

from turnout.errors import ProviderError
from turnout.execution.plan import Plan
from turnout.execution.race import Pieces, late_s, race
from turnout.execution.surroundings import Surroundings
from turnout.types import Answer, Attempt, Ranked, Request, Role, Snapshot, Speeds, Tried

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Runner:
    """One candidate that is being asked."""

    entry: Ranked
    role: Role
    started_s: float
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def candidate(self) -> str:
        """Who it is."""
        return self.entry.candidate


@dataclass(slots=True)
class Asking:
    """Asks for one request, as often as its run wants.

    Args:
        request: as it goes to providers.
        snapshot: speeds as they were when it was decided.
        surroundings: who answers, who judges.
        left_s: seconds until the deadline.
        tried: where everything is written down.

    `speaker` is the candidate whose pieces are coming.
    """

    request: Request
    snapshot: Snapshot
    surroundings: Surroundings
    left_s: Callable[[], float]
    tried: list[Tried]
    speaker: str = ""

    async def whole(self, entry: Ranked, role: Role, *, allowed_s: float, plan: Plan) -> None:
        """One answer in one piece; it is the last one that was tried.

        Args:
            entry: who is asked.
            role: why.
            allowed_s: seconds that it may take.
            plan: learns from a failure.

        Raises:
            ProviderError: it failed.
        """
        runner = Runner(entry, role, self.surroundings.now())
        try:
            answer = await self.surroundings.asks.complete(
                entry.candidate,
                self.request,
                deadline_s=allowed_s,
                expected_s=_answer_s(entry),
                on_attempt=runner.attempts.append,
            )
        except BaseException as error:
            if isinstance(error, ProviderError):
                plan.failed(entry.candidate, error)
            self._failed(runner, error)
            raise
        self._judged(runner, answer)

    async def pieces(
        self, entry: Ranked, role: Role, *, patience_s: float, plan: Plan, racing_quantile: float | None
    ) -> Pieces:
        """The pieces of one answer as they come, without the whole; that is the last one that was tried.

        Args:
            entry: who is asked.
            role: why.
            patience_s: seconds until its first content has to be there.
            plan: knows who could run against it.
            racing_quantile: another candidate starts when the first content is later than this quantile of what is
                expected; None runs no race.

        Raises:
            ProviderError: it failed; of two that raced the one that failed last.
        """
        track = _Track(self, Runner(entry, role, self.surroundings.now()), plan)
        try:
            stream = self._stream(track.leader, patience_s)
            if racing_quantile is not None:
                state = self.snapshot.candidates.get(entry.candidate)
                speeds = state.speeds if state is not None else Speeds()
                stream = race(stream, track, after_s=late_s(entry, speeds, racing_quantile))
            answer: Answer | None = None
            async with aclosing(stream) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Answer):
                        answer = piece
                        break
                    self.speaker = track.leader.candidate
                    yield piece
            assert answer is not None, "a stream ends with its answer or an error"
        except BaseException as error:
            track.ended(error)
            raise
        self._judged(track.leader, answer)

    def _stream(self, runner: Runner, patience_s: float | None) -> Pieces:
        return self.surroundings.asks.stream(
            runner.candidate,
            self.request,
            deadline_s=self.left_s(),
            patience_s=patience_s,
            expected_s=_answer_s(runner.entry),
            on_attempt=runner.attempts.append,
        )

    def _judged(self, runner: Runner, answer: Answer) -> None:
        prior = runner.entry.p_success
        try:
            confidence, signals = self.surroundings.judge(self.request, answer, prior)
        except Exception:  # an answer that cannot be judged is an answer all the same
            logger.exception("an answer of %s could not be judged", runner.candidate)
            confidence, signals = prior, {}
        self._write(runner, answer=answer, confidence=confidence, signals=signals)

    def _failed(self, runner: Runner, error: BaseException) -> None:
        if isinstance(error, ProviderError):
            self._write(runner, error=error.code, message=error.message)
        elif isinstance(error, asyncio.CancelledError | GeneratorExit):
            self._write(runner, error="cancelled", message="the caller went away")
        else:
            self._write(runner, error="defect", message=f"{type(error).__name__}: {error}")

    def _write(
        self,
        runner: Runner,
        *,
        answer: Answer | None = None,
        confidence: float | None = None,
        signals: Mapping[str, float | bool | None] | None = None,
        error: str = "",
        message: str = "",
    ) -> None:
        self.tried.append(
            Tried(
                candidate=runner.candidate,
                role=runner.role,
                attempts=tuple(runner.attempts),
                answer=answer,
                confidence=confidence,
                signals=signals,
                error=error,
                message=message,
                total_s=self.surroundings.now() - runner.started_s,
            )
        )


class _Track:
    """The runners of one answer; alone unless a race begins."""

    def __init__(self, asking: Asking, first: Runner, plan: Plan) -> None:
        self._asking = asking
        self._plan = plan
        self._running = {0: first}
        self.leader = first

    def second(self) -> Pieces | None:
        rival = self._plan.fallback(self._asking.surroundings.problem)
        if rival is None:
            return None
        runner = self._running[1] = Runner(rival, "race", self._asking.surroundings.now())
        return self._asking._stream(runner, None)

    def speaks(self, at: int) -> None:
        self.leader = self._running[at]

    def fell(self, at: int, error: ProviderError) -> None:
        runner = self._running.pop(at)
        self._plan.failed(runner.candidate, error)
        self._asking._failed(runner, error)

    def overtaken(self, at: int) -> None:
        runner = self._running.pop(at)
        self._asking._write(runner, error="overtaken", message=f"{self.leader.candidate} was faster")

    def ended(self, error: BaseException) -> None:
        """Everything is over, with an error: of the leader, or because the caller went away."""
        if isinstance(error, ProviderError):
            self._plan.failed(self.leader.candidate, error)
            self._asking._failed(self.leader, error)
            return
        for runner in self._running.values():
            self._asking._failed(runner, error)


def _answer_s(entry: Ranked) -> float | None:
    """Seconds that the answer itself should take, from its slot to its end."""
    return None if entry.expected is None else entry.expected.answer_s
