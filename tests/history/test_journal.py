"""The journal: what it has taken is in a file, and what finds no place is told."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.providers.fakes import FakeClock

from turnout.errors import HistoryError
from turnout.history import JournalLimits
from turnout.history.journal import Journal, Piece
from turnout.history.segments import read_lines


class Disk:
    """Stands for `os.write`; refuses everything while it is full."""

    def __init__(self) -> None:
        self.full = False
        self.takes = 0

    def __call__(self, handle: int, line: bytes) -> int:
        if self.full:
            if not self.takes:
                raise OSError(errno.ENOSPC, "No space left on device")
            return os.write(handle, line[: self.takes])
        return os.write(handle, line)


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def new(folder: Path, disk: Disk, clock: FakeClock | None = None, **limits: float) -> Journal:
    made = Journal(folder / "journal", JournalLimits(**limits), write=disk, now=clock or FakeClock())  # type: ignore[arg-type]
    made.open()
    return made


@pytest.fixture
def journal(tmp_path: Path, disk: Disk, clock: FakeClock) -> Iterator[Journal]:
    made = new(tmp_path, disk, clock, segment_bytes=40, buffered_records=5, buffered_bytes=50)
    yield made
    made.close()


def contents(journal: Journal) -> list[bytes]:
    return [
        line.content for piece in journal.pieces() for line in read_lines(piece.segment.reading, piece.start, piece.end)
    ]


def settle(journal: Journal, piece: Piece) -> None:
    count = len(list(read_lines(piece.segment.reading, piece.start, piece.end)))
    journal.settle(piece, piece.end, count)


def files(journal: Journal) -> list[Path]:
    return sorted(journal.folder.glob("*.jsonl"))


def test_what_is_written_is_in_a_file_at_once(journal: Journal) -> None:
    assert journal.write(b"one\n") and journal.write(b"two\n")
    (path,) = files(journal)
    assert path.read_bytes() == b"one\ntwo\n"
    assert path.name.startswith(f"{os.getpid()}-")
    assert (journal.recorded, journal.waiting, journal.own_bytes) == (2, 2, 8)


def test_several_lines_are_written_as_one(journal: Journal, disk: Disk) -> None:
    assert journal.write(b"one\ntwo\n", 2)
    assert (journal.recorded, contents(journal)) == (2, [b"one", b"two"])
    disk.full, disk.takes = True, 6
    assert not journal.write(b"three\nfour\n", 2)
    assert (journal.buffered, contents(journal)) == (2, [b"one", b"two"]), "no half of them stays behind"
    assert not journal.write(b"x\n" * 4, 4)
    assert (journal.buffered, journal.dropped) == (2, 4), "all of them find room, or none"
    disk.full = False
    journal.rescue()
    found = [one for one in contents(journal) if one.strip()]
    assert found == [b"one", b"two", b"three", b"four"]


def test_segments_are_sealed_at_their_size(journal: Journal) -> None:
    for number in range(10):
        assert journal.write(b"record %02d\n" % number)
    assert [path.stat().st_size for path in files(journal)] == [40, 40, 20]
    assert [piece.sealed for piece in journal.pieces()] == [True, True, False]
    assert contents(journal) == [b"record %02d" % number for number in range(10)]


def test_a_segment_is_deleted_once_all_of_it_is_settled(journal: Journal) -> None:
    for number in range(5):
        journal.write(b"record %02d\n" % number)
    sealed, active = journal.pieces()
    journal.settle(sealed, 20, 2)
    assert len(files(journal)) == 2 and journal.waiting == 3
    assert journal.pieces()[0].start == 20
    journal.settle(sealed, 40, 2)
    settle(journal, active)
    assert journal.waiting == 0 and journal.own_bytes == 0 and not journal.pieces()


def test_the_current_segment_is_emptied_and_goes_on(journal: Journal) -> None:
    journal.write(b"one\n")
    settle(journal, journal.pieces()[0])
    (path,) = files(journal)
    assert path.read_bytes() == b""
    journal.write(b"two\n")
    assert path.read_bytes() == b"two\n" and contents(journal) == [b"two"]


def test_a_large_current_segment_is_replaced_rather_than_emptied(tmp_path: Path, disk: Disk) -> None:
    journal = new(tmp_path, disk)
    journal.write(b"x" * (2 << 20) + b"\n")
    settle(journal, journal.pieces()[0])
    assert not files(journal)
    journal.write(b"two\n")
    assert contents(journal) == [b"two"]
    journal.close()


def test_what_comes_while_a_piece_is_drained_stays(journal: Journal) -> None:
    journal.write(b"one\n")
    (piece,) = journal.pieces()
    journal.write(b"two\n")
    settle(journal, piece)
    assert contents(journal) == [b"two"] and journal.waiting == 1


def test_an_old_segment_is_sealed_though_it_is_small(journal: Journal, clock: FakeClock) -> None:
    journal.write(b"one\n")
    clock.advance(59)
    assert not journal.pieces()[0].sealed
    clock.advance(1)
    assert journal.pieces()[0].sealed


def test_the_folder_may_be_deleted_under_it(journal: Journal) -> None:
    import shutil

    journal.write(b"one\n")
    shutil.rmtree(journal.folder)
    journal.write(b"two\n")
    assert contents(journal) == [b"one", b"two"]
    assert journal.write(b"three\n")
    assert [path.read_bytes() for path in files(journal)] == [b"three\n"]
    for piece in journal.pieces():
        settle(journal, piece)
    assert journal.waiting == 0


def test_two_in_one_folder_do_not_meet(tmp_path: Path, disk: Disk) -> None:
    first, second = new(tmp_path, disk), new(tmp_path, disk)
    first.write(b"one\n")
    second.write(b"two\n")
    assert contents(first) == [b"one"] and contents(second) == [b"two"]
    first.close()
    second.close()
    assert [path.read_bytes() for path in files(first)] == [b"one\n", b"two\n"]
    assert not list(first.folder.glob("*.lock"))


def test_at_its_end_it_leaves_what_was_not_settled_and_nothing_else(journal: Journal) -> None:
    for number in range(5):
        journal.write(b"record %02d\n" % number)
    settle(journal, journal.pieces()[0])
    journal.close()
    assert [path.read_bytes() for path in journal.folder.iterdir()] == [b"record 04\n"]


def test_what_comes_after_the_end_is_dropped_and_told(journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    journal.close()
    assert not journal.write(b"one\n")
    assert not journal.write(b"two\n")
    assert journal.dropped == 2 and journal.recorded == 0
    assert [record.message for record in caplog.records] == [
        "records of the history are lost (they came after its end); its status counts them"
    ]


# A disk that is full


@pytest.mark.parametrize("takes", [0, 3])
def test_on_a_full_disk_lines_wait_in_memory_and_reach_a_file_later(
    journal: Journal, disk: Disk, takes: int, caplog: pytest.LogCaptureFixture
) -> None:
    journal.write(b"one\n")
    disk.full, disk.takes = True, takes
    assert not journal.write(b"twotwo\n") and not journal.write(b"three\n")
    assert (journal.waiting, journal.buffered, journal.dropped) == (3, 2, 0)
    journal.rescue()
    assert journal.buffered == 2 and journal.problem
    disk.full = False
    journal.rescue()
    assert journal.buffered == 0 and not journal.problem
    assert journal.write(b"four\n")
    assert [one for one in contents(journal) if one.strip()] == [b"one", b"twotwo", b"three", b"four"]
    told = [record.message for record in caplog.records]
    assert len(told) == 2 and "cannot be written" in told[0] and "is written again" in told[1]


def open_handles() -> int:
    """Of this process, where the system tells."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


def test_a_full_disk_leaves_no_files_and_no_handles_behind(tmp_path: Path, disk: Disk) -> None:
    journal = new(tmp_path, disk)
    disk.full = True
    journal.write(b"one\n")
    before = open_handles()
    for _ in range(50):
        journal.rescue()
    assert open_handles() == before and not files(journal)
    journal.close()


def test_a_disk_that_is_full_again_and_again_is_told_once_each_time(
    journal: Journal, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    disk.full = True
    for _ in range(3):
        journal.write(b"one\n")
        journal.settle_buffered(1)
        journal.rescue()
    assert len(caplog.records) == 1, "an empty buffer does not mean that the disk has room"
    disk.full = False
    journal.rescue()
    assert len(caplog.records) == 2


def test_beyond_the_buffer_records_are_dropped_and_counted(
    journal: Journal, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    disk.full = True
    for _ in range(8):
        journal.write(b"one\n")
    assert (journal.buffered, journal.dropped, journal.recorded) == (5, 3, 5)
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR"]
    assert "No space left" in caplog.records[1].message


def test_the_buffer_is_bounded_by_size_too(journal: Journal, disk: Disk) -> None:
    disk.full = True
    journal.write(b"x" * 40 + b"\n")
    journal.write(b"x" * 40 + b"\n")
    assert (journal.buffered, journal.dropped) == (1, 1)


def test_what_is_still_in_memory_at_the_end_is_told(
    journal: Journal, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    disk.full = True
    journal.write(b"one\n")
    journal.close()
    assert journal.dropped == 1
    assert "1 records of the history are lost" in caplog.text


def test_a_half_line_that_cannot_be_taken_back_harms_no_other(
    journal: Journal, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.write(b"one\n")
    disk.full, disk.takes = True, 2

    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, "no")

    with monkeypatch.context() as patch:
        patch.setattr("turnout.history.segments.os.ftruncate", refuse)
        assert not journal.write(b"two\n")
    disk.full = False
    journal.rescue()
    assert journal.write(b"three\n")
    assert [one for one in contents(journal) if one.strip()] == [b"one", b"tw", b"two", b"three"]


def test_an_interrupt_between_writing_and_counting_costs_no_record(tmp_path: Path) -> None:
    def interrupted(handle: int, line: bytes) -> int:
        written = os.write(handle, line)
        if line.startswith(b"two"):
            raise KeyboardInterrupt
        return written

    journal = Journal(tmp_path / "journal", JournalLimits(), write=interrupted)
    journal.write(b"one\n")
    with pytest.raises(KeyboardInterrupt):
        journal.write(b"two\n")
    journal.write(b"three\n")
    assert contents(journal) == [b"one", b"two", b"three"]
    settle(journal, journal.pieces()[0])
    journal.write(b"four\n")
    assert contents(journal) == [b"four"]
    journal.close()


# Bounds


def test_the_journal_grows_to_its_bound_and_then_the_buffer_fills(tmp_path: Path, disk: Disk) -> None:
    journal = new(tmp_path, disk, bytes=100, segment_bytes=40, buffered_records=2)
    for _ in range(20):
        journal.write(b"record 00\n")
    assert journal.own_bytes == 80 and journal.buffered == 2 and journal.dropped == 20 - 8 - 2
    assert "grown to its bound of 100 bytes" in journal.problem
    settle(journal, journal.pieces()[0])
    journal.rescue()
    assert journal.buffered == 0 and not journal.problem
    journal.close()


def test_what_others_left_counts_towards_the_bound(tmp_path: Path, disk: Disk) -> None:
    journal = new(tmp_path, disk, bytes=100, segment_bytes=40)
    journal.foreign_bytes = 61
    assert not journal.write(b"one\n") and journal.buffered == 1
    journal.foreign_bytes = 60
    journal.rescue()
    assert journal.buffered == 0
    journal.close()


# The start


def test_a_folder_that_cannot_be_used_is_told_at_the_start(tmp_path: Path, disk: Disk) -> None:
    (tmp_path / "journal").write_text("a file")
    with pytest.raises(HistoryError, match="cannot be kept in"):
        new(tmp_path, disk)


def test_a_disk_that_is_full_at_the_start_is_waited_for(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("turnout.history.lease.os.open", refuse)
        journal = new(tmp_path, disk)
    assert "No space" in journal.problem
    assert not journal.write(b"one\n")
    journal.rescue()
    assert [one for one in contents(journal) if one.strip()] == [b"one"]
    journal.close()


def test_many_threads_lose_nothing(tmp_path: Path, disk: Disk) -> None:
    from concurrent.futures import ThreadPoolExecutor

    journal = new(tmp_path, disk, segment_bytes=1000)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: journal.write(b"record %05d\n" % number), range(2000)))
    assert sorted(contents(journal)) == [b"record %05d" % number for number in range(2000)]
    assert journal.recorded == 2000
    journal.close()
