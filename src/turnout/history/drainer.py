"""The thread that brings records from the journal into the database, and sweeps what is old.

It works in passes: everything that waits when a pass begins, in batches, each in one transaction. What a transaction
has committed leaves the journal; a kill in between only means that it is brought in again, where it is known by its id.
A database that cannot be written is tried again, less and less often; meanwhile the journal grows.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from threading import Condition, Event, Thread
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from turnout.errors import TurnoutError
from turnout.history.database import told
from turnout.history.intake import BATCH_RECORDS, Intake
from turnout.history.journal import Journal
from turnout.history.leftovers import other_writers, size_of, taken_over
from turnout.history.segments import Line
from turnout.history.store import Store

logger = logging.getLogger(__name__)

LONGEST_DELAY_S: Final = 30.0
LEFTOVERS_S: Final = 30.0
SWEEP_S: Final = 86_400.0
_DAY_S: Final = 86_400.0


class Drainer:
    """Drains one journal, and what dead processes left beside it, into one store.

    Args:
        journal: closed by the drainer when it ends.
        store: its database is closed then too.
        retention_days: how old rows may become; None keeps them.
        interval_s: the pause between passes.
        intake: brings files into the store; by default this process does.
        now: the monotonic clock.
        wall: the clock of the calendar.
    """

    def __init__(
        self,
        journal: Journal,
        store: Store,
        *,
        retention_days: float | None = None,
        interval_s: float = 0.2,
        intake: Intake | None = None,
        now: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.intake = intake or Intake(store)
        self.problem = ""
        self._journal = journal
        self._store = store
        self._retention_days = retention_days
        self._interval_s = self._delay_s = interval_s
        self._now = now
        self._wall = wall
        self._retry_at_s = self._leftovers_at_s = self._sweep_at_s = now()
        self._unreadable: set[str] = set()
        self._wake = Event()
        self._stopping = False
        self._passes = Condition()
        self._begun = self._asked = self._done = 0
        self._thread = Thread(target=self._run, name="turnout-history", daemon=True)

    def start(self) -> None:
        """Begin in the background."""
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """One last pass, then the end; whether it came in time. If not, it comes later, or with the process."""
        self._stopping = True
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def nudge(self) -> None:
        """Many records wait: begin a pass now, unless the database refuses anyway."""
        if not self.problem:
            self._wake.set()

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything that was recorded before is in the database; whether it came to that in time."""
        with self._passes:
            target = self._asked = self._begun + 1
            self._wake.set()
            self._passes.wait_for(lambda: self._done >= target or not self._thread.is_alive(), timeout_s)
            return self._done >= target

    def step(self) -> None:
        """What is to be done now: nothing with the database before it is time to try that again, or somebody asks."""
        self._journal.rescue()
        if not self.problem or self._asked > self._begun or self._stopping or self._now() >= self._retry_at_s:
            self._pass()

    def _run(self) -> None:
        try:
            while not self._stopping:
                self.step()
                self._wake.wait(0.0 if self._stopping else self._interval_s)
                self._wake.clear()
            self.step()
        finally:
            self._journal.close()
            self.intake.close()
            self._store.database.close()
            with self._passes:
                self._passes.notify_all()

    def _pass(self) -> None:
        with self._passes:
            self._begun += 1
            number = self._begun
        try:
            self._drain()
            with self._passes:
                self._done = number
                self._passes.notify_all()
            self._tidy()
        except (SQLAlchemyError, TurnoutError, OSError) as error:
            self._failed(told(error))
        except Exception as error:  # a drainer that has died would let the journal grow without a word
            if not self.problem:
                logger.exception("bringing records into the history failed")
            self._failed(f"{type(error).__name__}: {error}")
        else:
            self._succeeded()

    def _drain(self) -> None:
        journal = self._journal
        for piece in journal.pieces():
            if piece.start < piece.end:
                segment = piece.segment
                settle = partial(journal.settle, piece)
                self.intake.bring(segment.path, segment.reading, piece.start, piece.end, settle)
            else:
                journal.settle(piece, piece.end, 0)
        while buffered := journal.peek(BATCH_RECORDS):
            lines = (Line(content, number) for number, content in enumerate(buffered, 1))
            self.intake.take(lines, lambda _, records: journal.settle_buffered(records))

    def _tidy(self) -> None:
        now_s = self._now()
        if now_s >= self._leftovers_at_s and self._take_over():
            self._leftovers_at_s = now_s + LEFTOVERS_S
        if self._retention_days is not None and now_s >= self._sweep_at_s and not self._stopping:
            count = self._store.sweep(self._wall() - self._retention_days * _DAY_S)
            self._sweep_at_s = now_s + SWEEP_S
            if count:
                logger.info("%d rows of the history were over %g days old: deleted", count, self._retention_days)

    def _take_over(self) -> bool:
        """Bring in what dead processes left, a segment at least, more while nothing of this one waits; whether all."""
        folder, own, count = self._journal.folder, self._journal.owner, 0
        for writer in other_writers(folder, own):
            with taken_over(folder, writer) as segments:
                for path in segments:
                    if self._stopping or (count and self._journal.waiting):
                        return False
                    count += 1
                    try:
                        file = path.open("rb", buffering=0)
                    except OSError as error:
                        if path.name not in self._unreadable:
                            logger.warning("records that another process left cannot be read: %s", error)
                        self._unreadable.add(path.name)
                        continue
                    with file:
                        self.intake.bring(path, file, 0, None, lambda *_: None)
                    path.unlink(missing_ok=True)
        self._journal.foreign_bytes = max(0, size_of(folder) - self._journal.own_bytes)
        return True

    def _failed(self, problem: str) -> None:
        if not self.problem:
            logger.warning("the history cannot be written (%s): records wait in the journal", problem)
        self.problem = problem
        self._delay_s = min(LONGEST_DELAY_S, self._delay_s * 2)
        self._retry_at_s = self._now() + self._delay_s
        self._store.database.doubt()

    def _succeeded(self) -> None:
        if self.problem:
            logger.warning("the history is written again")
        self.problem = ""
        self._delay_s = self._interval_s
