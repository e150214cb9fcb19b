"""The file behind a cache: one SQLite table, written in batches, read once at the start and then by key.

Nothing here is worth an error: what cannot be read is a miss, what cannot be written is not kept, and the log tells so
once. A damaged file is set aside and begun anew. Several processes may use one file; each sees what the others wrote.

To be used from one thread at a time, which must always be the same: SQLite's connections belong to a thread.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, TypeVar
from uuid import uuid4

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

VERSION: Final = 1
_BUSY_S: Final = 5.0
_TRIES: Final = 3
_PAUSE_S: Final = 0.05  # switching to write-ahead logging does not wait for other processes by itself
_SCHEMA: Final = (
    "CREATE TABLE entries (seq INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, size INTEGER NOT NULL, "
    "expires_at REAL NOT NULL, used_at REAL NOT NULL, value BLOB NOT NULL)",
    # Holds everything that is read at the start, so that no value is touched then.
    "CREATE INDEX by_use ON entries (used_at DESC, seq, key, size, expires_at)",
    "CREATE TABLE clears (seq INTEGER PRIMARY KEY AUTOINCREMENT, prefix TEXT NOT NULL, writer TEXT NOT NULL)",
    f"PRAGMA user_version = {VERSION}",
)
# Without values and with them.
_ALL: Final = (
    "SELECT key, size, expires_at, NULL FROM entries ORDER BY used_at DESC",
    "SELECT key, size, expires_at, value FROM entries ORDER BY used_at DESC",
)
_NEW: Final = (
    "SELECT key, size, expires_at, NULL FROM entries WHERE seq > ? ORDER BY seq",
    "SELECT key, size, expires_at, value FROM entries WHERE seq > ? ORDER BY seq",
)


class Row(NamedTuple):
    """One entry of the file; its value where that was asked for. `expires_at` is in seconds since the epoch."""

    key: str
    size_bytes: int
    expires_at: float
    value: bytes | None = None


@dataclass(slots=True)
class Batch:
    """Changes to be written together: clears first, then deletions, then entries and their last use."""

    cleared: list[str] = field(default_factory=list)
    deleted: set[str] = field(default_factory=set)
    put: dict[str, tuple[bytes, float, float]] = field(default_factory=dict)
    used: dict[str, float] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.cleared or self.deleted or self.put or self.used)


@dataclass(frozen=True, slots=True)
class News:
    """What other processes did since the last look: prefixes they cleared, entries they wrote."""

    cleared: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()


class Disk:
    """The file. It is made, with its folder, when it is first needed; only its owner may read it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._complained = False
        self._writer = uuid4().hex
        self._seen = (0, 0)
        self._version = -1

    def rows(self, *, values: bool) -> tuple[Row, ...]:
        """Every entry, the most recently used first."""

        def read(connection: sqlite3.Connection) -> tuple[Row, ...]:
            self._seen = (_last(connection, "entries"), _last(connection, "clears"))
            self._version = _pragma(connection, "data_version")
            return _rows(connection, _ALL[values], ())

        return self._do(read, ())

    def news(self, *, values: bool) -> News:
        """What changed by others' hands since the last look."""

        def read(connection: sqlite3.Connection) -> News:
            version = _pragma(connection, "data_version")
            if version == self._version:
                return News()
            entry, clear = self._seen
            self._seen, self._version = (_last(connection, "entries"), _last(connection, "clears")), version
            clears = "SELECT prefix FROM clears WHERE seq > ? AND writer != ? ORDER BY seq"
            cleared = connection.execute(clears, (clear, self._writer)).fetchall()
            return News(tuple(str(prefix) for (prefix,) in cleared), _rows(connection, _NEW[values], (entry,)))

        return self._do(read, News())

    def read(self, key: str) -> bytes | None:
        """The value of one entry."""

        def read(connection: sqlite3.Connection) -> bytes | None:
            row = connection.execute("SELECT value FROM entries WHERE key = ?", (key,)).fetchone()
            return row[0] if row is not None and isinstance(row[0], bytes) else None

        return self._do(read, None)

    def write(self, batch: Batch) -> None:
        """Make the changes, all or none."""

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("BEGIN IMMEDIATE")
            for prefix in batch.cleared:
                connection.execute("DELETE FROM entries WHERE substr(key, 1, ?) = ?", (len(prefix), prefix))
                connection.execute("INSERT INTO clears (prefix, writer) VALUES (?, ?)", (prefix, self._writer))
            connection.executemany("DELETE FROM entries WHERE key = ?", [(key,) for key in batch.deleted])
            connection.executemany(
                "INSERT OR REPLACE INTO entries (key, size, expires_at, used_at, value) VALUES (?, ?, ?, ?, ?)",
                [(key, len(value), expires, used, value) for key, (value, expires, used) in batch.put.items()],
            )
            used = [(at, key) for key, at in batch.used.items()]
            connection.executemany("UPDATE entries SET used_at = ? WHERE key = ?", used)
            connection.execute("COMMIT")

        self._do(write, None)

    def close(self) -> None:
        """Close the file; it opens again when needed."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _do(self, work: Callable[[sqlite3.Connection], Result], otherwise: Result) -> Result:
        for left in reversed(range(_TRIES)):
            try:
                result = work(self._opened())
            except (sqlite3.Error, OSError) as error:
                self._roll_back()
                if left and _code(error) == sqlite3.SQLITE_BUSY:
                    time.sleep(_PAUSE_S)
                elif not (left and _is_damage(error) and self._set_aside(error)):
                    self._complain(error)
                    break
            else:
                self._complained = False
                return result
        return otherwise

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            os.close(
                os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
            )  # answers are private; SQLite would use the umask
            self._inode = self.path.stat().st_ino
            self._connection = sqlite3.connect(self.path, timeout=_BUSY_S, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            if _pragma(self._connection, "user_version") != VERSION:
                _prepare(self._connection)
        return self._connection

    def _roll_back(self) -> None:
        try:
            if self._connection is not None and self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            self.close()

    def _set_aside(self, error: Exception) -> bool:
        """Move the damaged file away, unless another process has done it already; whether that worked."""
        self.close()
        try:
            if self.path.stat().st_ino == self._inode:
                aside = self.path.with_name(f"{self.path.name}.damaged")
                self.path.replace(aside)
                for ending in ("-wal", "-shm"):
                    self.path.with_name(self.path.name + ending).unlink(missing_ok=True)
                logger.warning("the cache begins anew: %s was damaged (%s) and is now %s", self.path, error, aside)
        except FileNotFoundError:
            pass
        except OSError as problem:
            logger.warning("the damaged cache %s cannot be set aside: %s", self.path, problem)
            return False
        return True

    def _complain(self, error: Exception) -> None:
        self.close()
        if not self._complained:
            logger.warning("the cache works without its file for now: %s: %s", self.path, error)
            self._complained = True


def _prepare(connection: sqlite3.Connection) -> None:
    """Make the tables, unless another process just did."""
    connection.execute("BEGIN IMMEDIATE")
    version = _pragma(connection, "user_version")
    if version != VERSION:
        if version or connection.execute("SELECT 1 FROM sqlite_schema").fetchone():
            raise _OtherVersionError(f"it is of version {version}, expected {VERSION}")
        for statement in _SCHEMA:
            connection.execute(statement)
    connection.execute("COMMIT")


class _OtherVersionError(sqlite3.DatabaseError):
    """The file is another program's, or of another version of this one."""


def _code(error: Exception) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _is_damage(error: Exception) -> bool:
    """Whether the content is wrong, not the disk, its rights, or a lock."""
    if isinstance(error, _OtherVersionError) or "Could not decode" in str(error):  # a text that is none
        return True
    # The statements are always the same, so what is wrong with one is a table or column that is not there.
    return _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)


def _rows(connection: sqlite3.Connection, query: str, parameters: tuple[int, ...]) -> tuple[Row, ...]:
    """The rows that are of the right types; a file may hold anything."""
    return tuple(
        Row(key, size, float(expires_at), value)
        for key, size, expires_at, value in connection.execute(query, parameters)
        if isinstance(key, str)
        and isinstance(size, int)
        and size >= 0
        and isinstance(expires_at, int | float)
        and isinstance(value, bytes | None)
    )


def _last(connection: sqlite3.Connection, table: str) -> int:
    return int(connection.execute(f"SELECT coalesce(max(seq), 0) FROM {table}").fetchone()[0])  # noqa: S608


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
