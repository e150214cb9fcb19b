"""One request from its decision to its completion: attempts, fallback, escalation, one deadline over all.

A stream has a point of no return, the first content handed out. Before it a failed or untrusted answer makes room for
another candidate and nobody notices; after it the answer goes on, and a failure is told.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeAlias

from turnout.config.schema import Configuration
from turnout.errors import BrokenAnswerError, NoAnswerError, ProviderError
from turnout.execution.asking import Asking
from turnout.execution.plan import Plan
from turnout.execution.race import Pieces
from turnout.execution.surroundings import Surroundings
from turnout.execution.telling import why
from turnout.types import Chunk, Completion, Decision, Ranked, Request, Role, Snapshot, Tried

Turn: TypeAlias = tuple[Ranked, Role]
"""Who is asked, and why."""

RESERVE: Final = 1.5
"""An attempt leaves the next candidate this many times its expected seconds, so that a hanging one costs no answer."""

LEAST_RESERVED: Final = 0.2
"""And never less than this share: a provider that is busy with those who failed elsewhere is slower than it was."""

MOST_RESERVED: Final = 0.5
"""But never more than this share of what is left: an expected time may be wrong, and the first choice is the better one."""


@dataclass(slots=True)
class Run:
    """One request on its way. `tried` is true at every moment, however the run ends.

    Args:
        request: as it goes to providers.
        decision: who is asked first, and who may be asked else.
        configuration: its limits on fallback, escalation and racing.
        snapshot: what the decision was made on.
        strength: see `Plan`.
        surroundings: what all runs share.
        deadline_s: seconds for everything from `started_s` on.
        hold: keep the pieces of a stream back until the answer is judged.
        identifier: of the decision, for errors and the completion.
    """

    request: Request
    decision: Decision
    configuration: Configuration
    snapshot: Snapshot
    strength: Mapping[str, int]
    surroundings: Surroundings
    deadline_s: float
    started_s: float
    identifier: str
    hold: bool = False
    tried: list[Tried] = field(default_factory=list)
    _left_s: Callable[[], float] = field(init=False)
    _plan: Plan = field(init=False)
    _asking: Asking = field(init=False)
    _escalations_left: int = field(init=False)
    _best: Tried | None = None
    _handed: list[str] = field(default_factory=list)
    _first_token_s: float | None = None
    _threshold: float | None = None

    def __post_init__(self) -> None:
        fallback, escalation = self.configuration.fallback, self.configuration.routing.escalation
        # Neither function knows the run: in a cycle with it, all of a request would wait for the garbage collector.
        self._left_s = partial(_left_s, self.started_s + self.deadline_s, self.surroundings.now)
        self._plan = Plan(
            self.decision.ranking,
            strength=self.strength,
            window=partial(_window, self.snapshot),
            max_attempts=fallback.max_attempts if fallback.enabled else 1 + escalation.max_escalations,
        )
        self._asking = Asking(self.request, self.snapshot, self.surroundings, self._left_s, self.tried)
        self._escalations_left = escalation.max_escalations if escalation.enabled else 0

    @property
    def speaker(self) -> str:
        """The candidate whose answer is being handed out; the one that was decided for before that is known."""
        if not self.hold and self._asking.speaker:
            return self._asking.speaker
        return self.decision.candidate if self._best is None else self._best.candidate

    async def complete(self) -> Completion:
        """One whole answer.

        Raises:
            NoAnswerError: every attempt failed, or the deadline passed.
        """
        turn: Turn | None = (self._plan.first(), "first")
        while turn is not None:
            try:
                await self._ask(*turn)
            except ProviderError as error:
                turn = self._failed(error)
            else:
                turn = self._answered(turn[1])
        return self._completion()

    async def pieces(self) -> AsyncGenerator[Chunk | Completion, None]:
        """Chunks, then exactly one completion, last.

        Raises:
            NoAnswerError: every attempt failed, or the deadline passed.
            BrokenAnswerError: the answer failed after its first content was handed out.
        """
        turn: Turn | None = (self._plan.first(), "first")
        while turn is not None:
            try:
                if self.hold:
                    await self._ask(*turn)
                else:
                    async with aclosing(self._stream(*turn)) as pieces:
                        async for piece in pieces:
                            if isinstance(piece, Chunk):
                                self._note(piece)
                                yield piece
            except ProviderError as error:
                turn = self._failed(error)
            else:
                turn = self._answered(turn[1])
        best = self._best
        if (
            best is not None
            and best.answer is not None
            and not self._handed
            and (chunk := best.answer.chunk).has_content
        ):
            self._note(chunk)
            yield chunk
        yield self._completion()

    async def _ask(self, entry: Ranked, role: Role) -> None:
        """One candidate's answer, written down, with nothing of it handed out."""
        if not self._races(entry, role):
            await self._asking.whole(entry, role, allowed_s=self._allowed_s(role), plan=self._plan)
            return
        async with aclosing(self._stream(entry, role)) as pieces:
            async for _ in pieces:
                pass

    def _stream(self, entry: Ranked, role: Role) -> Pieces:
        """The pieces of one candidate's answer, which is written down."""
        quantile = self.configuration.performance.racing.quantile if self._races(entry, role) else None
        return self._asking.pieces(
            entry, role, patience_s=self._allowed_s(role), plan=self._plan, racing_quantile=quantile
        )

    def _races(self, entry: Ranked, role: Role) -> bool:
        """Whether a second candidate starts if this one is late."""
        configuration = self.configuration
        return (
            role == "first"
            and configuration.performance.racing.enabled
            and configuration.fallback.enabled
            and entry.expected_s is not None
        )

    def _failed(self, error: ProviderError) -> Turn | None:
        """Who is asked after a failure; None where the answer before it stands, or nobody is left.

        Raises:
            BrokenAnswerError: something of the failed answer was handed out.
        """
        if self._handed:
            raise BrokenAnswerError(error, partial_text="".join(self._handed), decision=self.identifier) from error
        best = self._best
        if best is not None and best.answer is not None and best.answer.chunk.has_content:
            return None  # an escalation that failed: the answer before it still stands, unless it says nothing
        if not self.configuration.fallback.enabled or self._left_s() <= 0:
            return None
        entry = self._plan.fallback(self.surroundings.problem)
        return None if entry is None else (entry, "fallback")

    def _answered(self, role: Role) -> Turn | None:
        """Who is asked because the last answer is not trusted; None where the best one stands."""
        self._best = self._better(self._best, self.tried[-1])
        if not self._escalations_left or self._handed:
            return None
        self._escalations_left -= 1
        entry = self._escalation(self._best, again=role == "escalation")
        return None if entry is None else (entry, "escalation")

    def _better(self, before: Tried | None, answered: Tried) -> Tried:
        """Which of two answers stands: what was handed out, else the one that is trusted more."""
        if before is None:
            return answered
        helped = (answered.confidence or 0.0) > (before.confidence or 0.0)
        if self.decision.threshold is None:
            self.surroundings.threshold.escalated(helped=helped)
        return answered if helped or self._handed else before

    def _escalation(self, best: Tried, *, again: bool) -> Ranked | None:
        """Who is asked because the answer is not trusted."""
        threshold, own = self.surroundings.threshold, self.decision.threshold
        confidence = best.confidence or 0.0
        if self._threshold is None:
            self._threshold = threshold.value if own is None else own
        trusted = confidence >= self._threshold
        better = (
            None if trusted else self._plan.better(confidence, left_s=self._left_s(), problem=self.surroundings.problem)
        )
        if own is None and not again:
            # What nobody would answer better is not escalated, however low it is trusted, and counts as it ends.
            threshold.judged(1.0 if better is None else confidence)
        return better

    def _allowed_s(self, role: Role) -> float:
        """Seconds that an attempt may take: what is left, less what the next candidate needs if this one hangs.

        An escalation may use most of it: there is an answer already, which has to be handed out in time.
        """
        left_s = self._left_s()
        if role == "escalation":
            return (1 - LEAST_RESERVED) * left_s
        if not self.configuration.fallback.enabled:
            return left_s
        next_s = self._plan.next_expected_s(self.surroundings.problem)
        if next_s is None:
            return left_s
        return left_s - min(max(RESERVE * next_s, LEAST_RESERVED * left_s), MOST_RESERVED * left_s)

    def _note(self, chunk: Chunk) -> None:
        """Remember what is handed out."""
        if chunk.has_content:
            if self._first_token_s is None:
                self._first_token_s = self.surroundings.now() - self.started_s
            self._handed.append(chunk.text)

    def _no_answer(self) -> NoAnswerError:
        failures = [(entry.candidate, entry.error, entry.message) for entry in self.tried]
        return NoAnswerError(failures, deadline_passed=self._left_s() <= 0, decision=self.identifier)

    def _completion(self) -> Completion:
        """The end of it.

        Raises:
            NoAnswerError: nobody answered.
        """
        best = self._best
        if best is None or best.answer is None:
            raise self._no_answer()
        if self._threshold is None:
            own = self.decision.threshold
            self._threshold = self.surroundings.threshold.value if own is None else own
        return Completion(
            id=self.identifier,
            answer=best.answer,
            decision=self.decision,
            confidence=best.confidence or 0.0,
            reason=why(best, self.tried, self.decision, self._threshold),
            tried=tuple(self.tried),
            total_s=self.surroundings.now() - self.started_s,
            first_token_s=self._first_token_s,
            threshold=self._threshold,
        )


def _left_s(ends_s: float, now: Callable[[], float]) -> float:
    return max(0.0, ends_s - now())


def _window(snapshot: Snapshot, candidate: str) -> int | None:
    """The context window that a candidate has now, else that it can have."""
    state = snapshot.candidates.get(candidate)
    if state is None or state.model is None:
        return None
    return state.model.loaded_context_length or state.model.context_length
