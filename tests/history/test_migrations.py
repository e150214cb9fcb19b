"""Every version that was ever released opens; a later one is refused."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, inspect, text
from tests.history.examples import family, language_model, rows

from turnout.errors import HistoryError
from turnout.history import History
from turnout.history.database import Database
from turnout.history.migrations import MIGRATIONS, is_current, migrate, version_of
from turnout.history.reader import HistoryReader
from turnout.history.store import Store
from turnout.history.tables import metadata

V1 = (Path(__file__).parent / "schema_v1.sql").read_text(encoding="utf-8")
NEXT = (*MIGRATIONS, ("ALTER TABLE outcomes ADD COLUMN judge TEXT", "UPDATE outcomes SET judge = 'nobody'"))


def make_v1(url: str) -> None:
    """A database of version 1, made by its own statements and none of the program's."""
    database = Database(url)
    script = V1.replace("JSONB", "TEXT") if database.is_sqlite else V1
    with database.engine.connect() as connection, connection.begin():
        for statement in filter(str.strip, script.split(";\n")):
            connection.exec_driver_sql(statement)
    database.close()


def columns(connection: Connection) -> dict[str, list[tuple[str, str, bool]]]:
    """Tables with their columns: name, type, whether it may be empty."""
    found = inspect(connection)
    return {
        table: [(one["name"], str(one["type"]), bool(one["nullable"])) for one in found.get_columns(table)]
        for table in found.get_table_names()
    }


def indexes(connection: Connection) -> dict[str, list[Any]]:
    found = inspect(connection)
    return {
        table: sorted((one["name"], one["column_names"]) for one in found.get_indexes(table))
        for table in found.get_table_names()
    }


def test_version_1_opens_and_all_of_it_is_read(url: str) -> None:
    make_v1(url)
    with HistoryReader(url) as reader:
        found = reader.decision("d1")
    assert found is not None
    assert (
        found["ranking"][0]["cost_usd"] is None
        and found["excluded"][0]["rule"] == "long"
        and found["rules"] == ["long"]
    )
    assert (found["out_of_depth"], found["prompt"], found["prompt_chars"]) == (False, "rename x to y", 13)
    (attempt,), (outcome,), (feedback,) = found["attempts"], found["outcomes"], found["feedback"]
    assert (attempt["chosen"], attempt["load_s"], attempt["answer"]) == (True, None, "def y")
    assert attempt["signals"] == {"ended": True}
    assert (outcome["score"], outcome["details"], feedback["value"]) == (1.0, {"exit": 0}, 4.0)


def test_version_1_takes_new_rows(url: str) -> None:
    make_v1(url)
    store = Store(Database(url))
    assert store.insert(rows(*family())) == 4
    store.database.close()


def test_version_1_comes_to_know_language_models_and_is_read_in_batches(url: str) -> None:
    make_v1(url)
    with HistoryReader(url) as reader:
        assert reader.language_models() == []
        (batch,) = reader.batches("any")
        assert [(row.id, row.prompt, row.ranking[0]["p_success"]) for row in batch.decisions] == [
            ("d1", "rename x to y", 0.75)
        ]
        assert (len(batch.attempts), len(batch.outcomes), len(batch.feedback)) == (1, 1, 1)
    database = Database(url)
    with database.reading() as connection:
        assert ("decisions_in_order", ["created_at", "id"]) in indexes(connection)["decisions"]
    assert Store(database).insert(rows(language_model(candidate="local/small", first_seen_at=5.0))) == 1
    with HistoryReader(url) as reader:
        assert reader.language_models() == [("local/small", "a.b.c.d.e", 5.0)]
    database.close()


def test_a_new_database_and_version_1_brought_here_are_the_same(url: str, tmp_path: Path) -> None:
    made = Database(url)
    with made.reading() as connection:
        new = columns(connection), indexes(connection)
    with made.writing() as connection:
        for table in new[0]:
            connection.execute(text(f"DROP TABLE {table}"))
    made.close()
    make_v1(url)
    old = Database(url)
    with old.reading() as connection:
        assert (columns(connection), indexes(connection)) == new
        assert version_of(connection) == len(MIGRATIONS)
    old.close()


def test_the_tables_that_queries_see_are_those_that_migrations_make(url: str) -> None:
    database = Database(url)
    with database.reading() as connection:
        made = columns(connection)
        dialect = connection.dialect
    assert set(made) == set(metadata.tables)
    for name, table in metadata.tables.items():
        seen = [(column.name, bool(column.nullable)) for column in table.columns]
        assert [(column, nullable) for column, _, nullable in made[name]] == seen
        for column, (_, kind, _) in zip(table.columns, made[name], strict=True):
            expected = column.type.compile(dialect)
            same = {"JSON": "TEXT", "DOUBLE": "REAL"} if database.is_sqlite else {}
            assert kind == same.get(expected, expected)
    database.close()


def test_an_older_database_is_brought_to_the_next_version_with_its_rows(url: str) -> None:
    make_v1(url)
    database = Database(url)
    with database.writing() as connection:
        assert not is_current(connection, NEXT)
        migrate(connection, NEXT)
        assert is_current(connection, NEXT) and version_of(connection) == len(NEXT)
        assert connection.execute(text("SELECT id, score, judge FROM outcomes")).all() == [("o1", 1.0, "nobody")]
        migrate(connection, NEXT)
        versions = connection.scalars(text("SELECT version FROM schema_version ORDER BY version")).all()
        assert versions == list(range(1, len(NEXT) + 1))
    database.close()


def test_a_step_that_fails_leaves_the_database_as_it_was(url: str) -> None:
    make_v1(url)
    database = Database(url)
    broken: Sequence[Sequence[str]] = (*MIGRATIONS, ("ALTER TABLE outcomes ADD COLUMN judge TEXT", "NO SQL"))
    with pytest.raises(Exception, match="syntax"), database.writing() as connection:
        migrate(connection, broken)
    with database.reading() as connection:
        assert version_of(connection) == len(MIGRATIONS)
        assert "judge" not in [name for name, _, _ in columns(connection)["outcomes"]]
    database.close()


def test_a_later_version_is_refused_and_left_alone(url: str, tmp_path: Path) -> None:
    make_v1(url)
    database = Database(url)
    with database.writing() as connection:
        connection.execute(text("INSERT INTO schema_version VALUES (1000, 0)"))
    database.close()
    with pytest.raises(HistoryError, match=r"schema version 1000.*versions up to \d+: update Turnout"):
        History(url, folder=tmp_path / "state").open()
    with HistoryReader(url) as reader, pytest.raises(HistoryError, match="1000"):
        reader.recent()


def test_many_that_open_an_empty_database_at_once_make_its_tables_once(url: str) -> None:
    databases = [Database(url) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(Database.prepare, databases))
    with databases[0].reading() as connection:
        assert connection.scalar(text("SELECT count(*) FROM schema_version")) == len(MIGRATIONS)
    for database in databases:
        database.close()
