"""Files of lines, and how they are read while they grow."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.history import segments
from turnout.history.segments import Line, Segment, read_lines


@pytest.fixture
def segment(tmp_path: Path) -> Iterator[Segment]:
    made = Segment(tmp_path / "1.jsonl", 0.0)
    yield made
    made.close()


def test_lines_are_read_with_their_places(segment: Segment) -> None:
    for line in (b"one\n", b"\n", b"three\n"):
        segment.append(line, os.write)
    assert list(read_lines(segment.reading, 0)) == [Line(b"one", 4), Line(b"", 5), Line(b"three", 11)]
    assert list(read_lines(segment.reading, 4, 11)) == [Line(b"", 5), Line(b"three", 11)]
    assert list(read_lines(segment.reading, 4, 5)) == [Line(b"", 5)]
    assert list(read_lines(segment.reading, 11)) == []


@given(st.lists(st.binary(max_size=12).map(lambda text: text.replace(b"\n", b"")), max_size=12), st.binary(max_size=5))
def test_blocks_of_any_size_give_the_same_lines(contents: list[bytes], tail: bytes) -> None:
    tail = tail.replace(b"\n", b"")
    file = io.BytesIO(b"".join(content + b"\n" for content in contents) + tail)
    ends = list(accumulate(len(content) + 1 for content in contents))
    with pytest.MonkeyPatch.context() as patch:
        for size in (1, 2, 3, 7, 1000):
            patch.setattr(segments, "_BLOCK_BYTES", size)
            found = list(read_lines(file, 0))
            assert [(line.content, line.end) for line in found if not line.torn] == list(
                zip(contents, ends, strict=True)
            )
            assert [line.content for line in found if line.torn] == ([tail] if tail else [])
            assert not found or found[-1].end == len(file.getvalue())


@pytest.mark.parametrize("fits", [0, 1, 4])
def test_a_line_that_does_not_fit_leaves_nothing_behind(segment: Segment, fits: int) -> None:
    segment.append(b"one\n", os.write)
    with pytest.raises(OSError, match=f"only {fits} of 9"):
        segment.append(b"too long\n", lambda handle, line: os.write(handle, line[:fits]))
    segment.append(b"two\n", os.write)
    assert [line.content for line in read_lines(segment.reading, 0)] == [b"one", b"two"]
    assert segment.size == segment.true_size() == 8 and not segment.torn


def test_a_half_line_that_cannot_be_taken_back_makes_it_torn(segment: Segment, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, "no")

    monkeypatch.setattr(segments.os, "ftruncate", refuse)
    with pytest.raises(OSError, match="no"):
        segment.append(b"too long\n", lambda handle, line: os.write(handle, line[:3]))
    assert segment.torn


def test_it_can_be_read_after_somebody_deleted_it(segment: Segment) -> None:
    segment.append(b"one\n", os.write)
    assert segment.is_there()
    segment.path.unlink()
    assert not segment.is_there()
    segment.append(b"two\n", os.write)
    assert [line.content for line in read_lines(segment.reading, 0)] == [b"one", b"two"]


def test_emptied_it_begins_anew(segment: Segment) -> None:
    segment.append(b"a long first line\n", os.write)
    segment.drained = segment.size
    segment.empty(5.0)
    segment.append(b"x\n", os.write)
    assert (segment.size, segment.drained, segment.begun_s) == (2, 0, 5.0)
    assert list(read_lines(segment.reading, 0)) == [Line(b"x", 2)]


@pytest.mark.skipif(os.name != "posix", reason="permission bits are of POSIX")
def test_nobody_else_may_read_it(segment: Segment) -> None:
    assert segment.path.stat().st_mode & 0o777 == 0o600
