"""The predictor of one folder, read again when its manifest was replaced.

A promotion is one rename over the manifest (see `predictor.artifact`), so a look at the manifest tells whether there is
anything to read: its inode, size and time of change.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

from turnout.errors import ArtifactError
from turnout.predictor import Predictor, load
from turnout.predictor.artifact import MANIFEST

logger = logging.getLogger(__name__)

AGAIN_S: Final = 30.0
"""What cannot be served is tried again after that, because files may come later than the manifest that names them."""

Stamp: TypeAlias = tuple[int, int, int]


class Followed:
    """What became of one folder. Used from one thread at a time.

    `problem` is why its newest content cannot be served; empty where it can, or where there is none.

    Args:
        folder: of a predictor, whether it is there or not.
        now: the monotonic clock.
    """

    def __init__(self, folder: Path, now: Callable[[], float] = time.monotonic) -> None:
        self.folder = folder
        self.problem = ""
        self._now = now
        self._seen: Stamp | None = None
        self._again_s = 0.0

    @property
    def is_there(self) -> bool:
        """Whether there is a manifest now."""
        return self._stamp() is not None

    def read(self) -> Predictor:
        """Its predictor now.

        Raises:
            ArtifactError: it cannot be served.
        """
        self._seen = self._stamp()  # before it is read: what is renamed meanwhile is read at the next look
        self._again_s = self._now() + AGAIN_S
        predictor = load(self.folder)
        self.problem = ""
        return predictor

    def newer(self) -> Predictor | None:
        """Its predictor, if there is another one since it was read last; what is wrong with it is logged once."""
        stamp = self._stamp()
        if stamp is None or (stamp == self._seen and not (self.problem and self._now() >= self._again_s)):
            return None
        try:
            return self.read()
        except ArtifactError as error:
            if str(error) != self.problem:
                logger.warning("what was there before goes on: %s", error)
                self.problem = str(error)
            return None

    def forget(self) -> None:
        """Take whatever is there for new at the next look."""
        self._seen, self.problem = None, ""

    def _stamp(self) -> Stamp | None:
        try:
            found = (self.folder / MANIFEST).stat()
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns
