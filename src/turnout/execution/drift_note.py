"""What the watch over drift wrote down: `drift.json` in the state folder, read again when it has changed.

A job of its own compares what happens with what was learned and writes the note; here it is only shown. Nothing in the
file is trusted: what is no alarm is left out, what is too long is cut.

    {"checked_at": Unix s, "alarms": [{"kind": …, "candidate": …, "since": Unix s, "text": …}], "watched": {"decisions": n}}
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args

logger = logging.getLogger(__name__)

AlarmKind: TypeAlias = Literal["success", "calibration", "features", "speed", "language_model"]
ALARM_KINDS: Final[tuple[AlarmKind, ...]] = get_args(AlarmKind)

MOST_BYTES: Final = 1 << 20
MOST_ALARMS: Final = 100
_MOST_CHARACTERS: Final = 500
_MOST_COUNT: Final = 2**53
_LATEST: Final = 253_402_300_799
"""The end of the year 9999."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing that is no longer as it was learned, `since` (Unix time); `candidate` is empty where it is of all."""

    kind: AlarmKind
    candidate: str
    since: float
    text: str


@dataclass(frozen=True, slots=True)
class Drift:
    """What was found at the last check, `checked_at` (Unix time), over so many decisions."""

    checked_at: float
    alarms: tuple[Alarm, ...] = ()
    decisions: int = 0

    @classmethod
    def of_json(cls, value: Any) -> Drift:
        """A note as it was written.

        Raises:
            ValueError: it is none.
        """
        checked_at = _time(value.get("checked_at")) if isinstance(value, dict) else None
        if checked_at is None:
            raise ValueError("it does not say when it was checked")
        told, watched = value.get("alarms"), value.get("watched")
        alarms = filter(None, map(_alarm, told[:MOST_ALARMS])) if isinstance(told, list) else ()
        return cls(checked_at, tuple(alarms), _count(watched.get("decisions")) if isinstance(watched, dict) else 0)


class DriftNote:
    """The note, as it was when it was read last. Read from one thread at a time; `drift` may be taken from anywhere.

    Args:
        path: the file, whether it is there or not.
    """

    def __init__(self, path: Path) -> None:
        self.drift: Drift | None = None
        self._path = path
        self._seen: tuple[int, int, int] | None = None

    def look(self) -> None:
        """Read the file if it has changed. A file that is wrong is logged, once; what was read before stays."""
        try:
            found = self._path.stat()
        except OSError:
            self.drift = self._seen = None
            return
        stamp = (found.st_ino, found.st_size, found.st_mtime_ns)
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            with self._path.open("rb") as file:
                raw = file.read(MOST_BYTES + 1)
            if len(raw) > MOST_BYTES:
                raise ValueError(f"more than {MOST_BYTES} bytes")
            self.drift = Drift.of_json(json.loads(raw))
        except (OSError, ValueError, RecursionError) as error:
            logger.warning("%s is no note of drift: %s", self._path, error)


def _alarm(value: Any) -> Alarm | None:
    if not isinstance(value, dict):
        return None
    since, text, candidate = _time(value.get("since")), value.get("text"), value.get("candidate")
    kind = next((kind for kind in ALARM_KINDS if kind == value.get("kind")), None)
    if kind is None or since is None or not isinstance(text, str):
        return None
    return Alarm(kind, _cut(candidate) if isinstance(candidate, str) else "", since, _cut(text))


def _cut(text: str) -> str:
    """So much of it as is shown, and nothing that cannot be encoded."""
    return text[:_MOST_CHARACTERS].encode("utf-8", "replace").decode("utf-8")


def _time(value: Any) -> float | None:
    """Unix time that a date can be made of; None where it is none."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value <= _LATEST else None


def _count(value: Any) -> int:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_COUNT
    return int(value) if is_count else 0
