"""Any sequence of records, drains and deaths, at any byte: what was acknowledged is there exactly once.

The deaths are simulated: a write that stops after any number of bytes, a commit after which nothing more happens. What a
real kill does is in test_crash.py.
"""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.history.examples import ENCODER, Kill, MemoryStore, feedback
from tests.providers.fakes import FakeClock

from turnout.history import JournalLimits
from turnout.history.drainer import LEFTOVERS_S, LONGEST_DELAY_S, Drainer
from turnout.history.journal import Journal

LIMITS = JournalLimits(segment_bytes=400, bytes=4000, buffered_records=5)


class Deaths(RuleBasedStateMachine):
    """One folder, one store, and one process after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.store = MemoryStore()
        self.clock = FakeClock()
        self.acknowledged: list[str] = []
        self.taken: set[str] = set()
        self.dies_at: int | None = None
        self.disk_is_full = False
        self.halves = 0

    def teardown(self) -> None:
        self.all_is_well_in_the_end()
        self.journal.close()
        self.folder.cleanup()

    @initialize()
    def start(self) -> None:
        self.journal = Journal(Path(self.folder.name), LIMITS, write=self.write, now=self.clock)
        self.journal.open()
        self.drainer = Drainer(self.journal, self.store, now=self.clock)  # type: ignore[arg-type]

    def write(self, handle: int, line: bytes) -> int:
        if self.disk_is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        if self.dies_at is not None:
            part = line[: self.dies_at]
            os.write(handle, part)
            self.halves += 0 < len(part) < len(line)
            raise Kill
        return os.write(handle, line)

    def restart(self) -> None:
        self.journal.abandon()
        self.taken.clear()
        self.dies_at = None
        self.start()

    def records(self, count: int) -> None:
        for _ in range(count):
            record = feedback("d")
            before = self.journal.dropped
            if self.journal.write(ENCODER.line(record)):
                self.acknowledged.append(record.id)
            elif self.journal.dropped == before:
                self.taken.add(record.id)

    @rule(
        counts=st.tuples(st.integers(0, 8), st.integers(0, 3)),
        disk_is_full=st.booleans(),
        database_is_away=st.booleans(),
        seconds=st.sampled_from([0.0, 0.5, 61.0]),
    )
    def works(self, counts: tuple[int, int], disk_is_full: bool, database_is_away: bool, seconds: float) -> None:
        self.records(counts[0])
        self.disk_is_full, self.store.fails = disk_is_full, database_is_away
        self.records(counts[1])
        self.clock.advance(seconds)
        self.drainer.step()

    @rule(
        count=st.integers(0, 8),
        how=st.sampled_from(["idle", "closed", "after a commit", "in a write"]),
        byte=st.integers(0, 150),
    )
    def dies(self, count: int, how: str, byte: int) -> None:
        self.records(count)
        with suppress(Kill):
            if how == "closed":
                self.journal.close()
            elif how == "after a commit":
                self.store.dies_after_commit = True
                self.clock.advance(LONGEST_DELAY_S)
                self.drainer.step()
            elif how == "in a write":
                self.dies_at = byte
                self.records(1)
        self.store.dies_after_commit = False
        self.restart()

    @rule()
    def all_is_well_in_the_end(self) -> None:
        """Everything acknowledged is there, everything else that this process still holds too, and no file is left."""
        self.disk_is_full = self.store.fails = False
        self.clock.advance(max(LEFTOVERS_S, LONGEST_DELAY_S))
        self.drainer.step()
        self.drainer.step()  # once more for what came from memory into a file
        assert set(self.acknowledged) | self.taken <= set(self.store.ids)
        assert self.journal.waiting == 0 and not self.drainer.problem
        assert self.drainer.intake.skipped <= self.halves
        assert not [path for path in Path(self.folder.name).glob("*.jsonl") if path.stat().st_size]

    @invariant()
    def nothing_is_there_twice(self) -> None:
        assert len(self.store.ids) == len(set(self.store.ids))

    @invariant()
    def nothing_is_counted_wrong(self) -> None:
        assert 0 <= self.journal.buffered <= self.journal.waiting <= self.journal.recorded


Deaths.TestCase.settings = settings(max_examples=80, stateful_step_count=20, deadline=None)
TestDeaths = Deaths.TestCase
