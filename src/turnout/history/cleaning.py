"""What every database can hold: texts without NUL or lone surrogates, finite numbers, keys of bounded length.

PostgreSQL refuses NUL in texts, NaN in JSON and long keys in an index; SQLite refuses lone surrogates and takes NaN for
NULL. Records are brought to what both can hold before they are stored, so that one strange record cannot block those
behind it.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from typing import Any, Final

MAX_KEY_CHARS: Final = 256
"""A row of a PostgreSQL index holds at most 2,704 bytes, and a character takes up to four."""

_KEPT_CHARS: Final = 100
_DOUBTFUL: Final = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_INTEGERS: Final = range(-(2**63), 2**63)
_strict: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def clean_text(value: object) -> str | None:
    """A text that any database takes: U+FFFD stands for NUL and for halves of surrogate pairs."""
    if value is None:
        return None
    text = value if isinstance(value, str) else str(value)
    if text.isascii():
        return text.replace("\0", "\N{REPLACEMENT CHARACTER}") if "\0" in text else text
    try:
        text.encode()
    except UnicodeEncodeError:
        text = "".join("\N{REPLACEMENT CHARACTER}" if "\ud800" <= char <= "\udfff" else char for char in text)
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def clean_key(value: object) -> str | None:
    """A text to look rows up by; a longer one keeps its head and a digest of all, an empty one is None."""
    text = clean_text(value)
    if not text:
        return None
    if len(text) <= MAX_KEY_CHARS:
        return text
    return f"{text[:_KEPT_CHARS]}#{hashlib.sha256(text.encode()).hexdigest()}"


def clean_real(value: object) -> float | None:
    """A finite number, else None."""
    if not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def clean_integer(value: object) -> int | None:
    """A whole number of 64 bits, else None."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return int(value) if isinstance(value, int) and value in _INTEGERS else None


def clean_flag(value: object) -> bool | None:
    """True or False, also as 1 or 0; None where it is neither."""
    return bool(value) if value in (0, 1) else None


def clean_json(value: object) -> str | None:
    """JSON text of a value; None stays None."""
    if value is None:
        return None
    try:
        text = _strict(value)
    except ValueError:
        return _strict(_clean(value))
    return text if is_clean(text) else _strict(_clean(value))


def is_clean(ascii_json: str) -> bool:
    """Whether no text in there can need cleaning: it has no escapes of NUL or of surrogates, whole pairs included."""
    return _DOUBTFUL.search(ascii_json) is None


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {clean_text(name): _clean(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_clean(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
