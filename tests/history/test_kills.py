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
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
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
        self.drainer.step()
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

    @rule(count=st.integers(1, 8))
    def records(self, count: int) -> None:
        for _ in range(count):
            record = feedback("d")
            before = self.journal.dropped
            if self.journal.write(ENCODER.line(record)):
                self.acknowledged.append(record.id)
            elif self.journal.dropped == before:
                self.taken.add(record.id)

    @rule(byte=st.integers(0, 150))
    def dies_while_it_writes(self, byte: int) -> None:
        self.dies_at = byte
        with suppress(Kill):
            self.records(1)
        self.restart()

    @rule()
    def dies(self) -> None:
        self.restart()

    @rule()
    def dies_after_a_commit(self) -> None:
        self.store.dies_after_commit = not self.store.fails
        with suppress(Kill):
            self.clock.advance(LONGEST_DELAY_S)
            self.drainer.step()
        self.store.dies_after_commit = False
        self.restart()

    @rule(seconds=st.sampled_from([0.0, 0.2, 61.0]))
    def drains(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.drainer.step()

    @rule()
    def is_closed_and_opened(self) -> None:
        self.journal.close()
        self.restart()

    @rule(fails=st.booleans())
    def database_goes_or_comes(self, fails: bool) -> None:
        self.store.fails = fails

    @rule(full=st.booleans())
    def disk_fills_or_empties(self, full: bool) -> None:
        self.disk_is_full = full

    @precondition(lambda self: not self.store.fails)
    @rule()
    def all_is_well_in_the_end(self) -> None:
        """Everything acknowledged is there, everything else that this process still holds too, and no file is left."""
        self.disk_is_full = False
        self.clock.advance(max(LEFTOVERS_S, LONGEST_DELAY_S))
        self.drainer.step()
        self.drainer.step()  # once more for what came from memory into a file
        assert set(self.acknowledged) | self.taken <= set(self.store.ids)
        assert self.journal.waiting == 0 and not self.drainer.problem
        assert self.drainer.intake.skipped <= self.halves
        left = [path for path in Path(self.folder.name).glob("*.jsonl") if path.stat().st_size]
        assert not left

    @invariant()
    def nothing_is_there_twice(self) -> None:
        assert len(self.store.ids) == len(set(self.store.ids))

    @invariant()
    def nothing_is_counted_wrong(self) -> None:
        assert 0 <= self.journal.buffered <= self.journal.waiting <= self.journal.recorded


Deaths.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestDeaths = Deaths.TestCase
