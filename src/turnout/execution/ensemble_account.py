"""The account of one ensemble: who was asked and what came of it, who was left out and why, what it has cost so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from turnout.errors import NoAnswerError, TurnoutError
from turnout.execution.asked import Asked
from turnout.types import Answer, Completion, Tried

_A_TRIFLE_USD: Final = 1e-12  # sums of floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One request to be made: who will most likely answer it, in how many seconds and for how much. What nobody knows
    counts as nothing."""

    asked: Asked
    candidate: str
    expected_s: float = 0.0
    cost_usd: float = 0.0


@dataclass(slots=True)
class Account:
    """Entries of one ensemble, true at every moment. `notes` tell a person what did not go as planned.

    Args:
        budget_usd: what all may cost together, as far as costs are expected; None for no limit.
    """

    budget_usd: float | None
    tried: list[Tried] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _left_out: list[tuple[str, str, str]] = field(default_factory=list)
    _spent_usd: float = 0.0

    def pays(self, member: Member, keep_usd: float = 0.0) -> bool:
        """Set the expected cost of a member aside; False, and a note, where it is more than is left.

        Args:
            member: who is to be asked.
            keep_usd: what has to be left afterwards.
        """
        if self.budget_usd is not None:
            left_usd = self.budget_usd - self._spent_usd - keep_usd
            if member.cost_usd > left_usd + _A_TRIFLE_USD:
                told = f"it would cost about {member.cost_usd:.2g} US dollars, {max(0.0, left_usd):.2g} are left"
                self.leave_out(member.candidate, "over_budget", told)
                return False
        self._spent_usd += member.cost_usd
        return True

    def answered(self, member: Member, completion: Completion) -> None:
        """Take over who was asked for it, and what that cost in place of what was expected."""
        self.tried += [replace(entry, role="ensemble") for entry in completion.tried]
        ranking = completion.decision.ranking if completion.decision is not None else ()
        costs = {entry.candidate: entry.cost_usd or 0.0 for entry in ranking}
        self._spent_usd += sum(costs.get(entry.candidate, 0.0) for entry in completion.tried) - member.cost_usd

    def failed(self, member: Member, error: TurnoutError) -> None:
        """A member raised this. It counts as paid for: a provider may have worked all the same."""
        failures = error.failures if isinstance(error, NoAnswerError) else ()
        for candidate, code, message in failures or ((member.candidate, code_of(error), str(error)),):
            self.tried.append(Tried(candidate=candidate, role="ensemble", error=code, message=message))
        self.notes.append(f"{member.candidate} failed ({code_of(error)})")

    def late(self, member: Member, message: str) -> None:
        """A member was stopped because the time was over."""
        self.tried.append(Tried(candidate=member.candidate, role="ensemble", error="timeout", message=message))
        self.notes.append(f"{member.candidate} was {message}")

    def leave_out(self, name: str, code: str, message: str) -> None:
        """Somebody was not asked."""
        self._left_out.append((name, code, message))
        self.notes.append(f"{name} was not asked ({message})")

    def agreed(self, answer: Answer, agreement: float) -> None:
        """Write the share that agrees beside the signals of an answer."""
        for place, entry in enumerate(self.tried):
            if entry.answer is answer:
                self.tried[place] = replace(entry, signals={**(entry.signals or {}), "agreement": agreement})

    def failures(self) -> Sequence[tuple[str, str, str]]:
        """Candidate, code and message of everyone who gave no answer, those who were not asked last."""
        failed = [(entry.candidate, entry.error, entry.message) for entry in self.tried if entry.error]
        return [*failed, *self._left_out]


def code_of(error: TurnoutError) -> str:
    """A stable name of an error."""
    return getattr(error, "code", type(error).__name__)
