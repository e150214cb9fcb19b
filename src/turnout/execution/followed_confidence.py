"""The confidence model that retraining fitted to the history: one file in the models folder, read again when it has changed.

Without the file the default judges. One that cannot be used is logged once and changes nothing: after a start the default
judges, later whoever did.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from turnout.errors import ArtifactError
from turnout.execution.judging import Judge

logger = logging.getLogger(__name__)


class FollowedConfidence:
    """Hands a judge on whenever the file holds another model. Used from one thread at a time.

    Args:
        path: the file, whether it is there or not.
        use: takes a judge in, in one step.
    """

    def __init__(self, path: Path, use: Callable[[Judge], None]) -> None:
        self._path = path
        self._use = use
        self._seen: tuple[int, int, int] | None = None

    def look(self) -> None:
        """Read the file if it has changed."""
        try:
            found = self._path.stat()
        except OSError:
            if self._seen is not None:
                self._seen = None
                self._use(Judge())
                logger.info("%s is gone; answers are judged by the default", self._path)
            return
        stamp = (found.st_ino, found.st_size, found.st_mtime_ns)
        if stamp == self._seen:
            return
        self._seen = stamp  # before it is read: what is renamed meanwhile is read at the next look
        try:
            judge = Judge.load(self._path)
        except ArtifactError as error:
            logger.warning(
                "the confidence model %s is not used, answers are judged as before: %s; 'turnout retrain' makes a new "
                "one, and without the file the default judges",
                self._path,
                error,
            )
            return
        self._use(judge)
        logger.info("answers are judged by %s now: %s", self._path, judge.model.fitted)
