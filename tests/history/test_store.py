"""Rows come in once, go when they are old, and go for good when somebody asks."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import OperationalError
from tests.history.examples import (
    ENCODER,
    attempt,
    decision,
    family,
    feedback,
    language_model,
    outcome,
    rows,
    strange_records,
)

from turnout.history import Record
from turnout.history.rows import read_line
from turnout.history.store import Store
from turnout.history.tables import RECORDED, attempts, decisions, erasures


def counts(store: Store) -> dict[str, int]:
    with store.database.reading() as connection:
        return {table.name: connection.scalar(select(func.count()).select_from(table)) or 0 for table in RECORDED}


def ids(store: Store) -> set[str]:
    with store.database.reading() as connection:
        return {one for table in RECORDED for one in connection.scalars(select(table.c.id))}


def test_rows_of_all_tables_come_in_together(store: Store) -> None:
    assert store.insert(rows(*family(), *family(), language_model())) == 9
    assert counts(store) == {"decisions": 2, "attempts": 2, "outcomes": 2, "feedback": 2, "language_models": 1}


def test_language_models_come_in_beside_what_was_erased(store: Store) -> None:
    first = family(user="me")
    store.insert(rows(*first))
    store.erase("user", "me")
    assert store.insert(rows(*first, language_model())) == 1
    assert counts(store) == {"decisions": 0, "attempts": 0, "outcomes": 0, "feedback": 0, "language_models": 1}


def test_old_language_models_are_swept(store: Store) -> None:
    store.insert(rows(language_model(first_seen_at=1.0), language_model(first_seen_at=3.0)))
    store.sweep(2.0)
    assert counts(store)["language_models"] == 1


def test_the_same_record_again_changes_nothing(store: Store) -> None:
    first = decision(confidence=0.5)
    store.insert(rows(first, first))
    store.insert(rows(first))
    assert counts(store)["decisions"] == 1


def test_what_belongs_to_a_decision_may_come_before_it(store: Store) -> None:
    made = family()
    assert store.insert(rows(*made[1:])) == 3
    assert store.insert(rows(made[0])) == 1


@settings(max_examples=40)
@given(st.lists(strange_records, min_size=1, max_size=5))
def test_any_record_can_be_stored(store: Store, records: list[Record]) -> None:
    found = []
    for record in records:
        try:
            found.append(read_line(ENCODER.line(record)))
        except (OverflowError, ValueError):
            continue
    assert store.insert(found) == len(found)


def test_huge_values_can_be_stored(store: Store) -> None:
    big = decision(
        id="i" * 100_000,
        conversation="漢" * 100_000,
        user="u" * 100_000,
        prompt="😀" * 1_000_000,
        rules=tuple("r" * 10_000 for _ in range(100)),
    )
    called = attempt("d" * 100_000, prompt_tokens=10**30, number=2**70, signals={"text": "x" * 10**6, "n": 10**300})
    assert store.insert(rows(big, called)) == 2
    with store.database.reading() as connection:
        assert connection.scalar(select(func.length(decisions.c.prompt))) == 1_000_000
        assert connection.scalar(select(attempts.c.prompt_tokens)) is None


def test_a_row_that_the_database_refuses_does_not_keep_the_others_out(store: Store) -> None:
    (good, bad) = rows(decision(), decision())
    bad = (
        bad[0],
        tuple(
            None if column.name == "created_at" else value
            for column, value in zip(decisions.columns, bad[1], strict=True)
        ),
    )
    with pytest.raises(Exception, match=r"(?i)null"):
        store.insert([good, bad])
    assert counts(store)["decisions"] == 0
    taken, problems = store.insert_each([good, bad])
    assert taken == 1 and len(problems) == 1 and bad[1][0] in problems[0]
    assert counts(store)["decisions"] == 1


def test_a_database_that_goes_away_is_not_taken_for_a_bad_row(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise OperationalError("INSERT", {}, RuntimeError("gone"))

    monkeypatch.setattr("turnout.history.store._insert", away)
    with pytest.raises(OperationalError):
        store.insert_each(rows(decision()))


# Erasing


def test_a_conversation_is_erased_with_all_that_belongs_to_it(store: Store) -> None:
    gone, other = family(conversation="c1", user="u"), family(conversation="c2", user="u")
    store.insert(rows(*gone, *other))
    assert store.erase("conversation", "c1") == {"attempts": 1, "outcomes": 1, "feedback": 1, "decisions": 1}
    assert ids(store) == {record.id for record in other}
    assert store.erase("conversation", "c1")["decisions"] == 0


def test_a_user_is_erased_with_what_they_said_of_others_decisions(store: Store) -> None:
    mine, other = family(user="me"), family(user="you")
    said, theirs = feedback(other[0].id, user="me"), feedback(mine[0].id, user="you")
    store.insert(rows(*mine, *other, said, theirs))
    assert store.erase("user", "me") == {"attempts": 1, "outcomes": 1, "feedback": 3, "decisions": 1}
    assert ids(store) == {record.id for record in other}


def test_who_has_a_strange_name_is_erased_too(store: Store) -> None:
    for name in ("x" * 5000, "a\0\ud800b", "Robert'); DROP TABLE decisions;--", "%"):
        store.insert(rows(*family(user=name), *family(user="%%")))
        assert store.erase("user", name)["decisions"] == 1


def test_what_was_erased_does_not_come_back_from_a_journal(store: Store) -> None:
    made = family(user="me")
    store.insert(rows(*made))
    store.erase("user", "me")
    assert store.insert(rows(*made)) == 0
    assert store.insert(rows(*made[1:])) == 0, "nor do parts of it alone"
    assert not ids(store)


def test_what_still_waited_elsewhere_when_it_was_erased_stays_out(store: Store) -> None:
    made = family(conversation="c1")
    store.erase("conversation", "c1")
    late = attempt(made[0].id)
    assert store.insert(rows(*reversed(made))) == 0
    assert store.insert(rows(late, outcome(made[0].id))) == 0


def test_after_an_erasure_the_same_user_is_recorded_again(store: Store) -> None:
    store.erase("user", "me")
    new = family(user="me", created_at=time.time() + 1)
    assert store.insert(rows(*new)) == 4
    others = family(user="you", created_at=1.0)
    assert store.insert(rows(*others)) == 4


def test_a_second_erasure_counts_from_its_own_time(store: Store) -> None:
    store.erase("user", "me")
    made = family(user="me", created_at=time.time() + 0.001)
    time.sleep(0.002)
    store.insert(rows(*made))
    assert store.erase("user", "me")["decisions"] == 1
    assert store.insert(rows(*made)) == 0


def test_of_what_was_erased_no_name_is_kept(store: Store) -> None:
    store.insert(rows(*family(user="somebody@example.org")))
    store.erase("user", "somebody@example.org")
    with store.database.reading() as connection:
        kept = connection.scalars(select(erasures.c.subject)).all()
    assert len(kept) == 2 and "somebody" not in "".join(kept)


def test_of_what_was_erased_nothing_is_left_in_any_file(tmp_path: Path, sqlite_url: str) -> None:
    from turnout.history.database import Database

    store = Store(Database(sqlite_url))
    for number in range(30):
        user = "me" if number % 2 else "you"
        store.insert(rows(*family(user=user, prompt=f"{user} has a secret " * 200)))

    def found(words: bytes) -> bool:
        return any(words in path.read_bytes() for path in tmp_path.glob("history.db*"))

    assert found(b"me has a secret")
    store.erase("user", "me")
    assert not found(b"me has a secret") and found(b"you has a secret")
    store.database.close()


# Retention


def aged(days: float) -> list[Record]:
    then = time.time() - days * 86_400
    first = decision(created_at=then)
    return [
        first,
        attempt(first.id, started_at=then),
        outcome(first.id, created_at=then),
        feedback(first.id, created_at=then),
    ]


def test_what_is_old_is_swept_with_all_that_belongs_to_it(store: Store) -> None:
    old, new = aged(11), aged(9)
    late = feedback(old[0].id)
    store.insert(rows(*old, *new, late))
    assert store.sweep(time.time() - 10 * 86_400) == 5
    assert ids(store) == {record.id for record in new}


def test_orphans_are_swept_by_their_own_age(store: Store) -> None:
    old, new = aged(11), aged(9)
    store.insert(rows(*old[1:], *new[1:]))
    assert store.sweep(time.time() - 10 * 86_400) == 3
    assert ids(store) == {record.id for record in new[1:]}


def test_a_sweep_goes_on_until_all_is_gone(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("turnout.history.store._SWEPT_AT_ONCE", 3)
    store.insert(rows(*(record for _ in range(10) for record in aged(11))))
    assert store.sweep(time.time() - 10 * 86_400) == 40
    assert not ids(store)


def test_erasures_are_forgotten_when_what_they_keep_out_would_be_swept(store: Store) -> None:
    store.erase("user", "me")
    store.sweep(time.time() - 86_400)
    with store.database.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(erasures)) == 1
    store.sweep(time.time() + 1)
    with store.database.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(erasures)) == 0


def test_json_can_be_asked_for_in_sql(store: Store) -> None:
    store.insert(rows(attempt("d", signals={"ended": True, "mean": math.nan, "score": 0.5})))
    ask: dict[str, Any] = {
        "sqlite": "SELECT json_extract(signals, '$.score') FROM attempts",
        "postgresql": "SELECT (signals->>'score')::float FROM attempts",
    }
    with store.database.reading() as connection:
        assert connection.scalar(text(ask[connection.dialect.name])) == 0.5


def test_a_value_of_nothing_is_null_and_not_a_json_null(store: Store) -> None:
    store.insert(rows(decision()))
    with store.database.writing() as connection:
        connection.execute(update(decisions).values(rules=None))
        assert connection.scalar(text("SELECT count(*) FROM decisions WHERE rules IS NULL")) == 1
