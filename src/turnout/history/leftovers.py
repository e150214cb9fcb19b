"""Segments that dead processes left: whoever comes next brings them into the database.

Taking the same segment twice does no harm, because ids are unique and a segment is deleted only when everything in it
is committed. A segment of a process that lives is never taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from turnout.history.lease import SUFFIX as LEASE
from turnout.history.lease import Lease
from turnout.history.segments import SUFFIX as SEGMENT


def other_writers(folder: Path, own: str) -> list[str]:
    """Names of the writers that have something in a folder, living ones too, but for one's own."""
    names = {path.stem for path in folder.glob(f"*{LEASE}")}
    names.update(path.stem.rpartition("-")[0] for path in folder.glob(f"*{SEGMENT}"))
    return sorted(names - {own})


@contextmanager
def taken_over(folder: Path, writer: str) -> Iterator[list[Path]]:
    """The segments of a writer, oldest first, to be read and deleted inside the block; none if it lives.

    A writer without a lock file is dead: it makes that file before anything else.
    """
    path = folder / f"{writer}{LEASE}"
    lease = Lease.take(path)
    if lease is None and path.exists():
        yield []
        return
    segments = sorted(folder.glob(f"{writer}-*{SEGMENT}"))
    try:
        yield segments
    finally:
        if lease is not None and any(segment.exists() for segment in segments):
            lease.abandon()
        elif lease is not None:
            lease.release()


def size_of(folder: Path) -> int:
    """The bytes of every segment in a folder."""
    total = 0
    for path in folder.glob(f"*{SEGMENT}"):
        with suppress(FileNotFoundError):
            total += path.stat().st_size
    return total
