"""The file behind a cache: batches, other processes, damage, and a disk that does not do what it should."""

from __future__ import annotations

import logging
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.execution.cache.disk import Batch, Disk, News, Row


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "cache.db"


@pytest.fixture
def disk(path: Path) -> Iterator[Disk]:
    disk = Disk(path)
    yield disk
    disk.close()


def put(disk: Disk, *keys: str, used_at: float = 1.0) -> None:
    disk.write(Batch(put={key: (key.encode(), 9.0, used_at) for key in keys}))


def keys(disk: Disk) -> list[str]:
    return [row.key for row in disk.rows(values=False)]


def row(key: str, *, value: bool = False) -> Row:
    return Row(key, len(key), 9.0, key.encode() if value else None)


def test_what_was_written_is_there_after_closing(disk: Disk) -> None:
    put(disk, "a")
    disk.close()
    assert disk.rows(values=False) == (row("a"),)
    assert disk.rows(values=True) == (row("a", value=True),)
    assert disk.read("a") == b"a" and disk.read("b") is None


def test_the_most_recently_used_comes_first(disk: Disk) -> None:
    for number, key in enumerate("abc"):
        put(disk, key, used_at=float(number))
    disk.write(Batch(used={"a": 9.0, "unknown": 9.0}))
    assert keys(disk) == ["a", "c", "b"]


def test_an_entry_is_replaced_and_deleted(disk: Disk) -> None:
    put(disk, "a", "b")
    disk.write(Batch(put={"a": (b"new", 8.0, 2.0)}, deleted={"b", "unknown"}))
    assert disk.rows(values=True) == (Row("a", 3, 8.0, b"new"),)


def test_clearing_by_prefix_comes_before_what_is_put_in_the_same_batch(disk: Disk) -> None:
    put(disk, "a1", "a2", "b1", "%")
    disk.write(Batch(cleared=["a"], put={"a3": (b"", 9.0, 2.0)}))
    assert sorted(keys(disk)) == ["%", "a3", "b1"]
    disk.write(Batch(cleared=[""]))
    assert keys(disk) == []


def test_only_its_owner_may_read_it(disk: Disk, path: Path) -> None:
    put(disk, "a")
    files = list(path.parent.iterdir())
    assert files and all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)


def test_the_start_reads_no_value(disk: Disk, path: Path) -> None:
    put(disk, "a")
    with sqlite3.connect(path) as connection:
        query = "EXPLAIN QUERY PLAN SELECT key, size, expires_at, NULL FROM entries ORDER BY used_at DESC"
        assert "COVERING INDEX" in str(connection.execute(query).fetchall())
    connection.close()


# Several processes


def test_another_ones_entries_and_clears_are_news_once(disk: Disk, path: Path) -> None:
    put(disk, "mine")
    assert keys(disk) == ["mine"]
    other = Disk(path)
    put(other, "a")
    other.write(Batch(cleared=["m"]))
    assert disk.news(values=False) == News(("m",), (row("a"),))
    assert disk.news(values=False) == News()
    put(other, "b")
    assert disk.news(values=True) == News((), (row("b", value=True),))
    other.close()


def test_ones_own_clear_is_no_news(disk: Disk, path: Path) -> None:
    keys(disk)
    disk.write(Batch(cleared=["a"]))
    other = Disk(path)
    put(other, "x")
    assert disk.news(values=False) == News((), (row("x"),))
    other.close()


def test_a_quiet_file_has_no_news(disk: Disk) -> None:
    keys(disk)
    put(disk, "mine")
    assert disk.news(values=False) == News()


# Damage


