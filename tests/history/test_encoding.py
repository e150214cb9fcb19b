"""From records to lines and back to rows: nothing lost, nothing that the prompt mode keeps from the disk."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.history.examples import (
    ENCODER,
    attempt,
    decision,
    feedback,
    mappings,
    maybe_numbers,
    named,
    names,
    numbers,
    outcome,
    ranked,
    row,
    strange_records,
    texts,
    times,
)

from turnout.features import extract
from turnout.history import AttemptRecord, DecisionRecord, LanguageModelRecord, PromptMode, Record, unpack_features
from turnout.history.direct import Attempted, Decided
from turnout.history.encoding import MAX_ANSWER_CHARS, MAX_COMMENT_CHARS, MAX_PROMPT_CHARS, MAX_TEXT_CHARS, Encoder
from turnout.history.fingerprints import Fingerprints
from turnout.history.rows import read_line
from turnout.types import Attempt, Decision, Excluded, Ranked, Task, Usage

FINGERPRINTS = Fingerprints(b"k" * 32)
SECRET = "correct horse battery staple"


def test_a_decision_comes_back_in_every_column() -> None:
    features = extract("rename x to y")
    record = decision(
        created_at=1.25,
        request_id="r",
        conversation="c",
        user="u",
        preference="fast",
        reason="why",
        task_type="edit",
        complexity="simple",
        complexity_score=2.5,
        tier="fast",
        tier_score=0.25,
        novelty=0.5,
        out_of_depth=True,
        predictor="7",
        configuration="abc",
        features=features,
        features_schema="s",
    )
    table, found = row(record)
    assert table.name == "decisions"
    assert json.loads(found.pop("ranking")) == [
        {
            "candidate": "local/small",
            "p_success": 0.75,
            "expected_s": 1.5,
            "cost_usd": None,
            "utility": 0.7,
            "learned": True,
            "inherited": 0,
        },
        {
            "candidate": "cloud/large",
            "p_success": 0.875,
            "expected_s": None,
            "cost_usd": 0.25,
            "utility": 0.5,
            "learned": True,
            "inherited": 0,
        },
    ]
    assert json.loads(found.pop("excluded")) == [
        {"candidate": "local/tiny", "reason": "its window is too small", "rule": "long"}
    ]
    assert json.loads(found.pop("rules")) == ["long"]
    np.testing.assert_array_equal(unpack_features(found.pop("features")).vector, features.vector)
    assert found == {
        "id": record.id,
        "created_at": 1.25,
        "request_id": "r",
        "conversation": "c",
        "user": "u",
        "preference": "fast",
        "candidate": "local/small",
        "confidence": 0.75,
        "propensity": 1.0,
        "decided_by": "utility",
        "reason": "why",
        "task_type": "edit",
        "complexity": "simple",
        "complexity_score": 2.5,
        "tier": "fast",
        "tier_score": 0.25,
        "novelty": 0.5,
        "out_of_depth": True,
        "predictor": "7",
        "configuration": "abc",
        "prompt": "rename x to y",
        "prompt_hash": FINGERPRINTS.of("rename x to y"),
        "prompt_chars": 13,
        "features_schema": "s",
    }


def test_an_attempt_comes_back_in_every_column() -> None:
    told: dict[str, Any] = {
        "number": 2,
        "role": "escalation",
        "candidate": "cloud/large",
        "started_at": 1.5,
        "queue_s": 0.25,
        "load_s": 0.0,
        "first_token_s": 0.5,
        "total_s": 2.0,
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "tokens_per_s": 33.5,
        "streamed": True,
        "error": "timeout",
        "message": "too late",
        "confidence": 0.5,
        "chosen": True,
        "answer": "def y",
    }
    record = attempt("d", signals={"ended": True, "refusal": 0.1}, **told)
    table, found = row(record)
    assert table.name == "attempts"
    assert json.loads(found.pop("signals")) == {"ended": True, "refusal": 0.1}
    assert found == {"id": record.id, "decision_id": "d", **told}


def test_what_is_not_known_of_an_attempt_stays_unknown() -> None:
    _, found = row(attempt("d"))
    assert found["queue_s"] is found["first_token_s"] is found["prompt_tokens"] is found["confidence"] is None


def test_an_outcome_and_feedback_come_back_in_every_column() -> None:
    judged = outcome("d", score=0.5, weight=0.25, created_at=1.5, details={"exit": 1})
    said = feedback("d", user="u", kind="score", value=4.0, comment="fine", created_at=2.5)
    table, found = row(judged)
    assert table.name == "outcomes" and json.loads(found.pop("details")) == {"exit": 1}
    assert found == {
        "id": judged.id,
        "decision_id": "d",
        "candidate": "local/small",
        "source": "verifier",
        "score": 0.5,
        "weight": 0.25,
        "created_at": 1.5,
    }
    table, found = row(said)
    assert table.name == "feedback"
    assert found == {
        "id": said.id,
        "decision_id": "d",
        "user": "u",
        "kind": "score",
        "value": 4.0,
        "comment": "fine",
        "created_at": 2.5,
    }


def test_a_language_model_comes_back_in_every_column() -> None:
    record = LanguageModelRecord(id="l1", candidate="local/small", identity="a.-.b", first_seen_at=2.5)
    table, found = row(record)
    assert table.name == "language_models"
    assert found == {"id": "l1", "candidate": "local/small", "identity": "a.-.b", "first_seen_at": 2.5}


@given(strange_records)
def test_any_record_is_one_line_that_becomes_a_row(record: Record) -> None:
    try:
        line = ENCODER.line(record)
    except (OverflowError, ValueError):  # a number of tokens that no float can hold
        return
    assert line.isascii() and line.index(b"\n") == len(line) - 1
    _, found = named(line)
    assert found["id"]
    json.dumps(found, allow_nan=False).encode()
    for value in filter(None, found.values()):
        assert not isinstance(value, str) or ("\0" not in value and value.encode())


@given(
    st.builds(
        Decision,
        candidate=texts,
        confidence=numbers,
        reason=texts,
        ranking=st.lists(ranked, max_size=3).map(tuple),
        task=st.builds(
            Task,
            texts,
            st.just({}),
            texts,
            numbers,
            st.just({}),
            texts,
            numbers,  # type: ignore[arg-type]
        ),
        novelty=numbers,
        out_of_depth=st.booleans(),
        propensity=numbers,
        excluded=st.lists(st.builds(Excluded, texts, texts, texts), max_size=2).map(tuple),
        rules=st.lists(texts, max_size=2).map(tuple),
        preference=texts,
        configuration=texts,
        features=st.sampled_from([None, extract("rename x to y")]),
    ),
    st.fixed_dictionaries(
        {"id": names, "created_at": times, "prompt": st.none() | texts, "features_schema": texts},
        optional={"request_id": names, "conversation": names, "user": names, "predictor": texts},
    ),
)
def test_a_decision_as_it_is_has_the_line_of_its_record(made: Decision, known: dict[str, Any]) -> None:
    for mode in get_args(PromptMode):
        encoder = Encoder(mode, FINGERPRINTS)
        record = DecisionRecord.of(made, features=made.features, **known)
        assert encoder.line(Decided(made, **known)) == encoder.line(record)


@given(
    st.builds(
        Attempt,
        candidate=texts,
        started_at=times,
        queue_s=numbers,
        load_s=numbers,
        first_token_s=maybe_numbers,
        total_s=numbers,
        usage=st.builds(Usage, st.none() | st.integers(0, 9999), st.none() | st.integers(0, 9999)),
        tokens_per_s=maybe_numbers,
        streamed=st.booleans(),
        error=texts,
        message=texts,
    ),
    st.fixed_dictionaries(
        {
            "id": names,
            "decision_id": names,
            "number": st.integers(1, 99),
            "role": st.sampled_from(["first", "escalation"]),
            "confidence": maybe_numbers,
            "signals": mappings,
            "chosen": st.booleans(),
            "answer": st.none() | texts,
        }
    ),
)
def test_an_attempt_as_it_is_has_the_line_of_its_record(made: Attempt, known: dict[str, Any]) -> None:
    same = (field.name for field in fields(AttemptRecord) if field.name not in known)
    told = {name: getattr(made.usage if name.endswith("_tokens") else made, name) for name in same}
    for mode in get_args(PromptMode):
        encoder = Encoder(mode, FINGERPRINTS)
        assert encoder.line(Attempted(made, **known)) == encoder.line(AttemptRecord(**told, **known))


def test_names_of_candidates_are_not_taken_for_places_to_fill() -> None:
    ranking = (Ranked('a%s%%"{}', 0.5, None, None, 0.5, learned=False), Ranked("\ud800", math.nan, 1.0, 1.0, math.inf))
    found = json.loads(row(decision(ranking=ranking))[1]["ranking"])
    assert [one["candidate"] for one in found] == ['a%s%%"{}', "�"]
    assert [one["learned"] for one in found] == [False, True]
    assert [one["p_success"] for one in found] == [0.5, None] and found[1]["utility"] is None


def test_huge_texts_are_cut() -> None:
    found = row(decision(prompt="x" * (MAX_PROMPT_CHARS + 5), reason="y" * 10**5))[1]
    assert (len(found["prompt"]), found["prompt_chars"]) == (MAX_PROMPT_CHARS, MAX_PROMPT_CHARS + 5)
    assert len(found["reason"]) == MAX_TEXT_CHARS
    assert len(row(attempt("d", message="y" * 10**5))[1]["message"]) == MAX_TEXT_CHARS
    assert len(row(attempt("d", answer="y" * 10**7))[1]["answer"]) == MAX_ANSWER_CHARS
    assert len(row(feedback("d", comment="y" * 10**5))[1]["comment"]) == MAX_COMMENT_CHARS


@pytest.mark.parametrize("signals", [{"a": object()}, {(1, 2): 3}, {"a": {"b": object}}])
def test_what_no_json_can_hold_is_refused(signals: dict[Any, Any]) -> None:
    with pytest.raises(TypeError):
        ENCODER.line(attempt("d", signals=signals))


def test_numbers_of_numpy_and_sets_are_taken_as_what_they_are() -> None:
    signals = {"a": np.float32(0.5), "b": np.arange(3), "c": {"y", "x"}, "d": np.int64(7)}
    assert json.loads(row(attempt("d", signals=signals))[1]["signals"]) == {
        "a": 0.5,
        "b": [0, 1, 2],
        "c": ["x", "y"],
        "d": 7,
    }


def test_another_object_is_no_record() -> None:
    with pytest.raises(TypeError, match="a str is no record"):
        ENCODER.line("hello")  # type: ignore[arg-type]


# Prompt modes


def lines(mode: PromptMode) -> bytes:
    encoder = Encoder(mode, FINGERPRINTS)
    records: list[Record] = [
        decision(prompt=SECRET, features=extract(SECRET), features_schema="s"),
        attempt(
            "d",
            message=f"cannot parse {SECRET}",
            answer=f"You asked: {SECRET}",
            signals={"missing": [SECRET], "mean": 0.5, "ok": True},
        ),
        outcome("d", details={"output": SECRET, "deeper": {"words": [SECRET], "exit": 1}}),
        feedback("d", comment=f"I asked {SECRET}"),
    ]
    return b"".join(encoder.line(record) for record in records)


def test_in_full_mode_everything_is_kept() -> None:
    assert lines("full").count(SECRET.encode()) == 7


@pytest.mark.parametrize("mode", ["features", "none"])
def test_in_the_other_modes_no_text_that_may_hold_the_prompt_is_kept(mode: PromptMode) -> None:
    content = lines(mode)
    assert b"horse" not in content and b"staple" not in content
    found = [named(line)[1] for line in content.splitlines()]
    assert found[0]["prompt"] is None
    assert json.loads(found[1]["signals"]) == {"missing": [None], "mean": 0.5, "ok": True}
    assert json.loads(found[2]["details"]) == {"output": None, "deeper": {"words": [None], "exit": 1}}


def test_features_mode_keeps_features_and_fingerprint() -> None:
    _, found = named(lines("features").splitlines()[0])
    assert found["prompt_hash"] == FINGERPRINTS.of(SECRET) and found["prompt_chars"] == len(SECRET)
    assert len(unpack_features(found["features"]).vector) == len(extract("x").vector)


def test_none_mode_keeps_nothing_made_of_the_prompt() -> None:
    _, found = named(lines("none").splitlines()[0])
    assert found["prompt_hash"] is found["prompt_chars"] is found["features"] is None


# Damaged lines


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"7",
        b"\0\0\0\0",
        b"outcome.1\tAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\t" + b"[" * 100_000,
        b"decision.1",
        b"decision.9\t\t\t[]\t[]\t[]\t[]",
        b'feedback.1\tAAAAAAAAAAAAAAAAAAAAAA==\t["i","d","u","k"]',
        b'feedback.1\t!\t["i","d","u","k","c"]',
        b'feedback.1\t\t["i","d","u","k","c"]',
        b"feedback.1\tAAAAAAAAAAAAAAAAAAAAAA==\t{}",
        b'feedback.1\tAAAAAAAAAAAAAAAAAAAAAA==\t["i","d","u","k","c"]]',
        b'feedback.1\tAAAAAAAAAAAAAAAAAAAAAA==\t["i","d","u","k","c"]\t{}',
        b'outcome.1\tAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\t["i","d","c","s"]\t{',
        'feedback.1\tAAAAAAAAAAAAAAAAAAAAAA==\t["i","d","u","k","é"]'.encode(),
    ],
)
def test_a_damaged_line_is_told(line: bytes) -> None:
    with pytest.raises(ValueError):
        read_line(line)


@given(strange_records)
def test_any_half_of_a_line_is_told(record: Record) -> None:
    try:
        line = ENCODER.line(record)
    except (OverflowError, ValueError):
        return
    with pytest.raises(ValueError):
        read_line(line[: len(line) // 2])


def test_a_line_without_an_id_is_told() -> None:
    with pytest.raises(ValueError, match="without id"):
        row(decision(id=""))
