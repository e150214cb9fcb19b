"""Preference learning: the feedback of each user, kept as events, so that everything it does can be shown and taken back."""

from __future__ import annotations

import json
import logging
import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal, cast

from turnout.errors import RequestError
from turnout.execution.leaning import KINDS, NEUTRAL, WINDOW, Heard, Kind, Leaning, leaning_of, preference_for
from turnout.files import alone, write_aside

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

MAX_UNSAVED: Final = 10_000
"""Changes that wait for a disk that refuses; older ones are forgotten with the process."""

LOOK_EVERY_S: Final = 1.0

_WITH_VALUE: Final = ("score", "edit_kept")


class Personal:
    """Where each user leans. Used from one event loop; several processes may share the file.

    What is heard here is kept as changes until it is saved, and then made to what the file holds by then, so that
    nothing is lost that another process has heard. Once a second at most it is looked whether the file is another.

    Args:
        path: where it outlives a restart; None forgets with the process. A file that cannot be used is renamed to
            `….refused` with a warning.
        now: Unix time.
    """

    def __init__(self, path: Path | None = None, now: Callable[[], float] = time.time) -> None:
        self._path = path
        self._now = now
        self._seen = _stamp(path)
        self._looked_s = time.monotonic()
        self._events: dict[str, list[Heard]] = {} if path is None else _read(path)
        self._leanings: dict[str, Leaning] = {}
        self._unsaved: deque[_Change] = deque(maxlen=MAX_UNSAVED)

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
        self._change(_Change(user, "heard", event))
        return self.leaning(user)

    def leaning(self, user: str) -> Leaning:
        """Where a user leans now; two look-ups and a clock, so it may be asked for with every request."""
        if self._path is not None and time.monotonic() - self._looked_s >= LOOK_EVERY_S:
            self._look(self._path)
        known = self._leanings.get(user)
        if known is None:
            events = self._events.get(user)
            if events is None:
                return NEUTRAL
            known = self._leanings[user] = leaning_of(events)
        return known

    def undo(self, user: str) -> bool:
        """Take back the last event of a user as if it had never been heard; False where there is none."""
        if user not in self._events:
            return False
        self._change(_Change(user, "undo"))
        return True

    def reset(self, user: str) -> bool:
        """Forget a user; False where nothing was known."""
        if user not in self._events:
            return False
        self._change(_Change(user, "reset"))
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
        if self._path is None or not self._unsaved:
            return
        try:
            with alone(self._path):
                self._look(self._path)
                write_aside(self._path, self._content())
                self._seen = _stamp(self._path)
                self._unsaved.clear()
        except OSError as error:
            logger.warning("the preferences of users are not saved in %s: %s", self._path, error)

    def _content(self) -> bytes:
        users = {user: [list(asdict(event).values()) for event in events] for user, events in self._events.items()}
        return json.dumps({"version": VERSION, "users": users}, ensure_ascii=False).encode("utf-8", "surrogatepass")

    def _look(self, path: Path) -> None:
        """Take over what another process has saved."""
        self._looked_s = time.monotonic()
        if _stamp(path) not in (self._seen, None):
            self._take_over(path)

    def _take_over(self, path: Path) -> None:
        """What the file holds now, and what was heard here since."""
        self._seen = _stamp(path)  # before it is read: what is written meanwhile is seen the next time
        self._events = _read(path)
        self._leanings.clear()
        for change in self._unsaved:
            change.make(self._events)

    def _change(self, change: _Change) -> None:
        change.make(self._events)
        self._leanings.pop(change.user, None)
        if len(self._events) >= MAX_USERS:  # somebody may just have been forgotten
            self._leanings.clear()
        if self._path is not None:
            self._unsaved.append(change)


@dataclass(frozen=True, slots=True)
class _Change:
    """One thing that happened to what is known of a user."""

    user: str
    kind: Literal["heard", "undo", "reset"]
    event: Heard | None = None

    def make(self, known: dict[str, list[Heard]]) -> None:
        """Let it happen."""
        events = known.pop(self.user, []) if self.kind == "heard" else known.get(self.user, [])
        if self.event is not None:
            known[self.user] = [*events, self.event][-KEPT_EVENTS:]
            while len(known) > MAX_USERS:
                del known[next(iter(known))]
        elif self.kind == "undo" and len(events) > 1:
            known[self.user] = events[:-1]
        else:
            known.pop(self.user, None)


def _stamp(path: Path | None) -> tuple[int, int, int] | None:
    """What tells one content of a file from another, as every save makes a new file; None where nobody can tell."""
    if path is None:
        return None
    try:
        found = path.stat()
    except FileNotFoundError:
        return (0, 0, 0)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


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
