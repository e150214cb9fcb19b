"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from threading import Thread

import pytest

from turnout.files import write_aside


def test_the_file_holds_what_was_written(tmp_path: Path) -> None:
    write_aside(tmp_path / "page.bin", b"\x00first\r\n")
    assert (tmp_path / "page.bin").read_bytes() == b"\x00first\r\n"


def test_missing_folders_are_made(tmp_path: Path) -> None:
    write_aside(tmp_path / "new" / "deeper" / "page.bin", b"x")
    assert (tmp_path / "new" / "deeper" / "page.bin").read_bytes() == b"x"


def test_an_old_file_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "page.bin"
    path.write_bytes(b"a much longer old content")
    write_aside(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="permission bits are of POSIX")
def test_others_may_read_the_file(tmp_path: Path) -> None:
    write_aside(tmp_path / "page.bin", b"x")
    assert stat.S_IMODE((tmp_path / "page.bin").stat().st_mode) == 0o644


@pytest.mark.parametrize("failure", [OSError("disk full"), KeyboardInterrupt()], ids=["an error", "an interrupt"])
@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, failure: BaseException
) -> None:
    path = tmp_path / "page.bin"
    path.write_bytes(b"old")

    def fail(*arguments: object) -> None:
        raise failure

    monkeypatch.setattr(*((os, "fsync") if step == "fsync" else (Path, "replace")), fail)
    with pytest.raises(type(failure)):
        write_aside(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_in_the_way_is_an_error_without_leftovers(tmp_path: Path) -> None:
    (tmp_path / "page.bin").mkdir()
    with pytest.raises(OSError):
        write_aside(tmp_path / "page.bin", b"new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["page.bin"]


def test_a_reader_never_sees_half_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # what is on the platter is not the question here
    path = tmp_path / "page.bin"
    contents = [bytes([letter]) * 50_000 for letter in b"abc"]
    write_aside(path, contents[0])

    def write() -> None:
        for turn in range(300):
            write_aside(path, contents[turn % 3])

    writer = Thread(target=write)
    writer.start()
    seen = set()
    while writer.is_alive():
        seen.add(path.read_bytes())
    writer.join()
    assert seen <= set(contents)
