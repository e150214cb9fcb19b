"""From lines to committed rows, batch by batch, with a count of what could not be read or was refused."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

from sqlalchemy import Table

from turnout.history.database import DATA_ERRORS, is_about_data
from turnout.history.rows import Row, read_line
from turnout.history.segments import Line, read_lines
from turnout.history.store import Store

logger = logging.getLogger(__name__)

BATCH_RECORDS: Final = 2000
_READ_AT_ONCE: Final = 8  # lines: a tenth of a millisecond or two
_BATCH_BYTES: Final = 4 << 20

Settle: TypeAlias = Callable[[int, int], None]


class Intake:
    """Brings lines into one store."""

    def __init__(self, store: Store) -> None:
        self.committed = 0
        self.skipped = 0
        self._store = store

    def take(self, lines: Iterable[Line], settle: Settle) -> None:
        """Bring lines in; after each commit `settle` hears where the batch ended and how many records it had.

        Raises:
            SQLAlchemyError, OSError, HistoryError: the database cannot be written; what was not settled is to be
                given again.
        """
        batch = _Batch()
        for number, line in enumerate(chain(lines, [None])):
            if line is None or batch.is_full:
                if batch.records:
                    self._commit(batch)
                if batch.end is not None:
                    settle(batch.end, batch.records)
                batch = _Batch()
            if line is not None:
                if not number % _READ_AT_ONCE:
                    time.sleep(0)  # lets go of the interpreter: requests must not wait for a whole batch
                batch.add(line)

    def bring(self, path: Path, reading: BinaryIO, start: int, end: int | None, settle: Settle) -> None:  # noqa: ARG002
        """Bring in a part of a file, from `start` to `end` (None: to its end); see `take`.

        Args:
            path: of the file, for whoever opens it anew.
            reading: the file, open for as long as somebody may still delete it.
            start: of the first line.
            end: behind the last one.
            settle: hears of each commit.
        """
        self.take(read_lines(reading, start, end), settle)

    def close(self) -> None:
        """Let go of everything but the store."""

    def _commit(self, batch: _Batch) -> None:
        problems = batch.problems
        try:
            taken = self._store.insert(batch.rows)
        except DATA_ERRORS as error:
            if not is_about_data(error):
                raise
            taken, refused = self._store.insert_each(batch.rows)
            problems = [*problems, *refused]
        self.committed += taken
        if problems and not self.skipped:
            logger.warning("a record cannot be read or stored (%s); the history's status counts them", problems[0])
        self.skipped += len(problems)


@dataclass(slots=True)
class _Batch:
    rows: list[tuple[Table, Row]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    size: int = 0
    end: int | None = None

    @property
    def records(self) -> int:
        return len(self.rows) + len(self.problems)

    @property
    def is_full(self) -> bool:
        return self.records >= BATCH_RECORDS or self.size >= _BATCH_BYTES

    def add(self, line: Line) -> None:
        self.end = line.end
        self.size += len(line.content)
        if line.torn:
            self.problems.append("half a line, cut off in the middle of a write")
        elif line.content.strip():  # the journal tries a full disk with blanks
            try:
                self.rows.append(read_line(line.content))
            except ValueError as error:
                self.problems.append(str(error))
