"""The database behind the history: SQLite beside the program, or PostgreSQL for a team.

SQLite runs with a write-ahead log, so that readers and the one writer do not wait for each other; commits are not
forced to the disk one by one (synchronous=NORMAL keeps the file sound through a loss of power, not the last commits).
What is deleted is overwritten.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, SQLAlchemyError, StatementError

from turnout.errors import HistoryError, MissingExtraError
from turnout.history.migrations import is_current, migrate

BUSY_S: Final = 2.0
"""How long SQLite waits for a lock before it gives up; the drainer then tries again later."""

_PAGE_BYTES: Final = 8192
"""Of files made from now on. A decision is 3 to 4 KB: it leaves SQLite's usual page half empty, each to be written."""

_CONNECT_S: Final = 5
_UNANSWERED_MS: Final = 30_000
_WRITERS: Final = 0x7475726E6F7574  # the key of PostgreSQL's advisory locks: "turnout"
_WRITES: Final = "turnout_writes"


class Database:
    """Transactions on one database whose tables are those of this version.

    Raises:
        HistoryError: the address is none, or of a database that cannot hold a history.
        MissingExtraError: it is PostgreSQL, and its driver is not installed.
    """

    def __init__(self, url: str) -> None:
        self.url = _checked(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.file = Path(self.url.database or "") if self.is_sqlite else None
        self.engine = _engine(self.url)
        self._lock = Lock()
        self._opened: os.stat_result | None = None
        self._current = False

    def __str__(self) -> str:
        return self.url.render_as_string(hide_password=True)

    def exists(self) -> bool:
        """Whether there is something to be read; a server is taken to be there."""
        return self.file is None or self.file.exists()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one moment."""
        self.prepare()
        with self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self, *, alone: bool = False) -> Iterator[Connection]:
        """A transaction that commits at its end. Of those that are `alone`, and on SQLite of all, one runs at a time."""
        self.prepare()
        with self._transaction(alone=alone) as connection:
            yield connection

    def prepare(self) -> None:
        """Bring the tables to this version, if that was not done since the database was opened.

        Raises:
            HistoryError: the database is of a later version.
        """
        with self._lock:
            if self._current and not self._was_replaced():
                return
            self._current = False
            self.engine.dispose()
            self._make_file()
            with self.engine.connect() as connection, connection.begin():
                current = is_current(connection)
            if not current:
                with self._transaction(alone=True) as connection:
                    migrate(connection)
            self._current = True

    def doubt(self) -> None:
        """Something failed: look again before the next transaction."""
        self._current = False

    def forget_deleted(self) -> None:
        """Empty SQLite's write-ahead log, which still holds what was deleted; a reader may put it off a little."""
        if self.is_sqlite:
            connection = self.engine.raw_connection()
            try:
                connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
            finally:
                connection.close()

    def close(self) -> None:
        """Close every connection that is not in use."""
        self.engine.dispose()

    @contextmanager
    def _transaction(self, *, alone: bool) -> Iterator[Connection]:
        with self.engine.connect().execution_options(**{_WRITES: True}) as connection, connection.begin():
            if not self.is_sqlite:
                lock = "pg_advisory_xact_lock" if alone else "pg_advisory_xact_lock_shared"
                connection.exec_driver_sql(f"SELECT {lock}({_WRITERS})")
            yield connection

    def _make_file(self) -> None:
        """SQLite would make it too, but for everybody to read."""
        if self.file is not None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self.file, os.O_CREAT | os.O_RDWR, 0o600))
            self._opened = self.file.stat()

    def _was_replaced(self) -> bool:
        """Whether the file was deleted or exchanged: SQLite would go on writing to what nobody can find any more."""
        if self.file is None:
            return False
        try:
            return self._opened is None or not os.path.samestat(self.file.stat(), self._opened)
        except FileNotFoundError:
            return True


DATA_ERRORS: Final = (SQLAlchemyError, OverflowError, UnicodeError)
"""What a statement may raise for its values; `is_about_data` says whether it did."""


def is_about_data(error: Exception) -> bool:
    """Whether the database, or its driver, refused values; else it is the database that cannot be written now."""
    if isinstance(error, DBAPIError):
        return isinstance(error, DataError | IntegrityError) and not error.connection_invalidated
    return isinstance(error, StatementError | OverflowError | UnicodeError)


def told(error: Exception) -> str:
    """What went wrong in a line, without the statement and its values."""
    cause = error.orig if isinstance(error, StatementError) and error.orig is not None else error
    lines = str(cause).strip().splitlines()
    return lines[0] if lines else type(cause).__name__


def _checked(url: str) -> URL:
    try:
        made = make_url(url)
    except ArgumentError:
        raise HistoryError("url is no database address; expected sqlite:///FILE or postgresql://HOST/NAME") from None
    match made.get_backend_name():
        case "sqlite":
            name = made.database or ""
            if not name or ":memory:" in name or name.startswith("file:"):
                raise HistoryError("a history needs a plain file: sqlite:///FILE")
            return made.set(database=str(Path(name).absolute()))
        case "postgresql" | "postgres":
            return made.set(drivername="postgresql+psycopg")
        case other:
            raise HistoryError(f"a history cannot be kept in {other}; use sqlite:///FILE or postgresql://HOST/NAME")


def _engine(url: URL) -> Engine:
    # The rows hold JSON as text already, and no error may tell the values of a statement: they hold prompts.
    options: dict[str, Any] = {"json_serializer": str, "hide_parameters": True}
    if url.get_backend_name() != "sqlite":
        limits = {"connect_timeout": _CONNECT_S, "tcp_user_timeout": _UNANSWERED_MS}
        options["connect_args"] = {name: value for name, value in limits.items() if name not in url.query}
        options["pool_pre_ping"] = True
    try:
        engine = create_engine(url, **options)
    except ModuleNotFoundError:
        raise MissingExtraError("team", "a history in PostgreSQL") from None
    except SQLAlchemyError as error:
        raise HistoryError(f"url is no usable database address: {told(error)}") from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _: object) -> None:
    """Transactions begin where they are asked for, not where Python's driver would begin them."""
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout = {int(BUSY_S * 1000)}",
        f"page_size = {_PAGE_BYTES}",
        "journal_mode = WAL",
        "synchronous = NORMAL",
        "secure_delete = ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """Who will write takes the lock at once: a reader's transaction that turns to writing may fail at any time."""
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