def damage(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@pytest.mark.parametrize(
    "content", [b"no database at all" * 100, b"SQLite format 3\x00" + b"\xff" * 5000, b"\x00" * 4096]
)
def test_a_damaged_file_is_set_aside_with_a_warning(
    content: bytes, disk: Disk, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    damage(path, content)
    put(disk, "a")
    assert keys(disk) == ["a"]
    assert path.with_name("cache.db.damaged").read_bytes() == content
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "begins anew" in caplog.text and str(path) in caplog.text


@pytest.mark.parametrize(
    "statements",
    [
        ["CREATE TABLE letters (text)"],
        ["PRAGMA user_version = 99"],
        ["CREATE TABLE entries (key)", "PRAGMA user_version = 1"],
    ],
    ids=["another program's", "another version", "other columns"],
)
def test_a_file_of_another_kind_is_set_aside(statements: list[str], disk: Disk, path: Path) -> None:
    path.parent.mkdir(parents=True)
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()
    put(disk, "a")
    assert keys(disk) == ["a"] and path.with_name("cache.db.damaged").exists()


def test_a_file_damaged_while_it_is_open_is_set_aside_too(disk: Disk, path: Path) -> None:
    put(disk, *map(str, range(500)))
    disk.close()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(bytes(content))
    keys(disk)
    put(disk, "a")
    assert keys(disk) == ["a"]


def test_a_file_that_another_process_replaced_is_taken_as_it_is(disk: Disk, path: Path) -> None:
    put(disk, "a")
    disk._inode = -1  # the damaged file that this one had open is gone already
    other = Disk(path)
    put(other, "b")
    other.close()
    assert disk._set_aside(sqlite3.DatabaseError("damaged")) is True
    assert sorted(keys(disk)) == ["a", "b"] and not path.with_name("cache.db.damaged").exists()


@given(st.data())
def test_a_file_with_any_bytes_changed_raises_nothing(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("damage") / "cache.db"
    disk = Disk(path)
    put(disk, *map(str, range(40)))
    disk.close()
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + 16] = data.draw(st.binary(min_size=16, max_size=16))
    path.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    for found in disk.rows(values=True):
        assert isinstance(found.key, str) and isinstance(found.value, bytes)
    disk.news(values=True)
    put(disk, "new")
    disk.read("1")
    disk.close()


def test_rows_of_other_types_are_left_out(disk: Disk, path: Path) -> None:
    put(disk, "good")
    with sqlite3.connect(path) as connection:
        insert = "INSERT INTO entries (key, size, expires_at, used_at, value) VALUES (?, ?, ?, ?, ?)"
        for wrong in [
            (b"key", 1, 9.0, 2.0, b""),
            ("a", "b", 9.0, 2.0, b""),
            ("b", 1, "c", 2.0, b""),
            ("d", -1, 1, 1, b""),
        ]:
            connection.execute(insert, wrong)
        connection.execute(insert, ("text", 1, 9.0, 2.0, "no bytes"))
    connection.close()
    assert [row.key for row in disk.rows(values=True)] == ["good"]
    assert disk.read("text") is None


# A disk that fails


def test_a_place_that_cannot_be_written_is_told_once_and_costs_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "cache.db", tmp_path):
        caplog.clear()
        disk = Disk(path)
        for _ in range(3):
            put(disk, "a")
            assert (disk.rows(values=False), disk.news(values=False), disk.read("a")) == ((), News(), None)
        assert len(caplog.records) == 1 and "without its file" in caplog.text


def test_it_goes_on_when_the_disk_does(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    blocked = tmp_path / "folder"
    blocked.write_text("")
    disk = Disk(blocked / "cache.db")
    put(disk, "a")
    blocked.unlink()
    put(disk, "b")
    assert keys(disk) == ["b"] and len(caplog.records) == 1
    disk.close()


def test_a_lock_held_by_another_process_is_waited_for_or_given_up(
    disk: Disk, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("turnout.execution.cache.disk._BUSY_S", 0.01)
    monkeypatch.setattr("turnout.execution.cache.disk._PAUSE_S", 0.0)
    put(disk, "a")
    disk.close()
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    put(disk, "b")
    assert "locked" in caplog.text and keys(disk) == ["a"], "reading does not wait for who writes"
    holder.execute("ROLLBACK")
    holder.close()
    put(disk, "c")
    assert sorted(keys(disk)) == ["a", "c"] and not path.with_name("cache.db.damaged").exists()


def test_processes_that_begin_together_share_one_file(path: Path) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom turnout.execution.cache.disk import Batch, Disk\n"
        "disk = Disk(Path(sys.argv[1]))\n"
        "for number in range(20):\n"
        "    disk.write(Batch(put={f'{sys.argv[2]}-{number}': (b'x', 9.0, 1.0)}))\n"
        "disk.close()\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", script, str(path), str(number)]) for number in range(4)]
    assert [writer.wait(timeout=60) for writer in writers] == [0] * 4
    disk = Disk(path)
    assert len(keys(disk)) == 80 and not path.with_name("cache.db.damaged").exists()
    disk.close()
