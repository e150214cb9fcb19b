"""Which prompts a base predictor was trained on, without their text."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def digests(prompts: Sequence[str]) -> NDArray[np.uint64]:
    """Sorted 64-bit digests of the prompts, white space at their ends left out; no text can be read back from them."""
    found = {
        int.from_bytes(hashlib.blake2b(text.strip().encode("utf-8", "replace"), digest_size=8).digest(), "little")
        for text in prompts
    }
    return np.array(sorted(found), np.uint64)


def share_seen(prompts: Sequence[str], seen: NDArray[np.uint64]) -> float:
    """The share of the distinct prompts that are among `seen`."""
    asked = digests(prompts)
    return float(np.isin(asked, seen).mean()) if len(asked) else 0.0
