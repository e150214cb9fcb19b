"""A judge is asked when nobody is kept waiting by it, and sees only what it may see."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.execution.fakes import decided, ranked, said

from turnout.config.outcomes import AnswerJudge
from turnout.config.providers import Provider
from turnout.config.records import Privacy
from turnout.config.schema import Configuration
from turnout.errors import InternalError
from turnout.execution.verifying.judging import is_idle, may_see, reply_of, score_of
from turnout.types import Answer, CandidateState, Excluded, LanguageModel, Request, Snapshot

HERE, AWAY = "ollama/judge", "cloud/judge"
CONFIGURATION = Configuration(
    providers={
        "ollama": Provider(kind="ollama", base_url="http://127.0.0.1:11434"),
        "cloud": Provider(kind="openai", base_url="https://api.example.com/v1"),
    },
    privacy=Privacy(scan=False),
)
REQUEST = Request.of("why?")
SECRET = Request.of("my key is ghp_" + "a1B2" * 9)


def snapshot(*, running: int = 0, waiting: int = 0, **fields: Any) -> Snapshot:
    """Both judges, resident, with so much going on at another candidate of the one that is here."""
    model = LanguageModel(name="judge", loaded=True, **fields)
    return Snapshot(
        taken_s=0.0,
        candidates={
            HERE: CandidateState(candidate=HERE, model=model),
            AWAY: CandidateState(candidate=AWAY, model=LanguageModel(name="judge", remote=True)),
            "ollama/other": CandidateState(candidate="ollama/other", model=model, running=running, waiting=waiting),
        },
    )


def sees(judge: str, decision: Any, request: Request = REQUEST, **fields: Any) -> bool:
    return may_see(judge, decision, request, CONFIGURATION, snapshot(**fields))


def test_a_judge_here_sees_everything_unless_a_rule_forbids_it() -> None:
    assert sees(HERE, decided(ranked("ollama/other"), secrets=("github token",)), SECRET)
    assert not sees(HERE, decided(ranked("ollama/other"), excluded=(Excluded(HERE, "forbidden", "no judges"),)))


def test_a_judge_elsewhere_sees_only_what_it_might_have_answered() -> None:
    assert sees(AWAY, decided(ranked("ollama/other"), ranked(AWAY)))
    kept_here = decided(ranked("ollama/other"), excluded=(Excluded(AWAY, "prompts leave this machine", "secrets"),))
    assert not sees(AWAY, kept_here)


def test_a_judge_elsewhere_sees_no_secrets_even_where_nobody_looks_for_them() -> None:
    both = (ranked("ollama/other"), ranked(AWAY))
    assert not sees(AWAY, decided(*both), SECRET)
    assert not sees(AWAY, decided(*both, secrets=("github token",)))


def test_a_language_model_that_its_provider_runs_elsewhere_is_not_here() -> None:
    assert not sees(HERE, decided(ranked("ollama/other"), secrets=("token",)), remote=True)


def test_a_provider_that_works_or_has_work_waiting_is_not_idle() -> None:
    assert is_idle(HERE, snapshot())
    assert not is_idle(HERE, snapshot(running=1)) and is_idle(HERE, snapshot(running=1), besides=1)
    assert not is_idle(HERE, snapshot(waiting=1), besides=1)
    assert not is_idle("ollama/unknown", snapshot())


def test_a_judge_that_is_not_in_memory_is_not_loaded_for_it() -> None:
    cold = CandidateState(candidate=HERE, model=LanguageModel(name="judge", loaded=False))
    assert not is_idle(HERE, Snapshot(taken_s=0.0, candidates={HERE: cold}))


class Says:
    """A candidate that says something after a while; `gave_up` where nobody waited for it."""

    def __init__(self, what: str | Exception, after_s: float = 0.0) -> None:
        self.what, self.after_s = what, after_s
        self.asked = 0
        self.gave_up = False

    async def complete(self, candidate: str, request: Request, **_: Any) -> Answer:
        self.asked += 1
        try:
            await asyncio.sleep(self.after_s)
        except asyncio.CancelledError:
            self.gave_up = True
            raise
        if isinstance(self.what, Exception):
            raise self.what
        return said(candidate, self.what)


def reply(asks: Says, look: Any) -> str | None:
    return asyncio.run(reply_of(AnswerJudge(candidate=HERE), REQUEST, asks, look, patience_s=0.5))  # type: ignore[arg-type]


def test_an_idle_judge_replies() -> None:
    assert reply(Says("fine", 0.01), snapshot) == "fine"


def test_a_busy_one_is_not_asked() -> None:
    asks = Says("fine")
    assert reply(asks, lambda: snapshot(running=1)) is None and asks.asked == 0


def test_it_makes_room_for_a_request_that_waits() -> None:
    asks = Says("fine", 60)
    looks = iter([snapshot()])
    assert reply(asks, lambda: next(looks, snapshot(waiting=1))) is None
    assert asks.asked == 1 and asks.gave_up


def test_one_that_fails_says_nothing() -> None:
    assert reply(Says(InternalError("out of order")), snapshot) is None


@pytest.mark.parametrize(("threshold", "score"), [(None, 0.6), (0.6, 1.0), (0.7, 0.0)])
def test_a_grade_is_the_score_or_is_held_against_the_threshold(threshold: float | None, score: float) -> None:
    assert score_of(0.6, threshold) == score
