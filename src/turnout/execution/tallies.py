"""Counters of what came of requests: one set for all of them, one for each candidate. Sets of two periods can be added up."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, fields
from typing import Any, Final, Self

from turnout.execution.histogram import Histogram
from turnout.execution.served import Served
from turnout.types import Attempt, Completion, Decision, Tried

MOST_NAMES: Final = 512
"""So many candidates are counted apart, so that memory is bounded; all further ones are counted together as `OTHERS`."""

OTHERS: Final = "others"
CANCELLED: Final = "cancelled"
OVERTAKEN: Final = "overtaken"


@dataclass(slots=True)
class CandidateTally:
    """What one candidate did.

    It is `asked` once for a request, which may take several `calls`, retries included. Of its `answers` those that were
    handed out are `chosen`. Requests were decided for it `explored` or in the `canary`; of those `compared` that the
    challenger would have given it the champion `agreed` to so many.
    """

    asked: int = 0
    calls: int = 0
    answers: int = 0
    chosen: int = 0
    cancelled: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    response: Histogram = field(default_factory=Histogram)
    first_token: Histogram = field(default_factory=Histogram)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    timed_tokens: int = 0
    timed_s: float = 0.0
    confidence_sum: float = 0.0
    confidence_count: int = 0
    good: int = 0
    bad: int = 0
    explored: int = 0
    canary: int = 0
    compared: int = 0
    agreed: int = 0

    def ended(self, tried: Tried) -> None:
        """Take in one time that it was asked."""
        self.asked += 1
        if tried.answer is not None:
            self.answers += 1
            self.response.add(tried.total_s)
        elif tried.error in (CANCELLED, OVERTAKEN):
            self.cancelled += 1
        else:
            self.failures[tried.error] += 1
        if tried.confidence is not None:
            self.confidence_sum += tried.confidence
            self.confidence_count += 1

    def called(self, attempt: Attempt) -> None:
        """Take in one call."""
        self.calls += 1
        usage = attempt.usage
        made = usage.completion_tokens or 0
        self.prompt_tokens += usage.prompt_tokens or 0
        self.completion_tokens += made
        if attempt.tokens_per_s:
            self.timed_tokens += made
            self.timed_s += made / attempt.tokens_per_s
        if attempt.first_token_s is not None and not attempt.error:
            self.first_token.add(attempt.first_token_s)

    def merge(self, other: CandidateTally) -> None:
        """Take in what another one counted."""
        _add_up(self, other)

    def to_json(self) -> dict[str, Any]:
        """Plain values, from which `of_json` makes the same counters."""
        return _plain(self)

    @classmethod
    def of_json(cls, value: Any) -> Self:
        """Counters that were told by another process.

        Raises:
            ValueError: they are none.
        """
        made = cls()
        _take(made, value)
        return made


@dataclass(slots=True)
class Tally:
    """What came of all requests of a period.

    Of the answered ones that were `escalated` `helped` were answered by the escalation, of those that `fell_back`
    `rescued` were answered at all. In `races_won` the candidate that started later was faster.
    """

    requests: int = 0
    answered: int = 0
    cancelled: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    escalated: int = 0
    helped: int = 0
    fell_back: int = 0
    rescued: int = 0
    races_won: int = 0
    cached: Counter[str] = field(default_factory=Counter)
    response: Histogram = field(default_factory=Histogram)
    first_token: Histogram = field(default_factory=Histogram)
    confidence_sum: float = 0.0
    feedback: Counter[str] = field(default_factory=Counter)
    score_sum: float = 0.0
    score_count: int = 0
    candidates: dict[str, CandidateTally] = field(default_factory=dict)

    def served(self, news: Served) -> None:
        """Take in one request that has ended."""
        self.requests += 1
        completion = news.completion
        if completion is not None:
            self.answered += 1
            self.response.add(news.total_s)
            self.confidence_sum += completion.confidence
            if completion.first_token_s is not None:
                self.first_token.add(completion.first_token_s)
            if completion.cached:
                self.cached[completion.cached] += 1
        elif news.error == CANCELLED:
            self.cancelled += 1
        else:
            self.failures[news.error] += 1
        if news.tried:
            self._tried(news.tried, completion)
        if news.decision is not None:
            self._drawn(news.decision)

    def rated(self, kind: str, value: float | None, candidate: str) -> None:
        """Take in what a user said of an answer of this candidate."""
        self.feedback[kind] += 1
        if value is not None:
            self.score_sum += value
            self.score_count += 1
        if candidate:
            tally = self.of(candidate)
            tally.good += kind == "good"
            tally.bad += kind == "bad"

    def compared(self, usual: str, rival: str) -> None:
        """Take in whom champion and challenger would have chosen."""
        tally = self.of(rival)
        tally.compared += 1
        tally.agreed += usual == rival

    def of(self, candidate: str) -> CandidateTally:
        """The counters of one candidate."""
        tally = self.candidates.get(candidate)
        if tally is None:
            name = candidate if len(self.candidates) < MOST_NAMES else OTHERS
            tally = self.candidates.setdefault(name, CandidateTally())
        return tally

    def merge(self, other: Tally) -> None:
        """Take in what another one counted."""
        _add_up(self, other)
        for candidate, tally in other.candidates.items():
            self.of(candidate).merge(tally)

    def to_json(self) -> dict[str, Any]:
        """Plain values, from which `of_json` makes the same counters."""
        return _plain(self) | {"candidates": {name: tally.to_json() for name, tally in self.candidates.items()}}

    @classmethod
    def of_json(cls, value: Any) -> Self:
        """Counters that were told by another process.

        Raises:
            ValueError: they are none.
        """
        made = cls()
        _take(made, value)
        candidates = value.get("candidates", {})
        if not isinstance(candidates, dict):
            raise ValueError("no counters: the candidates are no object")
        made.candidates = {name: CandidateTally.of_json(tally) for name, tally in candidates.items()}
        return made

    def _drawn(self, decision: Decision) -> None:
        if decision.decided_by == "explore":
            self.of(decision.candidate).explored += 1
        if decision.arm == "challenger":
            self.of(decision.candidate).canary += 1

    def _tried(self, tried: tuple[Tried, ...], completion: Completion | None) -> None:
        handed_out = None if completion is None or completion.cached else completion.answer
        escalated = fell_back = False
        for entry in tried:
            tally = self.of(entry.candidate)
            tally.ended(entry)
            for attempt in entry.attempts:
                # The loser of a race is written down with the winner.
                (tally if attempt.candidate == entry.candidate else self.of(attempt.candidate)).called(attempt)
            escalated |= entry.role == "escalation"
            fell_back |= entry.role == "fallback"
            if handed_out is not None and entry.answer == handed_out:
                handed_out = None
                tally.chosen += 1
                self.helped += entry.role == "escalation"
                self.races_won += entry.role == "race"
        self.escalated += escalated and completion is not None
        if fell_back:
            self.fell_back += 1
            self.rescued += completion is not None


def _add_up(mine: Tally | CandidateTally, other: Tally | CandidateTally) -> None:
    """Add all counters, histograms and sums; what belongs to candidates is left alone."""
    for entry in fields(mine):
        value, more = getattr(mine, entry.name), getattr(other, entry.name)
        if isinstance(value, Histogram):
            value.merge(more)
        elif isinstance(value, Counter):
            value.update(more)
        elif not isinstance(value, dict):
            setattr(mine, entry.name, value + more)


def _plain(tally: Tally | CandidateTally) -> dict[str, Any]:
    """All counters, histograms and sums as plain values; what belongs to candidates is left out."""
    plain: dict[str, Any] = {}
    for entry in fields(tally):
        value = getattr(tally, entry.name)
        if isinstance(value, Histogram):
            plain[entry.name] = value.to_json()
        elif isinstance(value, Counter):
            plain[entry.name] = dict(value)
        elif not isinstance(value, dict):
            plain[entry.name] = value
    return plain


def _take(tally: Tally | CandidateTally, plain: Any) -> None:
    """Set what `_plain` told; what is not named stays at nothing."""
    if not isinstance(plain, dict):
        raise ValueError(f"no counters: {type(plain).__name__}")
    for entry in fields(tally):
        value = getattr(tally, entry.name)
        told = plain.get(entry.name, value)
        if isinstance(value, Histogram):
            made: Any = told if told is value else Histogram.of_json(told)
        elif isinstance(value, Counter):
            if not isinstance(told, dict):
                raise ValueError(f"no counters: {entry.name} is no object")
            made = Counter({name: _number(count, entry.name) for name, count in told.items()})
        elif isinstance(value, dict):
            continue
        else:
            made = _number(told, entry.name)
        setattr(tally, entry.name, made)


def _number(value: Any, name: str) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"no counters: {name} is {str(value)[:40]}")
    return value
