"""Reading fields of a body that somebody else wrote: what they should be, or nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def text(value: object) -> str:
    """A text; empty where the field holds anything else."""
    return value if isinstance(value, str) else ""


def count(value: object) -> int | None:
    """A number of things, 0 or more; None where the field holds anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def number(value: object) -> float | None:
    """A finite number; None where the field holds anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def amount(value: object, scale: float = 1.0) -> float | None:
    """A finite number of 0 or more, times a scale; None where the field holds anything else."""
    found = number(value)
    return found * scale if found is not None and found >= 0 else None


def read_vector(value: object) -> tuple[float, ...]:
    """A list of finite numbers.

    Raises:
        ValueError: anything else, or an empty list.
    """
    found = [number(entry) for entry in value] if isinstance(value, list) else []
    if not found or None in found:
        raise ValueError("not a list of finite numbers")
    return tuple(entry for entry in found if entry is not None)


def objects(value: object) -> list[Mapping[str, Any]]:
    """The objects of a list; a null, or anything else in its place, stands for an empty list."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def listed(document: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """The objects of the list under a key."""
    return objects(document.get(key))
