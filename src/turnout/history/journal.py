"""The journal: records on their way to the database, in files that survive the death of the process.

`write` costs the caller one system call, however many lines, and never waits for the database, raises or loses anything
in silence. Where the disk refuses or the journal has grown to its bound, lines wait in a bounded buffer in memory; what
exceeds that is dropped and counted. What was written survives the kill of the process, but is not forced to the disk: a
loss of power may cost the last seconds.
"""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final

from turnout.errors import HistoryError
from turnout.history.buffer import Buffer
from turnout.history.lease import Lease
from turnout.history.limits import JournalLimits
from turnout.history.segments import SUFFIX, Segment, Write

logger = logging.getLogger(__name__)

# What may pass by itself; anything else at the start is a mistake to be told to whoever starts.
_PASSING: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.EROFS})

_PROBE: Final = b" " * 4095 + b"\n"
_EMPTIED_BYTES: Final = 1 << 16  # to empty a larger file takes longer than to begin another, and those who write wait


@dataclass(frozen=True, slots=True)
class Piece:
    """What is to be drained of one segment: from `start` to `end`; nothing is added to a sealed one."""

    segment: Segment
    start: int
    end: int
    sealed: bool


class Journal:
    """The files of one process in a folder that several share. Safe to share between threads.

    Args:
        folder: where the files are.
        write: `os.write`, or what stands for it in a test.
        now: the monotonic clock.
    """

    def __init__(
        self,
        folder: Path,
        limits: JournalLimits,
        *,
        write: Write = os.write,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder = folder
        self.recorded = 0
        self.settled = 0
        self.dropped = 0
        self.foreign_bytes = 0
        self.problem = ""
        self._limits = limits
        self._write = write
        self._now = now
        self._lock = Lock()
        self._lease: Lease | None = None
        self._active: Segment | None = None
        self._sealed: list[Segment] = []
        self._segments = 0
        self._buffer = Buffer(limits.buffered_records, limits.buffered_bytes)
        self._dropping = False
        self._closed = False

    def open(self) -> None:
        """Claim a place in the folder.

        Raises:
            HistoryError: the folder cannot be used, and that will not pass by itself as a full disk may.
        """
        with self._lock:
            try:
                self._claim()
            except OSError as error:
                if error.errno not in _PASSING:
                    raise HistoryError(f"the journal cannot be kept in {self.folder}: {error}") from error
                self._fail(str(error))

    @property
    def is_closed(self) -> bool:
        """Whether it has come to its end."""
        return self._closed

    @property
    def owner(self) -> str:
        """What begins the names of this process's files."""
        return self._lease.owner if self._lease is not None else ""

    @property
    def own_bytes(self) -> int:
        """The size of this process's segments."""
        with self._lock:
            return self._own_bytes()

    @property
    def waiting(self) -> int:
        """Records taken in and not settled yet, buffered ones included."""
        return self.recorded - self.settled

    @property
    def buffered(self) -> int:
        """Records in memory only."""
        return len(self._buffer)

    def write(self, lines: bytes, count: int = 1) -> bool:
        """Take in as many whole lines at once, with no other between them; whether they are in a file now.

        Lines that find no place are counted in `dropped`.
        """
        with self._lock:
            if not self._closed and not self.problem:
                try:
                    self._append(lines)
                except OSError as error:
                    self._fail(str(error))
                else:
                    self.recorded += count
                    self._dropping = False
                    return True
            if not self._closed and self._buffer.offer(lines):
                self.recorded += count
            else:
                self._drop("they came after its end" if self._closed else self.problem, count)
            return False

    def drop(self, why: str) -> None:
        """Count one record as lost; the first of a run is told in the log."""
        with self._lock:
            self._drop(why, 1)

    def rescue(self) -> None:
        """Move what is buffered into a file, if that works again. For the drainer only."""
        while self.problem and self._retry():
            pass

    def pieces(self) -> list[Piece]:
        """What waits to be drained, oldest first."""
        with self._lock:
            active = self._active
            if active is not None:
                old = active.size and self._now() - active.begun_s >= self._limits.segment_s
                if old or not active.is_there():
                    self._seal()
            found = [Piece(one, one.drained, one.true_size(), True) for one in self._sealed]
            if self._active is not None:
                found.append(Piece(self._active, self._active.drained, self._active.true_size(), False))
        return [piece for piece in found if piece.sealed or piece.start < piece.end]

    def settle(self, piece: Piece, upto: int, records: int) -> None:
        """Everything of a piece up to there needs no file any more; a segment of which that is all is cleared."""
        segment = piece.segment
        with self._lock:
            self.settled += records
            segment.drained = upto
            if upto < segment.true_size():
                return
            if segment is self._active:
                if segment.size <= _EMPTIED_BYTES:
                    segment.empty(self._now())
                    return
                self._seal()
            self._sealed.remove(segment)
        # Nobody else knows it any more: what is slow is done after the lock.
        segment.close()
        segment.path.unlink(missing_ok=True)

    def peek(self, count: int) -> list[bytes]:
        """The oldest buffered lines."""
        with self._lock:
            return self._buffer.oldest(count)

    def settle_buffered(self, count: int) -> None:
        """The oldest buffered lines need no memory any more. For the drainer only."""
        with self._lock:
            self._buffer.remove(count)
            self.settled += count

    def seal(self) -> None:
        """End the current segment, so that it is deleted as soon as it is drained."""
        with self._lock:
            self._seal()

    def close(self) -> None:
        """End. Files with lines that were not settled stay, for whoever drains them next."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._seal()
            if self._buffer:
                logger.error("%d records of the history are lost: the journal cannot be written", len(self._buffer))
                self.dropped += len(self._buffer)
            sealed, self._sealed = self._sealed, []
        while sealed:
            segment = sealed.pop()
            done = segment.drained >= segment.true_size()
            segment.close()
            if done:
                segment.path.unlink(missing_ok=True)
        if self._lease is not None:
            self._lease.release()

    def abandon(self) -> None:
        """Close the handles that a fork has copied; files and lock remain the parent's."""
        for segment in (*self._sealed, *filter(None, [self._active])):
            segment.close()
        if self._lease is not None:
            self._lease.abandon()

    def _append(self, lines: bytes) -> None:
        segment = self._active
        if segment is None:
            segment = self._active = self._begin()
        try:
            segment.append(lines, self._write)
        except OSError:
            if segment.torn:
                self._seal()
            elif not segment.size:
                self._active = None
                segment.close()
                segment.path.unlink(missing_ok=True)
            raise
        if segment.size >= self._limits.segment_bytes:
            self._seal()

    def _retry(self) -> bool:
        """Write the oldest buffered line, or a block of nothing if there is none; whether to go on."""
        with self._lock:
            oldest = self._buffer.oldest(1)
            try:
                self._append(oldest[0] if oldest else _PROBE)
            except OSError as error:
                self._fail(str(error))
                return False
            if oldest:
                self._buffer.remove(1)
                return True
            logger.warning("the journal in %s is written again", self.folder)
            self.problem = ""
            return False

    def _drop(self, why: str, count: int) -> None:
        if not self._dropping:
            logger.error("records of the history are lost (%s); its status counts them", why)
        self._dropping = True
        self.dropped += count

    def _own_bytes(self) -> int:
        segments = self._sealed if self._active is None else (*self._sealed, self._active)
        return sum(segment.size for segment in segments)

    def _begin(self) -> Segment:
        limits = self._limits
        if self._own_bytes() + self.foreign_bytes + limits.segment_bytes > limits.bytes:
            raise OSError(errno.ENOSPC, f"it has grown to its bound of {limits.bytes:,} bytes")
        if self._lease is None or not self._lease.is_there():
            self._claim()
        self._segments += 1
        return Segment(self.folder / f"{self.owner}-{self._segments:06d}{SUFFIX}", self._now())

    def _claim(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        gone, self._lease = self._lease, None
        if gone is not None:
            gone.abandon()
        self._lease = Lease.claim(self.folder)

    def _seal(self) -> None:
        if self._active is not None:
            self._sealed.append(self._active)
            self._active = None

    def _fail(self, problem: str) -> None:
        if not self.problem:
            logger.warning("the journal in %s cannot be written (%s): records wait in memory", self.folder, problem)
        self.problem = problem
