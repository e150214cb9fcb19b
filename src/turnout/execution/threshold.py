"""The confidence below which an answer is not trusted, moved by what escalations cost and gained.

The share of escalated requests is steered to its target as a quantile is tracked online (Robbins and Monro, "A
Stochastic Approximation Method", 1951): each answer that is trusted lifts the threshold by share * step, each that is
not lowers it by (1 - share) * step, so that it rests where the wanted share lies below. What escalations gained moves
it on top: while they mostly help, it may rise faster; while they do not, it falls.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Final

from turnout.config.routing import Escalation
from turnout.files import alone, write_aside

logger = logging.getLogger(__name__)

STEP: Final = 0.02
"""How far one answer can move the threshold. At a share of 5 % a hundred trusted answers lift it by .1."""

HELPED_SHARE: Final = 0.5
"""An escalation costs about one strong answer and is worth it if every second one improves the result."""

GAIN_STEP: Final = 0.01


class Threshold:
    """One threshold for all requests of one client. Used from one event loop; `value` may be read from anywhere.

    Args:
        settings: bounds, start, target share, and whether it moves at all.
        path: where it outlives a restart; None begins at the configured value.
    """

    def __init__(self, settings: Escalation, path: Path | None = None) -> None:
        self._settings = settings
        self._path = path
        self._value = self._bounded(settings.threshold)
        if path is not None and settings.adaptive:
            self._value = self._bounded(_learned(path, settings.threshold))
        self._saved = self._value

    @property
    def value(self) -> float:
        """Answers less sure than this are not trusted."""
        return self._value

    def configure(self, settings: Escalation) -> None:
        """Follow other settings; what was learned stays within the new bounds, a new fixed value counts at once."""
        moved = settings.adaptive and settings.threshold == self._settings.threshold
        self._settings = settings
        self._value = self._bounded(self._value if moved else settings.threshold)

    def judged(self, confidence: float) -> None:
        """An answer was judged that could have been escalated."""
        if self._settings.adaptive:
            share = self._settings.target_share
            below = confidence < self._value
            self._value = self._bounded(self._value + STEP * (share - below))

    def escalated(self, *, helped: bool) -> None:
        """An escalation ended; `helped` says that the other answer was better."""
        if self._settings.adaptive:
            self._value = self._bounded(self._value + GAIN_STEP * (helped - HELPED_SHARE))

    def save(self) -> None:
        """Write it if it moved; a disk that refuses is logged, never raised.

        Where several processes share the file each adds its moves to those of the others.
        """
        if self._path is None or not self._settings.adaptive:
            return
        try:
            with alone(self._path):
                shared = _shared(self._path, self._saved, self._settings.threshold)
                moved = self._value - self._saved
                if not moved and shared == self._saved:
                    return
                self._value = self._bounded(shared + moved) if shared != self._saved else self._value
                learned = {"threshold": self._value, "configured": self._settings.threshold}
                write_aside(self._path, json.dumps(learned).encode())
            self._saved = self._value
        except OSError as error:
            logger.warning("the escalation threshold is not saved in %s: %s", self._path, error)

    def _bounded(self, value: float) -> float:
        return min(max(value, self._settings.min_threshold), self._settings.max_threshold)


def _read(path: Path, configured: float) -> float | None:
    """What was learned, if it began at the value that is configured now; None where nothing was.

    Raises:
        OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError: the file cannot be used.
    """
    try:
        learned = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    value = float(learned["threshold"])
    if not 0 <= value <= 1:
        raise ValueError(f"threshold is {value}")
    return value if learned["configured"] == configured else None


_UNUSABLE: Final = (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError)


def _learned(path: Path, configured: float) -> float:
    """Where to begin."""
    try:
        learned = _read(path, configured)
    except _UNUSABLE as error:
        logger.warning("starting from the configured threshold: %s cannot be used (%s)", path, error)
        return configured
    return configured if learned is None else learned


def _shared(path: Path, saved: float, configured: float) -> float:
    """What the file holds by now; what was saved last where that is of no use: it is written over."""
    try:
        learned = _read(path, configured)
    except _UNUSABLE:
        return saved
    return saved if learned is None else learned
