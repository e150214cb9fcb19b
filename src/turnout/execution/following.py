"""What other processes put in place while this one serves: another champion, a challenger, a confidence model, a note of
drift.

Looked for once a second in a thread: a stat of each file, and a read of what has changed. A predictor
or confidence model is swapped in one step when it has been loaded; requests under way keep the one they began with.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from turnout.execution.drift_note import DriftNote
from turnout.execution.followed_confidence import FollowedConfidence
from turnout.execution.recorder import version
from turnout.policy import Router
from turnout.policy.followed import Followed
from turnout.predictor import Predictor

logger = logging.getLogger(__name__)

EVERY_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Challenging:
    """The challenger at one moment: since when it is one (Unix time), what it may do, and why the newest content of its
    folder was not taken in; empty where it was."""

    predictor: Predictor
    since: float
    mode: str
    problem: str


class Following:
    """Keeps the predictors of one router current, and the judge of their answers.

    Args:
        router: its champion and challenger.
        challenger: the challenger's folder; None where none is wanted.
        mode: what the configuration lets a challenger do now: off, shadow or canary.
        note: of drift.
        confidence: the model that answers are judged by.
    """

    def __init__(
        self,
        router: Router,
        challenger: Path | None,
        mode: Callable[[], str],
        note: DriftNote,
        confidence: FollowedConfidence,
    ) -> None:
        self._router = router
        self._since = 0.0
        self._followed = None if challenger is None else Followed(challenger)
        self._mode = mode
        self._note = note
        self._confidence = confidence

    @property
    def challenging(self) -> Challenging | None:
        """The challenger now; None where there is none."""
        predictor, followed = self._router.challenger, self._followed
        if predictor is None or followed is None:
            return None
        return Challenging(predictor, self._since, self._mode(), followed.problem)

    def look(self) -> None:
        """Take in what has changed. Reads files; not for the event loop."""
        if self._router.refresh():
            logger.info("the predictor %s serves now", version(self._router.predictor))
        if self._followed is not None:
            self._look_for_challenger(self._followed)
        self._confidence.look()
        self._note.look()

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await asyncio.to_thread(self.look)
            except Exception:  # whoever follows must not stop at the first surprise
                logger.exception("looking for another predictor failed")

    def _look_for_challenger(self, followed: Followed) -> None:
        if self._mode() == "off" or not followed.is_there:
            if self._router.challenger is not None:
                logger.info("the challenger %s is gone", version(self._router.challenger))
                self._router.challenge(None)
            followed.forget()
            return
        found = followed.newer()
        if found is not None:
            self._router.challenge(found)
            self._since = time.time()
            logger.info("the predictor %s is the challenger now", version(found))
        challenger = version(self._router.challenger)
        if challenger and challenger == version(self._router.predictor):
            logger.info("the challenger %s serves: there is no other one", challenger)
            self._router.challenge(None)
