"""Any JSON document with any one of its values replaced or gone: what a server might answer instead of what it should."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, Final

MISSING: Final = object()
"""In place of a value: there is none."""


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where every value of a document is."""
    entries: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        yield (*path, key)
        yield from paths(inner, (*path, key))


def with_value(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy with another value in one place, or without that place."""
    made, (key, *rest) = copy.copy(document), path
    if rest:
        made[key] = with_value(made[key], tuple(rest), value)
    elif value is MISSING:
        del made[key]
    else:
        made[key] = value
    return made
