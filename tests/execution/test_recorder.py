"""What of a request reaches the history."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from tests.execution.fakes import decided, ranked, said

from turnout.execution.asked import Asked
from turnout.execution.recorder import ESCALATION_WEIGHT, Recorder
from turnout.execution.served import Served
from turnout.features import extract, schema_hash
from turnout.history import History, new_id
from turnout.types import Attempt, Completion, Hints, Request, Tried, Usage

SMALL, LARGE = "lms/small", "ollama/large"


class Disk:
    """Counts what is written."""

    def __init__(self) -> None:
        self.writes = 0

    def __call__(self, handle: int, lines: bytes) -> int:
        self.writes += 1
        return os.write(handle, lines)


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def history(tmp_path: Path, disk: Disk) -> Any:
    with History(f"sqlite:///{tmp_path}/h.db", folder=tmp_path, interval_s=1000, write=disk) as opened:
        yield opened


def attempt(candidate: str, **fields: Any) -> Attempt:
    return Attempt(candidate=candidate, started_at=2.0, total_s=0.5, usage=Usage(3, 2), **fields)


def served(*tried: Tried, completion: Completion | None = None, **fields: Any) -> Served:
    decision = decided(ranked(SMALL), ranked(LARGE), features=extract("rename x to y"))
    asked = Asked(request=Request.of("rename x to y"), hints=Hints(conversation="c", user="u"))
    return Served(
        **{
            "id": new_id(),
            "asked": asked,
            "started_at": 1.5,
            "total_s": 1.0,
            "decision": decision,
            "tried": tried,
            "completion": completion,
            **fields,
        }
    )


def recorded(history: History, news: Served, *, keep_texts: bool = True) -> dict[str, Any]:
    Recorder(history, keep_texts=keep_texts).served(news)
    assert history.flush(30)
    found = history.reader.decision(news.id)
    assert found is not None
    return found


def escalated() -> Served:
    """The first answer was not trusted, and a retry at the next candidate gave one that was."""
    first, second = said(SMALL, "no"), said(LARGE, "yes")
    tried = (
        Tried(candidate=SMALL, role="first", attempts=(attempt(SMALL),), answer=first, confidence=0.25),
        Tried(
            candidate=LARGE,
            role="escalation",
            attempts=(attempt(LARGE, error="unavailable", message="away"), attempt(LARGE, number=2)),
            answer=second,
            confidence=0.75,
            signals={"cut": False, "refusal": 0.5, "echo": None},
        ),
    )
    identity = new_id()
    completion = Completion(id=identity, answer=second, decision=None, confidence=0.75, reason="", tried=tried)
    return served(*tried, completion=completion, id=identity)


def test_a_request_is_recorded_with_one_write(history: History, disk: Disk) -> None:
    recorded(history, escalated())
    assert disk.writes == 1


def test_a_decision_is_recorded_with_what_its_request_knows(history: History) -> None:
    found = recorded(history, escalated())
    kept = {name: found[name] for name in ("created_at", "conversation", "user", "prompt", "features_schema")}
    assert kept == {
        "created_at": 1.5,
        "conversation": "c",
        "user": "u",
        "prompt": "rename x to y",
        "features_schema": schema_hash(),
    }
    assert found["features"] and [one["candidate"] for one in found["ranking"]] == [SMALL, LARGE]


def test_every_attempt_is_recorded_and_the_last_of_each_candidate_with_what_its_answer_was_judged_by(
    history: History,
) -> None:
    told = recorded(history, escalated())["attempts"]
    told.sort(key=lambda one: one["number"])
    assert [(one["number"], one["role"], one["candidate"], one["error"]) for one in told] == [
        (1, "first", SMALL, ""),
        (2, "escalation", LARGE, "unavailable"),
        (3, "escalation", LARGE, ""),
    ]
    assert [(one["confidence"], one["answer"], one["chosen"]) for one in told] == [
        (0.25, "no", False),
        (None, None, False),
        (0.75, "yes", True),
    ]
    assert told[2]["signals"] == {"cut": False, "refusal": 0.5}, "a signal that is not known is absent"


def test_two_judged_answers_are_compared(history: History) -> None:
    outcomes = recorded(history, escalated())["outcomes"]
    told = {one["candidate"]: (one["source"], one["score"], one["weight"]) for one in outcomes}
    assert told == {
        SMALL: ("escalation", 0.25, ESCALATION_WEIGHT),
        LARGE: ("escalation", 0.75, ESCALATION_WEIGHT),
    }


def test_one_judged_answer_is_compared_with_nothing(history: History) -> None:
    tried = Tried(candidate=SMALL, role="first", attempts=(attempt(SMALL),), answer=said(SMALL), confidence=0.5)
    assert recorded(history, served(tried))["outcomes"] == []


def test_where_texts_are_not_kept_no_answer_is(history: History) -> None:
    told = recorded(history, escalated(), keep_texts=False)["attempts"]
    assert len(told) == 3 and {one["answer"] for one in told} == {None}


def test_without_a_decision_nothing_is_recorded(history: History) -> None:
    Recorder(history, keep_texts=True).served(served(decision=None))
    assert history.status().recorded == 0
