"""Writing files so that a reader sees the old one or the new one, never half of either."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

LOCK_PATIENCE_S: Final = 1.0
"""Whoever holds a lock reads and writes one small file."""


def write_aside(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Write beside the target, flush to disk, then rename over it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    aside = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.chmod(mode)
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep other processes that change this file the same way out, for as long as the block lasts.

    The lock is on a file beside it, because the file itself is exchanged whenever it is written.

    Raises:
        OSError: the folder cannot be written, or another process does not let go.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path.with_name(f"{path.name}.lock"), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        ends_s = time.monotonic() + LOCK_PATIENCE_S
        while not try_lock(handle):
            if time.monotonic() > ends_s:
                raise TimeoutError(f"another process has held the lock of {path} for {LOCK_PATIENCE_S:g} s")
            time.sleep(0.005)
        yield
    finally:
        os.close(handle)


if sys.platform == "win32":
    import msvcrt

    def try_lock(handle: int) -> bool:
        """Whether the lock of an open file was free, and now is ours."""
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def try_lock(handle: int) -> bool:
        """Whether the lock of an open file was free, and now is ours."""
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
