"""From the journal to the database, step by step, through every trouble the database can have."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select
from tests.history.examples import ENCODER, MemoryStore, decision, family, feedback
from tests.history.postgres import PostgresServer
from tests.providers.fakes import FakeClock

from turnout.history import JournalLimits, Record
from turnout.history.database import Database
from turnout.history.drainer import LEFTOVERS_S, SWEEP_S, Drainer
from turnout.history.intake import BATCH_RECORDS
from turnout.history.journal import Journal
from turnout.history.lease import Lease
from turnout.history.store import Store
from turnout.history.tables import decisions
from turnout.history.tables import feedback as feedbacks


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def journal(tmp_path: Path, clock: FakeClock) -> Iterator[Journal]:
    made = Journal(tmp_path / "journal", JournalLimits(), now=clock)
    made.open()
    yield made
    made.close()


@pytest.fixture
def memory() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def drainer(journal: Journal, memory: MemoryStore, clock: FakeClock) -> Drainer:
    return Drainer(journal, memory, now=clock, wall=lambda: 1e9, retention_days=10)  # type: ignore[arg-type]


def write(journal: Journal, *records: Record) -> list[str]:
    for record in records:
        journal.write(ENCODER.line(record))
    return [record.id for record in records]


def left(folder: Path, *contents: bytes) -> str:
    """Segments of a writer that died; its name."""
    lease = Lease.claim(folder)
    for number, content in enumerate(contents):
        (folder / f"{lease.owner}-{number:06d}.jsonl").write_bytes(content)
    lease.abandon()
    return lease.owner


def test_what_waits_comes_in_and_the_journal_is_empty(journal: Journal, drainer: Drainer, memory: MemoryStore) -> None:
    written = write(journal, *family())
    drainer.step()
    assert memory.ids == written
    assert (journal.waiting, journal.own_bytes, drainer.intake.committed) == (0, 0, 4)


def test_nothing_to_do_is_no_transaction(drainer: Drainer, memory: MemoryStore) -> None:
    for _ in range(5):
        drainer.step()
    assert memory.transactions == 0


def test_records_come_in_by_batches(journal: Journal, drainer: Drainer, memory: MemoryStore) -> None:
    write(journal, *(feedback("d") for _ in range(2 * BATCH_RECORDS + 1)))
    drainer.step()
    assert memory.transactions == 3 and len(memory.ids) == 2 * BATCH_RECORDS + 1


def test_large_records_come_in_by_smaller_batches(journal: Journal, drainer: Drainer, memory: MemoryStore) -> None:
    write(journal, *(decision(prompt="x" * 3_000_000) for _ in range(4)))
    drainer.step()
    assert memory.transactions == 2 and len(memory.ids) == 4


def test_damaged_lines_are_skipped_and_counted_once(
    journal: Journal, drainer: Drainer, memory: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    written = write(journal, feedback("d"))
    journal.write(b"damaged\n")
    journal.write(b"\0\0\0\n")
    written += write(journal, feedback("d"))
    memory.fails = True
    drainer.step()
    memory.fails = False
    drainer.flush(0)
    drainer.step()
    assert memory.ids == written and journal.waiting == 0
    assert (drainer.intake.committed, drainer.intake.skipped) == (2, 2)
    assert len([record for record in caplog.records if "cannot be read" in record.message]) == 1


def test_a_damaged_line_alone_does_not_stay(journal: Journal, drainer: Drainer) -> None:
    journal.write(b"damaged\n")
    drainer.step()
    assert (journal.waiting, journal.own_bytes, drainer.intake.skipped) == (0, 0, 1)


# The database is away


def test_a_database_that_is_away_is_tried_less_and_less_often(
    journal: Journal, drainer: Drainer, memory: MemoryStore, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    write(journal, *family())
    memory.fails = True
    tries = []
    drainer.step()
    asked = drainer._begun
    for _ in range(1000):
        clock.advance(0.2)
        drainer.step()
        if drainer._begun > asked:
            asked = drainer._begun
            tries.append(round(clock.now_s - 1000, 1))
    assert tries[:4] == [0.4, 1.2, 2.8, 6.0] and tries[-1] - tries[-2] == pytest.approx(30, abs=0.3)
    assert "the database is away" in drainer.problem and journal.waiting == 4
    memory.fails = False
    clock.advance(31)
    drainer.step()
    assert not drainer.problem and journal.waiting == 0
    told = [record.message for record in caplog.records]
    assert len(told) == 2 and "cannot be written (the database is away)" in told[0] and "is written again" in told[1]


def test_who_flushes_has_it_tried_at_once(journal: Journal, drainer: Drainer, memory: MemoryStore) -> None:
    write(journal, *family())
    memory.fails = True
    drainer.step()
    memory.fails = False
    drainer.step()
    assert journal.waiting == 4
    assert not drainer.flush(0)
    drainer.step()
    assert journal.waiting == 0


def test_a_disk_with_room_again_is_found_while_the_database_is_away(
    tmp_path: Path, memory: MemoryStore, clock: FakeClock
) -> None:
    import os

    full = True

    def disk(handle: int, line: bytes) -> int:
        if full:
            raise OSError(28, "No space left on device")
        return os.write(handle, line)

    journal = Journal(tmp_path / "journal", JournalLimits(), write=disk, now=clock)
    drainer = Drainer(journal, memory, now=clock)  # type: ignore[arg-type]
    written = write(journal, *family())
    memory.fails = True
    drainer.step()
    full = False
    drainer.step()
    assert journal.buffered == 0 and journal.waiting == 4
    full, memory.fails = True, False
    written += write(journal, *family())
    drainer.flush(0)
    drainer.step()
    assert memory.ids == written and journal.waiting == 0, "what is in memory does not need the disk"
    journal.close()


def test_a_locked_sqlite_is_waited_for(
    journal: Journal, clock: FakeClock, sqlite_url: str, tmp_path: Path, impatient: None
) -> None:
    drainer = Drainer(journal, Store(Database(sqlite_url)), now=clock)
    written = write(journal, *family())
    drainer.step()
    with sqlite3.connect(tmp_path / "history.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        written += write(journal, *family())
        drainer.flush(0)
        drainer.step()
        assert "locked" in drainer.problem and journal.waiting == 4
        other.execute("ROLLBACK")
    other.close()
    drainer.flush(0)
    drainer.step()
    assert not drainer.problem and journal.waiting == 0
    with drainer._store.database.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(decisions)) == 2
    drainer._store.database.close()


def test_a_sqlite_that_is_damaged_costs_no_record(
    journal: Journal, clock: FakeClock, sqlite_url: str, tmp_path: Path
) -> None:
    (tmp_path / "history.db").write_bytes(b"this is no database" * 100)
    drainer = Drainer(journal, Store(Database(sqlite_url)), now=clock)
    write(journal, *family())
    drainer.step()
    assert "not a database" in drainer.problem and journal.waiting == 4
    (tmp_path / "history.db").unlink()
    drainer.flush(0)
    drainer.step()
    assert not drainer.problem and journal.waiting == 0
    drainer._store.database.close()


def test_a_postgresql_that_restarts_is_waited_for(journal: Journal, clock: FakeClock, postgres: PostgresServer) -> None:
    drainer = Drainer(journal, Store(Database(postgres.new_database())), now=clock)
    write(journal, *family())
    drainer.step()
    postgres.stop()
    try:
        write(journal, *family())
        drainer.flush(0)
        drainer.step()
        assert drainer.problem and journal.waiting == 4
    finally:
        postgres.start()
    drainer.flush(0)
    drainer.step()
    assert not drainer.problem and journal.waiting == 0
    drainer._store.database.close()


def test_rows_that_a_database_refuses_are_skipped_and_told(
    journal: Journal, clock: FakeClock, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    from sqlalchemy import text

    database = Database(url)
    with database.writing() as connection:
        if database.is_sqlite:
            connection.execute(
                text(
                    "CREATE TRIGGER no_bad BEFORE INSERT ON feedback WHEN NEW.kind = 'bad' "
                    "BEGIN SELECT RAISE(ABORT, 'not here'); END"
                )
            )
        else:
            connection.execute(text("ALTER TABLE feedback ADD CHECK (kind <> 'bad')"))
    drainer = Drainer(journal, Store(database), now=clock)
    write(journal, feedback("d"), feedback("d", kind="bad"), feedback("d"))
    drainer.step()
    assert (drainer.intake.committed, drainer.intake.skipped, journal.waiting) == (2, 1, 0)
    assert "cannot be read or stored (feedback" in caplog.text
    with database.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(feedbacks)) == 2
    database.close()


# What the dead left


def test_what_the_dead_left_comes_in_at_the_start(journal: Journal, drainer: Drainer, memory: MemoryStore) -> None:
    records = family()
    lines = [ENCODER.line(record) for record in records]
    left(journal.folder, lines[0] + lines[1], lines[2] + lines[3][:20])
    drainer.step()
    assert memory.ids == [record.id for record in records[:3]]
    assert (drainer.intake.committed, drainer.intake.skipped) == (3, 1)
    assert [path.name for path in journal.folder.iterdir()] == [f"{journal.owner}.lock"]


def test_it_is_looked_for_again_later(
    journal: Journal, drainer: Drainer, memory: MemoryStore, clock: FakeClock
) -> None:
    drainer.step()
    left(journal.folder, ENCODER.line(feedback("d")))
    drainer.step()
    assert not memory.ids
    clock.advance(LEFTOVERS_S)
    drainer.step()
    assert len(memory.ids) == 1


def test_it_stays_while_the_database_is_away(
    journal: Journal, drainer: Drainer, memory: MemoryStore, clock: FakeClock
) -> None:
    left(journal.folder, ENCODER.line(feedback("d")))
    memory.fails = True
    drainer.step()
    assert len(list(journal.folder.glob("*.jsonl"))) == 1 and drainer.problem
    memory.fails = False
    clock.advance(1)
    drainer.step()
    assert len(memory.ids) == 1 and not list(journal.folder.glob("*.jsonl"))


def test_one_s_own_records_do_not_wait_for_all_that_the_dead_left(
    journal: Journal, drainer: Drainer, memory: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    left(journal.folder, *(ENCODER.line(feedback("d")) for _ in range(3)))
    insert = memory.insert

    def busy(found: object) -> int:
        write(journal, feedback("d"))
        return insert(found)  # type: ignore[arg-type]

    monkeypatch.setattr(memory, "insert", busy)
    drainer.step()
    assert len(memory.ids) == 1
    drainer.step()
    assert len(memory.ids) == 3
    monkeypatch.undo()
    drainer.step()
    assert not [path for path in journal.folder.glob("*.jsonl") if path.stat().st_size]


def test_what_others_keep_in_the_folder_is_measured(journal: Journal, drainer: Drainer) -> None:
    other = Lease.claim(journal.folder)
    (journal.folder / f"{other.owner}-000001.jsonl").write_bytes(b"x" * 100)
    drainer.step()
    assert journal.foreign_bytes == 100
    other.abandon()


def test_what_cannot_be_read_is_told_and_left(
    journal: Journal, drainer: Drainer, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    (journal.folder / "12-ab-000001.jsonl").mkdir()
    for _ in range(3):
        clock.advance(LEFTOVERS_S)
        drainer.step()
    assert not drainer.problem
    assert len([record for record in caplog.records if "cannot be read" in record.message]) == 1


# Retention


def test_old_rows_are_swept_at_the_start_and_then_daily(
    drainer: Drainer, memory: MemoryStore, clock: FakeClock
) -> None:
    drainer.step()
    drainer.step()
    assert memory.swept == [1e9 - 10 * 86_400]
    clock.advance(SWEEP_S - 1)
    drainer.step()
    assert len(memory.swept) == 1
    clock.advance(1)
    drainer.step()
    assert len(memory.swept) == 2


def test_without_a_limit_nothing_is_swept(journal: Journal, memory: MemoryStore, clock: FakeClock) -> None:
    drainer = Drainer(journal, memory, now=clock)  # type: ignore[arg-type]
    drainer.step()
    assert not memory.swept


def test_a_sweep_that_fails_is_tried_again(
    drainer: Drainer, memory: MemoryStore, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: float) -> int:
        raise OSError("no")

    with monkeypatch.context() as patch:
        patch.setattr(memory, "sweep", refuse)
        drainer.step()
    assert drainer.problem == "no"
    clock.advance(1)
    drainer.step()
    assert not drainer.problem and len(memory.swept) == 1


# The thread


def test_a_defect_does_not_end_the_thread(
    journal: Journal, memory: MemoryStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: object) -> int:
        raise LookupError("a defect")

    drainer = Drainer(journal, memory, interval_s=0.001)  # type: ignore[arg-type]
    with monkeypatch.context() as patch:
        patch.setattr(memory, "insert", broken)
        write(journal, *family())
        drainer.start()
        assert not drainer.flush(0.1)
    assert "LookupError: a defect" in drainer.problem
    assert len([record for record in caplog.records if record.exc_info]) == 1
    assert drainer.flush(10) and len(memory.ids) == 4
    assert drainer.stop(10)


def test_the_end_brings_in_what_waits(journal: Journal, memory: MemoryStore) -> None:
    drainer = Drainer(journal, memory, interval_s=1000)  # type: ignore[arg-type]
    drainer.start()
    assert drainer.flush(10)
    write(journal, *family())
    assert drainer.stop(10) and len(memory.ids) == 4
    assert journal.is_closed and not list(journal.folder.iterdir())
    assert not drainer.flush(10), "nobody flushes any more, and nobody waits for it"


def test_the_end_does_not_wait_for_a_database_that_hangs(journal: Journal, memory: MemoryStore) -> None:
    from threading import Event

    hangs = Event()
    memory.insert = lambda _: hangs.wait() and 0  # type: ignore[method-assign,assignment,return-value]
    drainer = Drainer(journal, memory, interval_s=0.001)  # type: ignore[arg-type]
    write(journal, *family())
    drainer.start()
    begun = time.monotonic()
    assert not drainer.flush(0.05) and not drainer.stop(0.05)
    assert time.monotonic() - begun < 5
    hangs.set()
    assert drainer.stop(10)
