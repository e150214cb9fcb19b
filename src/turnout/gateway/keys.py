"""Keys of the gateway: who may ask, and how much. A file holds their digests; the keys themselves are nowhere kept.

A key has 256 random bits, so one round of SHA-256 hides it: there is nothing to guess that a slow hash would protect.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from turnout.config.gateway import GatewayLimits
from turnout.errors import ConfigurationError
from turnout.files import alone, write_aside
from turnout.gateway.refusals import RefusedError

logger = logging.getLogger(__name__)

PREFIX: Final = "tk-"
MOST: Final = 1_000_000
"""As much as a limit can allow."""

_CHECK_EVERY_S: Final = 1.0
_MAX_BYTES: Final = 16 << 20
_NAME: Final = re.compile(r"[A-Za-z0-9._@+-]{1,64}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key: whose it is, the digest, when it was made (Unix time), and limits of its own where it has any."""

    name: str
    sha256: str
    created_at: float
    max_concurrent: int | None = None
    requests_per_minute: int | None = None


def digest(key: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def new_key(name: str, **limits: int | None) -> tuple[str, Key]:
    """A fresh key, to be shown once, and what is kept of it."""
    key = PREFIX + secrets.token_urlsafe(32)
    return key, Key(name=name, sha256=digest(key), created_at=time.time(), **limits)


def read_keys(path: Path) -> tuple[Key, ...]:
    """The keys of a file.

    Raises:
        ConfigurationError: the file cannot be read, or is no file of keys.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise ValueError(f"more than {_MAX_BYTES} bytes")
        keys = tuple(_key(entry) for entry in json.loads(content)["keys"])
    except OSError as error:
        raise ConfigurationError(
            f"the keys in {path} cannot be read ({error.strerror}); `turnout keys add NAME` makes the first one"
        ) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigurationError(f"{path} is no file of keys: {type(error).__name__}: {error}") from error
    if len({key.name for key in keys}) != len(keys):
        raise ConfigurationError(f"{path} has two keys of one name")
    return keys


def _key(entry: Any) -> Key:
    key = Key(**entry)
    check_name(key.name)
    if not (isinstance(key.sha256, str) and _DIGEST.fullmatch(key.sha256)):
        raise ValueError(f"{key.name} needs the SHA-256 of its key in 64 digits")
    if (
        isinstance(key.created_at, bool)
        or not isinstance(key.created_at, int | float)
        or not 0 <= key.created_at < 1e11
    ):
        raise ValueError(f"{key.name} needs the time at which it was made")
    for limit in (key.max_concurrent, key.requests_per_minute):
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or not 0 < limit <= MOST):
            raise ValueError(f"the limits of {key.name} are no whole numbers from 1 to {MOST}")
    return key


def check_name(name: object) -> None:
    """A name is told in logs and before the names of users, so it has neither spaces nor slashes.

    Raises:
        ValueError: it cannot be one.
    """
    if not (isinstance(name, str) and _NAME.fullmatch(name)):
        raise ValueError("the name of a key has 1 to 64 letters, digits or any of . _ @ + -")


def write_keys(path: Path, keys: tuple[Key, ...]) -> None:
    """Replace the file; only its owner may read it."""
    content = json.dumps({"keys": [asdict(key) for key in keys]}, indent=1).encode()
    write_aside(path, content, mode=0o600)


def change_keys(path: Path, change: Callable[[tuple[Key, ...]], tuple[Key, ...]]) -> None:
    """Replace the keys of a file, which need not be there yet. Only its owner may read it; of two who change it at the
    same time neither loses what the other did.

    Raises:
        ConfigurationError: the file cannot be used or written.
    """
    try:
        with alone(path):
            keys = change(read_keys(path) if path.exists() else ())
            write_keys(path, keys)
    except OSError as error:
        raise ConfigurationError(f"the keys in {path} cannot be written ({error.strerror or error})") from error


class Keyring:
    """The keys of a file that may change while the gateway runs, and how much each has been used.

    Args:
        path: the file.
        limits: for keys without limits of their own.
        now: the monotonic clock.
    """

    def __init__(self, path: Path, limits: GatewayLimits, now: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._limits = limits
        self._now = now
        self._by_digest = {key.sha256: key for key in read_keys(path)}
        self._seen = self._stamp()
        self._checked_s = now()
        self._uses: dict[str, _Use] = {}

    @contextmanager
    def admitted(self, key: str | None, *, counts: bool = True) -> Iterator[str]:
        """Let one request in; the value is whose key it is. One that does not count looks at the gateway itself.

        Raises:
            RefusedError: no key, an unknown one, or too many requests with it.
        """
        found = self._find(key)
        if not counts:
            yield found.name
            return
        use = self._uses.setdefault(found.name, _Use())
        use.take(found, self._limits, self._now())
        try:
            yield found.name
        finally:
            use.running -= 1

    def _find(self, key: str | None) -> Key:
        if self._now() - self._checked_s >= _CHECK_EVERY_S:
            self._look_again()
        if not key:
            raise RefusedError(
                401, "no_key", "a key is needed: Authorization: Bearer KEY", headers={"WWW-Authenticate": "Bearer"}
            )
        # Looking a digest up tells nothing about the key by its timing: the digest is not the caller's to choose.
        found = self._by_digest.get(digest(key))
        if found is None:
            raise RefusedError(401, "invalid_api_key", "this key is unknown", headers={"WWW-Authenticate": "Bearer"})
        return found

    def _look_again(self) -> None:
        """Follow the file. One that cannot be used is left alone until it changes: keys that worked go on working."""
        self._checked_s = self._now()
        stamp = self._stamp()
        if stamp != self._seen:
            self._seen = stamp
            try:
                self._by_digest = {key.sha256: key for key in read_keys(self._path)}
            except ConfigurationError:
                logger.exception("the keys cannot be read again; those from before count")

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino


class _Use:
    """How much one key is used: a bucket of tokens, refilled evenly, and what runs."""

    def __init__(self) -> None:
        self.running = 0
        self._left: float | None = None
        self._at_s = 0.0

    def take(self, key: Key, limits: GatewayLimits, now_s: float) -> None:
        """Count one request.

        Raises:
            RefusedError: it is one too many.
        """
        most = key.max_concurrent or limits.max_concurrent_per_key
        if most is not None and self.running >= most:
            raise RefusedError(
                429, "too_many_at_once", f"{most} requests of this key are under way already", retry_after_s=1.0
            )
        per_minute = key.requests_per_minute or limits.requests_per_minute_per_key
        if per_minute is not None:
            left = per_minute if self._left is None else self._left + (now_s - self._at_s) * per_minute / 60
            self._left, self._at_s = min(float(per_minute), left), now_s
            if self._left < 1:
                wait_s = (1 - self._left) * 60 / per_minute
                raise RefusedError(
                    429, "rate_limited", f"this key may ask {per_minute} times a minute", retry_after_s=wait_s
                )
            self._left -= 1
        self.running += 1
