"""A configuration that follows its file: read once, then kept current in the background, never half.

What is current is one reference, exchanged as a whole; whoever holds the old one keeps it. A file that is wrong,
missing or half-written changes nothing and is told in the status and the log.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeAlias

from turnout.config.loader import Loaded, load_content
from turnout.config.machine import Machine, look
from turnout.config.problems import InvalidConfigurationError, Problem
from turnout.config.source import read_bytes

logger = logging.getLogger(__name__)

Listener: TypeAlias = Callable[[Loaded, Loaded], None]
Folders: TypeAlias = frozenset[tuple[str, int]]

_SETTLING_ROUNDS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveStatus:
    """What became of the file: which content serves since when (Unix time), and what is wrong with the newest."""

    path: str
    fingerprint: str
    loaded_at: float
    reloads: int = 0
    problems: tuple[Problem, ...] = ()
    problem_at: float | None = None

    @property
    def problem(self) -> str:
        """Everything that is wrong with the file, a line each; empty while the file is what serves."""
        return "\n".join(map(str, self.problems))


class LiveConfiguration:
    """The configuration of one file, kept current.

    Used as a context manager, or with `start` and `stop`. The file is read on creation; profile, settings, environment
    and machine are those of `load`. A change is taken when the content has been the same for `settle_s`, and a file
    that has become empty only after `empty_s`, because editors empty a file before they write it. Besides what the
    system reports, the content is compared every `recheck_s`, because mounts of single files report nothing.

    Raises:
        InvalidConfigurationError: the file is wrong at the start, when there is no older content to keep.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        profile: str | None = None,
        settings: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        machine: Callable[[], Machine] = look,
        settle_s: float = 0.1,
        empty_s: float = 2.0,
        recheck_s: float = 2.0,
    ) -> None:
        self.path = Path(path)
        self._settle_s, self._empty_s, self._recheck_s = settle_s, empty_s, recheck_s
        looked = cache(machine)
        self._load: Callable[[bytes], Loaded] = lambda content: load_content(
            content, str(path), profile=profile, settings=settings, environment=environment, machine=looked
        )
        content = read_bytes(self.path)
        self.current: Loaded = self._load(content)
        self.status = LiveStatus(path=str(path), fingerprint=self.current.fingerprint, loaded_at=time.time())
        self._seen = _digest(content)
        self._listeners: list[Listener] = []
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def on_change(self, listener: Listener) -> None:
        """Hear of every exchange, as (before, after), in the thread that made it. A listener that raises is logged."""
        self._listeners.append(listener)

    def start(self) -> Self:
        """Watch the file in the background."""
        if self._thread is None:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._watch, name="turnout-configuration", daemon=True)
            self._thread.start()
        return self

    def stop(self) -> None:
        """Stop watching; what is current stays."""
        self._stopping.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
            self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def reload(self) -> bool:
        """Read the file now; whether another configuration serves than before. Never raises for what the file holds."""
        return self._take(self._read())

    def _read(self) -> bytes | InvalidConfigurationError:
        try:
            return read_bytes(self.path)
        except InvalidConfigurationError as error:
            return error

    def _take(self, content: bytes | InvalidConfigurationError) -> bool:
        with self._lock:
            seen = _digest(content)
            if seen == self._seen:
                return False
            self._seen = seen
            before = self.current
            try:
                if isinstance(content, InvalidConfigurationError):
                    raise content
                after = self._load(content)
            except InvalidConfigurationError as error:
                self._refuse(error)
                return False
            self.current = after
            self.status = LiveStatus(
                path=self.status.path,
                fingerprint=after.fingerprint,
                loaded_at=time.time(),
                reloads=self.status.reloads + 1,
            )
            if after.fingerprint == before.fingerprint:
                return False
            logger.info("%s: configuration %s serves in place of %s", self.path, after.fingerprint, before.fingerprint)
            for listener in self._listeners:
                try:
                    listener(before, after)
                except Exception:  # whoever listens must not be able to stop the others
                    logger.exception("a listener failed")
            return True

    def _refuse(self, error: InvalidConfigurationError) -> None:
        self.status = replace(self.status, problems=error.problems, problem_at=time.time())
        for problem in error.problems:
            logger.error("%s (configuration %s stays)", problem, self.current.fingerprint)

    def _watch(self) -> None:
        folders: Folders = frozenset()
        changes: Iterator[object] | None = None
        while not self._stopping.is_set():
            try:
                found = self._folders()
                if changes is None or found != folders:
                    folders, changes = found, _changes(found, self._stopping, self._recheck_s)
                if next(changes, None) is None:
                    changes = None
                    self._stopping.wait(self._recheck_s)
                self._take_settled()
            except Exception:  # a watcher that has died would leave the old configuration without a word
                logger.exception("watching %s failed; trying again", self.path)
                changes = None
                self._stopping.wait(self._recheck_s)

    def _folders(self) -> Folders:
        """The folder of the file and the one its links lead to, each with what tells it from a later one of its name."""
        found = set()
        for file in (self.path, Path(os.path.realpath(self.path))):
            with suppress(OSError):
                found.add((str(file.parent), file.parent.stat().st_ino))
        return frozenset(found)

    def _take_settled(self) -> None:
        """Take the content once it has stopped changing."""
        content, since_s = self._read(), time.monotonic()
        for _ in range(_SETTLING_ROUNDS):
            empty = isinstance(content, bytes) and not content.strip()
            unread = isinstance(content, InvalidConfigurationError)
            if _digest(content) == self._seen:
                return
            if self._stopping.wait(self._settle_s):
                return
            again = self._read()
            if _digest(again) != _digest(content):
                content, since_s = again, time.monotonic()
            elif not (empty or unread) or time.monotonic() - since_s >= self._empty_s:
                break
        self._take(content)


def _changes(folders: Folders, stopping: threading.Event, recheck_s: float) -> Iterator[object]:
    """Something whenever a folder changes or it is time to compare; ends where nothing can be watched."""
    try:
        from watchfiles import watch
    except ImportError:
        return
    if not folders:
        return
    with suppress(OSError):  # a folder went away, or the system watches too much already
        yield from watch(
            *(folder for folder, _ in folders),
            watch_filter=None,
            debounce=50,
            step=10,
            stop_event=stopping,
            rust_timeout=max(1, round(recheck_s * 1000)),
            yield_on_timeout=True,
            recursive=False,
            raise_interrupt=False,
        )


def _digest(content: bytes | InvalidConfigurationError) -> str:
    """What tells one content, or one reason for having none, from another."""
    told = content if isinstance(content, bytes) else str(content).encode()
    return hashlib.sha256(told).hexdigest() + type(content).__name__
