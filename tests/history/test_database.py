"""Addresses, files and connections of the database."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DataError, OperationalError
from tests.history.examples import family, rows
from tests.history.postgres import PostgresServer

from turnout.errors import HistoryError, MissingExtraError
from turnout.history.database import Database, is_about_data, told
from turnout.history.store import Store
from turnout.history.tables import decisions, metadata


@pytest.mark.parametrize(
    "url", ["", "no address", "history.db", "sqlite://", "sqlite:///:memory:", "sqlite:///file:x?uri=true"]
)
def test_an_address_of_no_file_is_refused(url: str) -> None:
    with pytest.raises(HistoryError, match="sqlite:///FILE"):
        Database(url)


def test_another_kind_of_database_is_refused() -> None:
    with pytest.raises(HistoryError, match="cannot be kept in mysql"):
        Database("mysql://localhost/history")


def test_a_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtraError, match=r"turnout\[team\]"):
        Database("postgresql://localhost/history")


def test_a_password_is_shown_nowhere() -> None:
    database = Database("postgresql://somebody:hunter2@127.0.0.1:1/history")
    with pytest.raises(OperationalError) as caught:
        database.prepare()
    assert "hunter2" not in str(database) and "hunter2" not in str(caught.value)
    assert told(caught.value)
    database.close()


def test_a_relative_file_stays_the_same_when_the_working_directory_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    database = Database("sqlite:///deeper/history.db")
    monkeypatch.chdir("/")
    database.prepare()
    assert (tmp_path / "deeper" / "history.db").exists()
    database.close()


def test_sqlite_is_set_up_for_one_writer_and_many_readers(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    with database.reading() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "busy_timeout", "secure_delete")
        }
    assert found == {"journal_mode": "wal", "synchronous": 1, "busy_timeout": 2000, "secure_delete": 1}
    database.close()


@pytest.mark.skipif(os.name != "posix", reason="permission bits are of POSIX")
def test_nobody_else_may_read_the_file(sqlite_url: str, tmp_path: Path) -> None:
    database = Database(sqlite_url)
    database.prepare()
    assert (tmp_path / "history.db").stat().st_mode & 0o777 == 0o600
    database.close()


def test_a_reader_does_not_wait_for_a_writer(sqlite_url: str, impatient: None) -> None:
    database = Database(sqlite_url)
    with database.writing() as writer:
        writer.execute(text("INSERT INTO erasures VALUES ('x', 1)"))
        with database.reading() as reader:
            assert reader.scalar(text("SELECT count(*) FROM erasures")) == 0
        with pytest.raises(OperationalError, match="locked"), database.writing():
            pass
    database.close()


def test_a_transaction_that_fails_leaves_nothing(url: str) -> None:
    database = Database(url)
    with pytest.raises(RuntimeError), database.writing() as connection:
        connection.execute(text("INSERT INTO erasures VALUES ('x', 1)"))
        raise RuntimeError
    with database.reading() as connection:
        assert connection.scalar(text("SELECT count(*) FROM erasures")) == 0
    database.close()


def test_a_file_that_was_deleted_is_made_again(sqlite_url: str, tmp_path: Path) -> None:
    store = Store(Database(sqlite_url))
    store.insert(rows(*family()))
    for path in tmp_path.glob("history.db*"):
        path.unlink()
    second = family()
    store.insert(rows(*second))
    store.database.close()
    with sqlite3.connect(tmp_path / "history.db") as connection:
        assert connection.execute("SELECT id FROM decisions").fetchall() == [(second[0].id,)]
    connection.close()


def test_a_file_that_was_exchanged_is_used(sqlite_url: str, tmp_path: Path) -> None:
    store, other = Store(Database(sqlite_url)), Store(Database(f"sqlite:///{tmp_path}/other.db"))
    first, second, third = family(), family(), family()
    store.insert(rows(*first))
    other.insert(rows(*second))
    other.database.close()
    for path in tmp_path.glob("history.db-*"):
        path.unlink()
    (tmp_path / "other.db").replace(tmp_path / "history.db")
    store.insert(rows(*third))
    with store.database.reading() as connection:
        assert set(connection.scalars(select(decisions.c.id))) == {second[0].id, third[0].id}
    store.database.close()


def test_tables_that_were_dropped_are_made_again(url: str) -> None:
    store = Store(Database(url))
    store.insert(rows(*family()))
    with store.database.writing() as connection:
        for table in metadata.tables:
            connection.execute(text(f"DROP TABLE {table}"))
    with pytest.raises(Exception, match="erasures"):
        store.insert(rows(*family()))
    store.database.doubt()
    assert store.insert(rows(*family())) == 4
    store.database.close()


def test_a_server_that_restarts_is_found_again(postgres: PostgresServer) -> None:
    store = Store(Database(postgres.new_database()))
    store.insert(rows(*family()))
    postgres.stop()
    try:
        with pytest.raises(OperationalError) as caught:
            store.insert(rows(*family()))
        assert not is_about_data(caught.value)
    finally:
        postgres.start()
    assert store.insert(rows(*family())) == 4
    store.database.close()


def test_values_and_outages_are_told_apart() -> None:
    assert is_about_data(DataError("INSERT", {}, ValueError("too big")))
    assert is_about_data(OverflowError("int too large"))
    assert not is_about_data(OperationalError("INSERT", {}, ValueError("disk is full")))


def test_what_is_told_of_an_error_holds_no_values() -> None:
    error = OperationalError("INSERT INTO decisions VALUES (?)", {"prompt": "secret"}, RuntimeError("locked\nDETAIL"))
    assert told(error) == "locked"
    assert told(OSError()) == "OSError"


def test_the_package_imports_no_database_library() -> None:
    script = (
        "import sys\nimport turnout, turnout.history\nturnout.history.History('sqlite:///x', folder='.')\n"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert not {"sqlalchemy", "psycopg", "sqlite3", "asyncio"} & set(done.stdout.split())
