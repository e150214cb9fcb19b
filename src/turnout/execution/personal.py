"""Preference learning: the feedback of each user, kept as events, so that everything it does can be shown and taken back."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, cast

from turnout.errors import RequestError
from turnout.execution.leaning import KINDS, NEUTRAL, WINDOW, Heard, Kind, Leaning, leaning_of, preference_for
from turnout.files import write_aside

__all__ = ["Leaning", "Personal", "preference_for"]

logger = logging.getLogger(__name__)

VERSION: Final = 1
MAX_USERS: Final = 1000
"""Users that are remembered; whoever was heard of longest ago is forgotten first."""

KEPT_EVENTS: Final = WINDOW + 20
"""Events kept of each user: those that count, and as many more as can be taken back without a trace."""

MAX_NAME_CHARACTERS: Final = 200
MAX_BYTES: Final = 256_000_000
"""More than the most users with the most events and the longest names can take."""

_WITH_VALUE: Final = ("score", "edit_kept")


class Personal:
    """Where each user leans. Used from one event loop.

    Args:
        path: where it outlives a restart; None forgets with the process. A file that cannot be used is renamed to
            `….refused` with a warning.
        now: Unix time.
    """

    def __init__(self, path: Path | None = None, now: Callable[[], float] = time.time) -> None:
        self._path = path
        self._now = now
        self._events: dict[str, list[Heard]] = {} if path is None else _read(path)
        self._leanings: dict[str, Leaning] = {}
        self._is_saved = True

    def heard(
        self,
        user: str,
        kind: str,
        value: float | None = None,
        candidate: str = "",
        seconds: float | None = None,
        strong: bool = False,
    ) -> Leaning:
        """Take in one event; the leaning after it.

        Args:
            user: who said it; empty for the one user of a client of one's own.
            kind: good, bad, score, regenerate, edit_kept, too_slow, or choose.
            value: of a score or a share kept, 0 to 1; not used by the others.
            candidate: who had answered; for choose the one that the user picked by hand.
            seconds: how long the answer took; None where nobody knows.
            strong: whether the candidate is one of the strong ones (the dearer half).

        Raises:
            RequestError: another kind, a value out of range, a name of more than 200 characters.
        """
        event = _checked(user, [kind, value if kind in _WITH_VALUE else None, candidate, seconds, strong, self._now()])
        events = self._events.pop(user, [])
        self._events[user] = [*events, event][-KEPT_EVENTS:]
        while len(self._events) > MAX_USERS:
            self._forget(next(iter(self._events)))
        self._changed(user)
        return self.leaning(user)

    def leaning(self, user: str) -> Leaning:
        """Where a user leans now; two look-ups, so it may be asked for with every request."""
        known = self._leanings.get(user)
        if known is None:
            events = self._events.get(user)
            if events is None:
                return NEUTRAL
            known = self._leanings[user] = leaning_of(events)
        return known

    def undo(self, user: str) -> bool:
        """Take back the last event of a user as if it had never been heard; False where there is none."""
        events = self._events.get(user)
        if not events:
            return False
        if len(events) == 1:
            self._forget(user)
        else:
            self._events[user] = events[:-1]
        self._changed(user)
        return True

    def reset(self, user: str) -> bool:
        """Forget a user; False where nothing was known."""
        if user not in self._events:
            return False
        self._forget(user)
        self._changed(user)
        return True

    def export(self) -> dict[str, Any]:
        """Everything that is known, as plain data: each user's leaning and the events it comes from, oldest first."""
        return {
            user: {
                **asdict(self.leaning(user)),
                "offsets": dict(self.leaning(user).offsets),
                "heard": [asdict(event) for event in events[-WINDOW:]],
            }
            for user, events in self._events.items()
        }

    def save(self) -> None:
        """Write it if it changed; a disk that refuses is logged, never raised."""
        if self._path is None or self._is_saved:
            return
        users = {user: [list(asdict(event).values()) for event in events] for user, events in self._events.items()}
        content = json.dumps({"version": VERSION, "users": users}, ensure_ascii=False).encode("utf-8", "surrogatepass")
        try:
            write_aside(self._path, content)
            self._is_saved = True
        except OSError as error:
            logger.warning("the preferences of users are not saved in %s: %s", self._path, error)

    def _changed(self, user: str) -> None:
        self._leanings.pop(user, None)
        self._is_saved = False

    def _forget(self, user: str) -> None:
        del self._events[user]
        self._leanings.pop(user, None)


def _checked(user: object, fields: object) -> Heard:
    """An event of a caller or a file.

    Raises:
        RequestError: it makes no sense.
    """
    if not isinstance(user, str) or len(user) > MAX_NAME_CHARACTERS:
        raise RequestError(f"user is no text of at most {MAX_NAME_CHARACTERS} characters")
    if not isinstance(fields, list) or len(fields) != 6:
        raise RequestError("an event has kind, value, candidate, seconds, strong and time")
    kind, value, candidate, seconds, strong, at = fields
    if kind not in KINDS:
        raise RequestError(f"feedback {str(kind)[:40]!r} is none of {', '.join(KINDS)}")
    if kind in _WITH_VALUE and not (_is_number(value) and value <= 1):
        raise RequestError(f"{kind} needs a value from 0 to 1, not {str(value)[:40]}")
    if kind not in _WITH_VALUE and value is not None:
        raise RequestError(f"{kind} has no value")
    if not isinstance(candidate, str) or len(candidate) > MAX_NAME_CHARACTERS:
        raise RequestError(f"candidate is no text of at most {MAX_NAME_CHARACTERS} characters")
    if seconds is not None and not _is_number(seconds):
        raise RequestError(f"seconds is {str(seconds)[:40]}; expected a number of 0 or more")
    if not isinstance(strong, bool) or not _is_number(at):
        raise RequestError("strong is true or false, and the time a number")
    return Heard(
        cast("Kind", kind),
        None if value is None else float(value),
        candidate,
        None if seconds is None else float(seconds),
        strong,
        float(at),
    )


def _is_number(value: object) -> bool:
    """Whether it is one that is finite and not negative."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return value >= 0 and math.isfinite(value)
    except OverflowError:  # a whole number that no float can hold
        return False


def _read(path: Path) -> dict[str, list[Heard]]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"larger than {MAX_BYTES:,} bytes")
        document = json.loads(path.read_bytes())
        if document["version"] != VERSION:
            raise ValueError(f"version {document['version']}, expected {VERSION}")
        return _users(document["users"])
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, RequestError) as error:
        aside = path.with_name(f"{path.name}.refused")
        logger.warning("starting without preferences of users: %s cannot be used (%s); see %s", path, error, aside)
        try:
            path.replace(aside)
        except OSError as refused:
            logger.warning("%s cannot be set aside: %s", path, refused)
        return {}


def _users(users: Mapping[str, Any]) -> dict[str, list[Heard]]:
    found = {}
    for user, events in list(users.items())[-MAX_USERS:]:
        if not isinstance(events, list) or not events:
            raise ValueError("a user without events")
        found[user] = [_checked(user, event) for event in events[-KEPT_EVENTS:]]
    return found
