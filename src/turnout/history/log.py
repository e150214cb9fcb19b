"""The history as those who execute requests see it: record, and go on.

`record` takes microseconds, never waits for the database and never raises. What it returned True for survives the
death of the process; the database has it a moment later, or as soon as there is one.
"""

from __future__ import annotations

import logging
import os
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from turnout.config.records import History as Settings
from turnout.errors import HistoryError
from turnout.history.address import history_url
from turnout.history.direct import Recordable
from turnout.history.encoding import Encoder
from turnout.history.fingerprints import Fingerprints, load_key
from turnout.history.forks import watch_forks
from turnout.history.journal import Journal
from turnout.history.limits import JournalLimits
from turnout.history.records import PromptMode
from turnout.history.segments import Write
from turnout.history.status import HistoryStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from turnout.history.database import Database
    from turnout.history.drainer import Drainer
    from turnout.history.reader import HistoryReader

logger = logging.getLogger(__name__)

JOURNAL_FOLDER: Final = "journal"

MAX_LINE_BYTES: Final = 64 << 20
_NUDGE_RECORDS: Final = 500


class History:
    """The log of decisions, attempts, outcomes and feedback. Safe to share between threads.

    Used as a context manager, or with `open` and `close`.

    Args:
        url: an SQLAlchemy address, `sqlite:///FILE` or `postgresql://HOST/NAME`.
        folder: where the journal and the key of fingerprints are kept; several processes may share it.
        prompts: what of prompts reaches the disk: everything, features and a keyed fingerprint, or nothing.
        retention_days: older rows are deleted once a day; None keeps them.
        limits: how large journal and buffer may grow.
        interval_s: the pause between passes of the drainer.
        apart: bring records into the database in a process of its own: it costs some memory, and nothing of the
            interpreter that requests need.
        write: `os.write`, or what stands for it in a test.
    """

    def __init__(
        self,
        url: str,
        *,
        folder: Path | str,
        prompts: PromptMode = "full",
        retention_days: float | None = None,
        limits: JournalLimits = JournalLimits(),  # noqa: B008 - a frozen value
        interval_s: float = 0.2,
        apart: bool = False,
        write: Write = os.write,
    ) -> None:
        self._url = url
        self._folder = Path(folder).absolute()
        self._prompts: PromptMode = prompts
        self._retention_days = retention_days
        self._limits = limits
        self._interval_s = interval_s
        self._apart = apart
        self._write = write
        self._encoder: Encoder | None = None
        self._journal = self._new_journal()
        self._database: Database | None = None
        self._drainer: Drainer | None = None
        self._unnudged = 0
        self._forked = False
        self._parents: list[object] = []

    @classmethod
    def from_settings(cls, settings: Settings, *, folder: Path | str, apart: bool = False) -> Self:
        """The history that a configuration asks for; see the class for the others.

        Raises:
            ConfigurationError: the variable that should hold the address is not set.
        """
        url = history_url(settings, folder)
        return cls(url, folder=folder, prompts=settings.prompts, retention_days=settings.retention_days, apart=apart)

    def open(self) -> Self:
        """Begin. A database that is away is waited for in the background.

        Raises:
            HistoryError: the address or the folder cannot be used, a later version has made the database, or this
                history was closed.
            MissingExtraError: the database is PostgreSQL, and its driver is not installed.
        """
        if self._journal.is_closed:
            raise HistoryError("a history that was closed does not open again; make another one")
        if self._drainer is None:
            self._start(prepare=True)
            watch_forks(self)
        return self

    def close(self, timeout_s: float = 5.0) -> bool:
        """Bring in what waits, and end; whether all came in. What did not stays in the journal for the next start."""
        drainer = self._drainer
        return drainer is None or (drainer.stop(timeout_s) and self._journal.waiting == 0)

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def record(self, entry: Recordable) -> bool:
        """Take in one record; see `record_all`."""
        return self.record_all((entry,))

    def record_all(self, entries: Iterable[Recordable]) -> bool:
        """Take in what belongs together, with one write; whether all is in the journal, out of reach of a kill.

        False means that some waits in memory, or was dropped; `status` tells. Never raises for what a record holds: one
        that cannot be written down is dropped, the others are taken.

        Raises:
            HistoryError: the history was never opened.
        """
        if self._forked:
            self._begin_anew()
        if self._encoder is None:
            raise HistoryError("the history is not open; use it as a context manager or call open()")
        lines, whole = [], True
        for entry in entries:
            try:
                line = self._encoder.line(entry)
                if len(line) > MAX_LINE_BYTES:
                    raise ValueError(f"{len(line):,} bytes are more than the {MAX_LINE_BYTES:,} that a record may have")
            except (TypeError, ValueError, OverflowError, RecursionError, AttributeError) as error:
                self._journal.drop(f"a {type(entry).__name__} that cannot be written down: {error}")
                whole = False
            else:
                lines.append(line)
        if not lines:
            return whole
        self._unnudged += len(lines)
        if self._unnudged >= _NUDGE_RECORDS and self._drainer is not None:
            self._unnudged = 0
            self._drainer.nudge()
        return self._journal.write(b"".join(lines), len(lines)) and whole

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until everything recorded so far is in the database; whether it came to that in time."""
        return self._drainer is not None and self._drainer.flush(timeout_s)

    def status(self) -> HistoryStatus:
        """Counts and sizes now; takes microseconds."""
        journal, drainer = self._journal, self._drainer
        problems = (drainer.problem if drainer is not None else "not open", journal.problem)
        return HistoryStatus(
            recorded=journal.recorded,
            waiting=journal.waiting,
            buffered=journal.buffered,
            committed=drainer.intake.committed if drainer is not None else 0,
            dropped=journal.dropped,
            skipped=drainer.intake.skipped if drainer is not None else 0,
            journal_bytes=journal.own_bytes + journal.foreign_bytes,
            problem="; ".join(filter(None, problems)),
        )

    @cached_property
    def reader(self) -> HistoryReader:
        """Reads what the database has; `flush` first to see what was just recorded."""
        from turnout.history.reader import HistoryReader

        if self._database is None:
            raise HistoryError("the history is not open; use it as a context manager or call open()")
        return HistoryReader(self._database)

    def export(self, *, conversation: str = "", user: str = "", timeout_s: float = 30.0) -> Iterator[dict[str, Any]]:
        """Everything of one conversation or user, as `HistoryReader.export` gives it, what still waited included.

        Raises:
            HistoryError: neither or both are named, or what waits could not be brought in within the time.
        """
        from turnout.history.reader import one_scope

        one_scope(conversation, user)
        self._settle(timeout_s)
        return self.reader.export(conversation=conversation, user=user)

    def erase(self, *, conversation: str = "", user: str = "", timeout_s: float = 30.0) -> dict[str, int]:
        """Delete everything of one conversation or user that was made until now, from database and journal.

        Other processes that hold some of it in their journals bring nothing of it back, and delete it within a minute.
        Returns the rows deleted, by table.

        Raises:
            HistoryError: neither or both are named, or the database did not answer within the time: nothing or not
                everything was deleted, ask again.
        """
        from sqlalchemy.exc import SQLAlchemyError

        from turnout.history.database import told
        from turnout.history.reader import one_scope
        from turnout.history.store import Store

        scope, name = one_scope(conversation, user)
        self._settle(timeout_s)
        assert self._database is not None
        try:
            deleted = Store(self._database).erase(scope, name)
        except SQLAlchemyError as error:
            raise HistoryError(f"nothing was erased: {told(error)}; try again") from error
        self._settle(timeout_s)
        return deleted

    def _settle(self, timeout_s: float) -> None:
        """Bring in what waits, and leave no file with what was brought in."""
        if self._forked:
            self._begin_anew()
        self._journal.seal()
        if not self.flush(timeout_s):
            raise HistoryError(
                f"what waits could not be brought into the history: {self.status().problem or 'no time'}"
            )

    def _new_journal(self) -> Journal:
        return Journal(self._folder / JOURNAL_FOLDER, self._limits, write=self._write)

    def _start(self, *, prepare: bool) -> None:
        """Everything that is slow to import is imported here, not with the package."""
        from sqlalchemy.exc import SQLAlchemyError

        from turnout.history.apart import ApartIntake
        from turnout.history.database import Database, told
        from turnout.history.drainer import Drainer
        from turnout.history.store import Store

        database = Database(self._url)
        try:
            self._journal.open()
            if prepare:
                database.prepare()
        except (SQLAlchemyError, OSError) as error:
            logger.warning("the history is not there yet (%s): records wait in the journal", told(error))
        except HistoryError:
            self._journal.close()
            database.close()
            raise
        if self._encoder is None:
            self._encoder = Encoder(self._prompts, Fingerprints(load_key(self._folder)))
        self._database = database
        store = Store(database)
        self._drainer = Drainer(
            self._journal,
            store,
            intake=ApartIntake(store, self._url) if self._apart else None,
            retention_days=self._retention_days,
            interval_s=self._interval_s,
        )
        self._drainer.start()

    def after_fork(self) -> None:
        """In the child: threads are gone, files and connections are the parent's."""
        if self._drainer is None:
            return
        self._journal.abandon()
        # Closing a connection of the parent's would end it there; so it is kept and never used.
        self._parents += (self._database, self._drainer)
        self._journal = self._new_journal()
        self._database = self._drainer = None
        self.__dict__.pop("reader", None)
        self._forked = True

    def _begin_anew(self) -> None:
        self._forked = False
        try:
            self._start(prepare=False)
        except HistoryError as error:
            logger.error("after a fork the history could not begin again: %s", error)
