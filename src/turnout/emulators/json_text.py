"""What JSON can escape and no text can hold."""

from __future__ import annotations

import json
from typing import Any


def has_lone_surrogate(value: Any) -> bool:
    """Whether half of a surrogate pair is in it; Python reads that escape, strict parsers refuse it."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False
