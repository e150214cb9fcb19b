"""Databases of both kinds, each empty, and a history on each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from tests.history.postgres import PostgresServer, serve_postgres

from turnout.history import History
from turnout.history.database import Database
from turnout.history.store import Store

MakeHistory: TypeAlias = Callable[..., History]


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for each test process; skips where PostgreSQL is not installed."""
    with serve_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database, of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/history.db"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/history.db"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """A store on an empty database of either kind."""
    database = Database(url)
    yield Store(database)
    database.close()


@pytest.fixture
def opened(tmp_path: Path, sqlite_url: str) -> Iterator[MakeHistory]:
    """Opens histories on SQLite with what is named, and closes them at the end."""
    with ExitStack() as stack:

        def make(**options: Any) -> History:
            history = History(options.pop("url", sqlite_url), folder=tmp_path / "state", **options)
            stack.callback(history.close)
            return history.open()

        yield make


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite waits for a lock for hundredths of a second only."""
    monkeypatch.setattr("turnout.history.database.BUSY_S", 0.03)
