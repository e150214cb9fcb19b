"""Chance that repeats itself: each draw is a hash of what it is for, so no order of calls and no process changes it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def draw(*purpose: object) -> float:
    """A number in [0, 1) that depends on `purpose` only."""
    digest = hashlib.blake2b(repr(purpose).encode(), digest_size=7).digest()
    return int.from_bytes(digest, "big") / 2**56


def pick(choices: Sequence[T], *purpose: object) -> T:
    """One of `choices`, each equally likely."""
    return choices[int(draw(*purpose) * len(choices))]
