"""Fingerprints of prompts under a key that never leaves the state folder.

A plain hash of a short prompt can be guessed by trying; a keyed one only by who holds the key. The same prompt has the
same fingerprint for as long as the key stays, which is what training needs to keep it on one side of a split.
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

logger = logging.getLogger(__name__)

KEY_FILE: Final = "history.key"
_KEY_BYTES: Final = 32
_DIGEST_BYTES: Final = 16


class Fingerprints:
    """Makes fingerprints under one key."""

    def __init__(self, key: bytes) -> None:
        self._keyed = hashlib.blake2b(digest_size=_DIGEST_BYTES, key=key)

    def of(self, prompt: str) -> str:
        """32 hexadecimal digits: keyed BLAKE2b (RFC 7693) of the prompt in UTF-8."""
        digest = self._keyed.copy()
        digest.update(prompt.encode("utf-8", "surrogatepass"))
        return digest.hexdigest()


def load_key(folder: Path) -> bytes:
    """The key in a folder, made there if there is none; of several processes that make one, the first wins.

    Where it cannot be kept (the disk is full) a key of this process alone is used, which is logged.
    """
    path = folder / KEY_FILE
    try:
        return _read(path) or _make(path)
    except OSError as error:
        logger.warning("the key of prompt fingerprints cannot be kept in %s (%s): a passing one is used", path, error)
        return secrets.token_bytes(_KEY_BYTES)


def _read(path: Path) -> bytes | None:
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        return None
    if len(key) == _KEY_BYTES:
        return key
    logger.warning("%s is no key of %d bytes: a new one takes its place", path, _KEY_BYTES)
    path.unlink(missing_ok=True)
    return None


def _make(path: Path) -> bytes:
    """Write aside, then link: a name that exists is never replaced, and nobody reads half a key."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        handle = os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(aside, path)
    finally:
        aside.unlink(missing_ok=True)
    key = _read(path)
    if key is None:
        raise OSError(f"{path} vanished while it was made")
    return key
