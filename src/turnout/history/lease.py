"""Who writes a segment, and whether that process still lives.

Each writer holds the lock of a file of its own for as long as it lives; the system lets go of it however the process
ends. Whoever can take the lock of another writer knows that it is dead and may clear up after it.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

from turnout.files import try_lock

SUFFIX: Final = ".lock"
_CLOSED: Final = -1


class Lease:
    """The held lock of one writer. `owner` begins the names of its segments."""

    def __init__(self, path: Path, handle: int) -> None:
        self.path = path
        self.owner = path.name.removesuffix(SUFFIX)
        self._handle = handle

    @classmethod
    def claim(cls, folder: Path) -> Lease:
        """A new writer's lease, under a name that nobody has used.

        Raises:
            OSError: the folder cannot be written.
        """
        while True:
            path = folder / f"{os.getpid()}-{time.time_ns():x}{SUFFIX}"
            try:
                handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
            except FileExistsError:
                continue
            lease = cls(path, handle)
            # Somebody who clears up may have taken the file for a dead writer's between these two steps.
            if try_lock(handle) and lease.is_there():
                return lease
            lease.abandon()

    @classmethod
    def take(cls, path: Path) -> Lease | None:
        """The lease of a writer that died; None while it lives, where somebody else cleared up, or is another user's."""
        try:
            handle = os.open(path, os.O_RDWR)
        except (FileNotFoundError, PermissionError):
            return None
        lease = cls(path, handle)
        if try_lock(handle) and lease.is_there():
            return lease
        lease.abandon()
        return None

    def is_there(self) -> bool:
        """Whether the file under this name is still the one that is locked."""
        try:
            return os.path.samestat(os.fstat(self._handle), self.path.stat())
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Give up the name; its segments must be gone or handed over before."""
        if self._handle != _CLOSED:
            self.path.unlink(missing_ok=True)
            self.abandon()

    def abandon(self) -> None:
        """Close this process's copy without a word: to others the writer is dead, unless a parent holds it too."""
        if self._handle != _CLOSED:
            os.close(self._handle)
            self._handle = _CLOSED
