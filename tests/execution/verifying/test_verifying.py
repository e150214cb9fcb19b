"""Outcomes come into the history afterwards, of whom they should, and with not a word of anybody."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.execution.fakes import decided, ranked, said

from turnout.config.outcomes import AnswerJudge, Outcomes, Verifier
from turnout.config.schema import Configuration
from turnout.execution.asked import Asked
from turnout.execution.served import Served
from turnout.execution.verifying import Verifying
from turnout.history import OutcomeRecord
from turnout.types import Answer, CandidateState, Completion, LanguageModel, Request, Snapshot, Tried

SMALL, LARGE, JUDGE = "ollama/small", "ollama/large", "ollama/judge"
QUIET = Snapshot(
    taken_s=0.0,
    candidates={JUDGE: CandidateState(candidate=JUDGE, model=LanguageModel(name="judge", loaded=True))},
)


class Kept:
    """A history that keeps records in a list."""

    def __init__(self) -> None:
        self.records: list[OutcomeRecord] = []

    def record_all(self, entries: Any) -> bool:
        self.records += entries
        return True


class Grades:
    """A judge that always replies the same."""

    def __init__(self, reply: str = '{"grade": 10}') -> None:
        self.reply = reply
        self.asked: list[Request] = []

    async def complete(self, candidate: str, request: Request, **_: Any) -> Answer:
        self.asked.append(request)
        return said(candidate, self.reply)


def served(*answers: Answer, signals: dict[str, Any] | None = None, **changes: Any) -> Served:
    """A request that these answered, the last of them handed out."""
    decision = decided(*(ranked(answer.candidate) for answer in answers))
    tried = tuple(Tried(candidate=one.candidate, role="first", answer=one, signals=signals or {}) for one in answers)
    completion = Completion(id="d1", answer=answers[-1], decision=decision, confidence=0.5, reason="", tried=tried)
    news = Served(
        id="d1",
        asked=Asked(request=Request.of("why is that?")),
        started_at=0.0,
        total_s=1.0,
        decision=decision,
        tried=tried,
        completion=completion,
    )
    return replace(news, **changes)


def exits(code: str, name: str = "check", **fields: Any) -> Verifier:
    return Verifier(name=name, command=(sys.executable, "-IS", "-c", code), **fields)


def outcomes_of(
    settings: Outcomes, *news: Served, asks: Any = None, chance: Callable[[], float] = lambda: 0.0
) -> tuple[list[OutcomeRecord], dict[str, Any]]:
    """What is recorded of these requests, and the counts at the end."""
    history = Kept()

    async def scene() -> dict[str, Any]:
        configuration = Configuration(outcomes=settings)
        verifying = Verifying(
            history,  # type: ignore[arg-type]
            lambda: configuration,
            asks or Grades(),
            lambda: QUIET,
            chance=chance,
            patience_s=0.1,
        )
        for one in news:
            verifying.served(one)
        await verifying.settled()
        await verifying.aclose()
        return verifying.to_json()

    told = asyncio.run(scene())
    return history.records, told


def test_every_answer_is_verified_and_its_verdict_recorded() -> None:
    code = "import json, sys; sys.exit(json.load(sys.stdin)['answer'] != 'right')"
    found, told = outcomes_of(Outcomes(verifiers=(exits(code),)), served(said(SMALL, "wrong"), said(LARGE, "right")))
    assert sorted((one.candidate, one.source, one.score, one.decision_id) for one in found) == [
        (LARGE, "verifier", 1.0, "d1"),
        (SMALL, "verifier", 0.0, "d1"),
    ]
    assert found[0].details.keys() == {"check"} and told["verdicts"] == {"check": 2}


def test_no_verdict_is_counted_and_logged_without_the_prompt(caplog: pytest.LogCaptureFixture) -> None:
    settings = Outcomes(verifiers=(exits("raise SystemExit(3)"), Verifier(name="gone", command=("/no/such/program",))))
    found, told = outcomes_of(settings, served(said(SMALL)))
    assert found == [] and told["no_verdict"] == {"check": 1, "gone": 1}
    assert "exited with 3" in caplog.text and "why is that" not in caplog.text


@pytest.mark.parametrize(
    ("when", "signals", "json", "verified"),
    [
        ((), {}, False, True),
        (("general",), {}, False, True),
        (("debugging",), {}, False, False),
        (("json",), {}, True, True),
        (("json",), {}, False, False),
        (("debugging", "code"), {"code_broken": 0.0}, False, True),
        (("code",), {}, False, False),
    ],
)
def test_a_verifier_sees_what_it_waits_for(
    when: tuple[str, ...], signals: dict[str, Any], json: bool, verified: bool
) -> None:
    request = replace(Request.of("why?"), answer_format="json" if json else None)
    news = served(said(SMALL), signals=signals, asked=Asked(request=request))
    found, _ = outcomes_of(Outcomes(verifiers=(exits("", when=when),)), news)
    assert bool(found) is verified


def test_only_the_share_that_is_drawn_is_looked_at() -> None:
    settings = Outcomes(verifiers=(exits("", share=0.5),), judge=AnswerJudge(candidate=JUDGE, share=0.5))
    assert outcomes_of(settings, served(said(SMALL)), chance=lambda: 0.5)[0] == []
    assert len(outcomes_of(settings, served(said(SMALL)), chance=lambda: 0.4)[0]) == 2


def test_what_an_answer_shows_is_recorded_at_once() -> None:
    found, _ = outcomes_of(Outcomes(), served(said(SMALL), signals={"format_broken": True, "code_missing": False}))
    assert [(one.source, one.score, one.weight, one.details) for one in found] == [
        ("verifier", 0.0, 1.0, {"format": 0.0}),
        ("verifier", 1.0, 0.2, {"code": 1.0}),
    ]


def test_a_judge_grades_what_was_handed_out_and_not_itself() -> None:
    grades = Grades('{"grade": 10, "why": "it says why"}')
    settings = Outcomes(judge=AnswerJudge(candidate=JUDGE, share=1.0))
    (found,), told = outcomes_of(settings, served(said(SMALL), said(LARGE)), asks=grades)
    assert (found.candidate, found.source, found.score, found.details) == (LARGE, "judge", 1.0, {JUDGE: 1.0})
    assert told["verdicts"] == {JUDGE: 1} and len(grades.asked) == 1
    assert outcomes_of(settings, served(said(JUDGE)), asks=grades)[0] == []
    itself = Outcomes(judge=AnswerJudge(candidate=JUDGE, share=1.0, judges_itself=True))
    assert len(outcomes_of(itself, served(said(JUDGE)), asks=grades)[0]) == 1


def test_a_reply_without_a_grade_is_counted() -> None:
    settings = Outcomes(judge=AnswerJudge(candidate=JUDGE, share=1.0))
    found, told = outcomes_of(settings, served(said(SMALL)), asks=Grades("I would rather not"))
    assert found == [] and told["no_verdict"] == {JUDGE: 1}


def test_what_is_too_much_is_dropped_and_counted() -> None:
    settings = Outcomes(verifiers=(exits(""),), max_concurrent=1, max_waiting=2)
    found, told = outcomes_of(settings, *(served(said(SMALL)) for _ in range(8)))
    assert len(found) == 3 and told["dropped"] == 5


def test_of_a_cached_or_failed_request_nothing_is_verified() -> None:
    settings = Outcomes(verifiers=(exits(""),), judge=AnswerJudge(candidate=JUDGE, share=1.0))
    assert outcomes_of(settings, served(said(SMALL), decision=None))[0] == []
    assert outcomes_of(settings, served(said(SMALL), completion=None, tried=(), error="no_answer"))[0] == []


def test_the_end_kills_what_runs() -> None:
    async def scene() -> dict[str, Any]:
        configuration = Configuration(outcomes=Outcomes(verifiers=(exits("import time; time.sleep(600)"),)))
        verifying = Verifying(Kept(), lambda: configuration, Grades(), lambda: QUIET)  # type: ignore[arg-type]
        verifying.served(served(said(SMALL)))
        await asyncio.sleep(0.2)
        await verifying.aclose()
        return verifying.to_json()

    assert asyncio.run(asyncio.wait_for(scene(), 30))["waiting"] == 0
