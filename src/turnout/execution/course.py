"""One ensemble on its way: whom it can ask, asking them side by side or in a stream, and when it has to be done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Final, TypeAlias

from turnout.config.voices import Ensemble
from turnout.errors import BrokenAnswerError, NoAnswerError, NoCandidateError, ProviderTimeoutError, TurnoutError
from turnout.execution.asked import Asked
from turnout.execution.ensemble_account import Account, Member, code_of
from turnout.execution.run import MOST_RESERVED, RESERVE
from turnout.execution.wishes import is_meant
from turnout.types import Chunk, Completion, Decision, Ranked

Answers: TypeAlias = Callable[[Asked], Awaitable[Completion]]
Decides: TypeAlias = Callable[[Asked], Decision]
Pieces: TypeAlias = AsyncGenerator[Chunk | Completion, None]
Streams: TypeAlias = Callable[[Asked], Pieces]

_LEAST_S: Final = 0.001


class Course:
    """Asks members and keeps the account.

    Args:
        answer: one completion for a request.
        decide: who would answer a request.
        ensemble: its budgets, and how many are asked at once.
        asked: what the caller asked; its deadline counts where it is shorter than the ensemble's budget.

    Raises:
        RequestError: nothing to route, an unknown preference, or no candidate can serve it.
    """

    def __init__(self, answer: Answers, decide: Decides, ensemble: Ensemble, asked: Asked) -> None:
        self.ensemble = ensemble
        self.asked = replace(asked, ensemble="")
        self.decision = decide(self.asked)
        self.account = Account(ensemble.budget_usd)
        self._answer = answer
        self._decide = decide
        self._handed: list[str] = []
        self._first_token_s: float | None = None
        self._loop = asyncio.get_running_loop()
        self._started_s = self._loop.time()
        limits = [limit for limit in (ensemble.budget_s, asked.deadline_s) if limit is not None]
        self._limit_s = min(limits) if limits else None

    @property
    def left_s(self) -> float | None:
        """Seconds until the whole has to be done; None where nothing limits it."""
        return None if self._limit_s is None else max(0.0, self._started_s + self._limit_s - self._loop.time())

    def meant(self, targets: Sequence[str]) -> tuple[str, ...]:
        """The candidates that can serve among those that targets mean, in the order of the targets, each once."""
        found: dict[str, None] = {}
        for target in targets:
            entries = self._entries(self.decision, target)
            found.update(dict.fromkeys(entry.candidate for entry in entries))
        return tuple(found)

    def pinned(self, asked: Asked, candidate: str) -> Member:
        """A member that only this candidate of the decision may answer."""
        entry = next(entry for entry in self.decision.ranking if entry.candidate == candidate)
        return _member(replace(asked, candidate=candidate), entry)

    def member(self, asked: Asked, target: str = "") -> Member | None:
        """A member with a decision of its own, pinned to the best candidate that a target means where there is one;
        None where nobody can serve it."""
        try:
            decision = self._decide(asked)
        except TurnoutError as error:
            self.account.leave_out(target or asked.voice or "another candidate", code_of(error), str(error))
            return None
        if not target:
            return _member(asked, decision.ranking[0])
        entries = self._entries(decision, target)
        return _member(replace(asked, candidate=entries[0].candidate), entries[0]) if entries else None

    async def ask(self, members: Sequence[Member], *, then: Member | None = None) -> dict[int, Completion]:
        """The answers that came in time, by the places of their members; whoever still runs then is stopped, as all are
        where the caller goes away.

        Args:
            members: asked side by side, as many as the ensemble allows.
            then: who is asked afterwards, for whom time and money are kept back.
        """
        turns = asyncio.Semaphore(self.ensemble.max_parallel)
        keep_usd = then.cost_usd if then is not None else 0.0
        said: dict[int, Completion] = {}
        waiting = dict(enumerate(members))

        async def one(place: int, member: Member) -> None:
            async with turns:
                del waiting[place]
                completion = await self._one(member) if self.account.pays(member, keep_usd) else None
                if completion is not None:
                    said[place] = completion

        tasks = [asyncio.create_task(one(place, member)) for place, member in enumerate(members)]
        try:
            await self._in_time(set(tasks), said, then)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in tasks:
            if not task.cancelled():
                task.result()  # what is no error of a member is told
        for member in waiting.values():
            self.account.leave_out(member.candidate, "timeout", "no time was left")
        return dict(sorted(said.items()))

    async def stream(self, member: Member, stream: Streams) -> Pieces:
        """Pieces of one member's answer with its completion last; no completion where it failed before any content.

        Raises:
            BrokenAnswerError: it failed after that.
        """
        if not self.account.pays(member):
            return
        try:
            async with aclosing(stream(self._limited(member.asked))) as pieces:
                while True:
                    async with asyncio.timeout(self.left_s):  # around one piece, never around what is handed out
                        piece = await anext(pieces)
                    if isinstance(piece, Completion):
                        self.account.answered(member, piece)
                        yield piece
                        return
                    self.note(piece)
                    yield piece
        except TimeoutError:
            self.account.late(member, self._too_late)
            if self._handed:
                cause = ProviderTimeoutError(self._too_late, phase="total", provider=member.candidate)
                raise BrokenAnswerError(cause, partial_text="".join(self._handed)) from None
        except TurnoutError as error:
            self.account.failed(member, error)
            if self._handed:
                raise

    def note(self, chunk: Chunk) -> None:
        """Remember what is handed out."""
        if chunk.has_content:
            if self._first_token_s is None:
                self._first_token_s = self._loop.time() - self._started_s
            self._handed.append(chunk.text)

    def done(self, chosen: Completion, reason: str, confidence: float | None = None) -> Completion:
        """The completion of the whole: the chosen one, whose decision feedback goes to, with all who were asked."""
        return replace(
            chosen,
            reason="; ".join([reason, *dict.fromkeys(self.account.notes)]),
            confidence=chosen.confidence if confidence is None else confidence,
            tried=tuple(self.account.tried),
            total_s=self._loop.time() - self._started_s,
            first_token_s=self._first_token_s,
            metadata=self.asked.metadata,
        )

    def no_answer(self) -> TurnoutError:
        """The error to raise where nobody answered: what became of each."""
        failures = self.account.failures()
        if failures and all(code == "no_candidate" for _, code, _ in failures):
            return NoCandidateError({candidate: message for candidate, _, message in failures})
        return NoAnswerError(failures, deadline_passed=self.left_s == 0)

    @property
    def _too_late(self) -> str:
        return f"not done within the {self._limit_s or 0:.3g} s that the ensemble may take"

    def _entries(self, decision: Decision, target: str) -> list[Ranked]:
        """Those of a ranking that a target means; a note where there is none."""
        found = [entry for entry in decision.ranking if is_meant(entry.candidate, target)]
        if not found:
            reasons = (entry.reason for entry in decision.excluded if is_meant(entry.candidate, target))
            self.account.leave_out(target, "no_candidate", next(reasons, "no such candidate"))
        return found

    async def _in_time(
        self, running: set[asyncio.Task[None]], said: dict[int, Completion], then: Member | None
    ) -> None:
        """Wait for all until the end; once somebody has answered, only as long as the next step leaves."""
        kept_s, left_s = 0.0, self.left_s
        if then is not None and left_s is not None:
            kept_s = min(RESERVE * then.expected_s, MOST_RESERVED * left_s)
        while running:
            left_s = self.left_s
            if left_s is not None and said:
                left_s = max(0.0, left_s - kept_s)
            done, running = await asyncio.wait(running, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                return

    async def _one(self, member: Member) -> Completion | None:
        try:
            completion = await self._answer(self._limited(member.asked))
        except TurnoutError as error:
            self.account.failed(member, error)
            return None
        except asyncio.CancelledError:
            self.account.late(member, self._too_late)
            raise
        self.account.answered(member, completion)
        return completion

    def _limited(self, asked: Asked) -> Asked:
        left_s = self.left_s
        return asked if left_s is None else replace(asked, deadline_s=max(left_s, _LEAST_S))


def _member(asked: Asked, entry: Ranked) -> Member:
    return Member(
        asked=asked,
        candidate=entry.candidate,
        expected_s=entry.expected_s or 0.0,
        cost_usd=entry.cost_usd or 0.0,
    )
