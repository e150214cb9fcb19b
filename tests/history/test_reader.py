"""What is read is what was recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.history.examples import attempt, decision, family, feedback, outcome, rows

from turnout.errors import HistoryError
from turnout.features import extract
from turnout.history import reader as module
from turnout.history.reader import HistoryReader
from turnout.history.store import Store


@pytest.fixture
def reader(store: Store, url: str) -> Iterator[HistoryReader]:
    store.database.prepare()
    with HistoryReader(url) as made:
        yield made


def test_a_decision_is_read_with_all_that_came_of_it(store: Store, reader: HistoryReader) -> None:
    made = decision(created_at=1.5, conversation="c", user="u")
    calls = [attempt(made.id, number=n, started_at=float(n), signals={"n": n}, chosen=n == 2) for n in (2, 1)]
    store.insert(rows(made, *calls, outcome(made.id, details={"exit": 0}), feedback(made.id, user="u"), *family()))
    found = reader.decision(made.id)
    assert found is not None
    assert (found["id"], found["created_at"], found["conversation"], found["user"]) == (made.id, 1.5, "c", "u")
    assert found["ranking"][1]["candidate"] == "cloud/large" and found["rules"] == ["long"]
    assert [(one["number"], one["signals"], one["chosen"]) for one in found["attempts"]] == [
        (1, {"n": 1}, False),
        (2, {"n": 2}, True),
    ]
    assert found["outcomes"][0]["details"] == {"exit": 0} and found["feedback"][0]["kind"] == "good"
    json.dumps(found, allow_nan=False)


def test_a_decision_that_is_not_there_is_none(reader: HistoryReader) -> None:
    assert reader.decision("nobody") is None and reader.decision("") is None


def test_the_latest_come_first(store: Store, reader: HistoryReader) -> None:
    made = [decision(created_at=float(n)) for n in range(5)]
    store.insert(rows(*made))
    assert [one["id"] for one in reader.recent(3)] == [made[4].id, made[3].id, made[2].id]
    assert reader.recent(0) == [] and len(reader.recent()) == 5


def test_decisions_are_found_by_conversation_and_request(store: Store, reader: HistoryReader) -> None:
    long = "c" * 5000
    made = [decision(conversation=long, request_id=f"r{n}", created_at=float(n)) for n in range(3)]
    store.insert(rows(*made, decision(conversation="other")))
    assert [one["id"] for one in reader.find_by_conversation(long)] == [one.id for one in reversed(made)]
    assert len(reader.find_by_conversation(long, 2)) == 2
    assert [one["id"] for one in reader.find_by_request("r1")] == [made[1].id]
    assert reader.find_by_conversation("none") == reader.find_by_conversation("") == []


def test_an_export_holds_everything_in_order(
    store: Store, reader: HistoryReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_AT_ONCE", 3)
    families = [family(user="me", conversation=f"c{n % 2}", created_at=float(n // 2)) for n in range(10)]
    store.insert(rows(*(record for one in reversed(families) for record in one), *family(user="you")))
    found = list(reader.export(user="me"))
    assert [one["id"] for one in found if one["table"] == "decisions"] == [one[0].id for one in families]
    assert {one["id"] for one in found} == {record.id for one in families for record in one} and len(found) == 40
    assert [one["table"] for one in found[:4]] == ["decisions", "attempts", "outcomes", "feedback"]
    json.dumps(found, allow_nan=False)
    assert len(list(reader.export(conversation="c1"))) == 20
    assert list(reader.export(conversation="nobody")) == []


def test_an_export_holds_what_a_user_said_of_others_decisions(store: Store, reader: HistoryReader) -> None:
    other = family(user="you")
    said, nowhere = feedback(other[0].id, user="me"), feedback("", user="me")
    store.insert(rows(*other, said, nowhere))
    assert {one["id"] for one in reader.export(user="me")} == {said.id, nowhere.id}


def test_batches_hold_every_decision_once_in_order_with_all_that_belongs_to_it(
    store: Store, reader: HistoryReader
) -> None:
    families = [family(created_at=float(n // 3)) for n in range(11)]
    store.insert(rows(*(record for one in reversed(families) for record in one), *family(created_at=50.0)))
    batches = list(reader.batches("any", until=50.0, at_once=4))
    assert [len(batch.decisions) for batch in batches] == [4, 4, 3]
    assert [row.id for batch in batches for row in batch.decisions] == [one[0].id for one in families]
    for batch in batches:
        ids = {row.id for row in batch.decisions}
        for children in (batch.attempts, batch.outcomes, batch.feedback):
            assert {row.decision_id for row in children} == ids
    assert reader.span(until=50.0) == (11, 0.0, 3.0)
    assert [row.id for batch in reader.batches("any", since=3.0, until=50.0) for row in batch.decisions] == [
        one[0].id for one in families[9:]
    ]


def test_a_batch_holds_prompts_only_where_there_are_no_features_of_the_schema(
    store: Store, reader: HistoryReader
) -> None:
    features = extract("rename x to y")
    stored = {"features": features, "prompt": "a prompt"}
    store.insert(
        rows(
            decision(id="a", created_at=1.0, features_schema="now", **stored),
            decision(id="b", created_at=2.0, features_schema="before", **stored),
            decision(id="c", created_at=3.0, features_schema="now", prompt="a prompt"),
        )
    )
    (batch,) = reader.batches("now")
    assert [(row.features is None, row.prompt) for row in batch.decisions] == [
        (False, None),
        (True, "a prompt"),
        (True, "a prompt"),
    ]


def test_an_empty_history_has_no_batch(reader: HistoryReader) -> None:
    assert list(reader.batches("any")) == [] and reader.span() == (0, 0.0, 0.0)


@pytest.mark.parametrize("scope", [{}, {"user": ""}, {"user": "me", "conversation": "c"}])
def test_an_export_is_of_one_user_or_one_conversation(reader: HistoryReader, scope: dict[str, str]) -> None:
    with pytest.raises(HistoryError, match="one conversation or one user"):
        reader.export(**scope)


def test_reading_where_nothing_is_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="there is no history at"):
        HistoryReader(f"sqlite:///{tmp_path}/history.db")
    assert not list(tmp_path.iterdir())


def test_a_database_that_cannot_be_read_is_told(store: Store, reader: HistoryReader, tmp_path: Path) -> None:
    store.insert(rows(*family()))
    with store.database.writing() as connection:
        connection.execute(text("DROP TABLE attempts"))
    with pytest.raises(HistoryError, match=r"cannot be read now: .*attempts"):
        reader.recent()
