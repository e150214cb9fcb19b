"""How fast this machine copies in main memory, kept beside what else was measured here."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from turnout.files import write_aside

_FILE: Final = "machine.json"
"""In the state folder."""

_BYTES: Final = 128 << 20
"""Copied in one round, all threads together: more than caches hold, little enough for a small machine."""

_ROUNDS: Final = 4
_MOST_THREADS: Final = 8
"""What two channels can give is taken by fewer: llama.cpp's own curves are flat from five on."""

_SLOWEST: Final = 1e8
_FASTEST: Final = 1e13
"""Bytes a second. Beyond them a file was not written by this program."""


def measured_bandwidth(state: Path) -> float:
    """Bytes a second, read and written: measured (in under a second), and the best of all times kept in the folder.

    A machine at work gives less than it can, never more.
    """
    found = max(measure(), kept_bandwidth(state) or 0.0)
    with suppress(OSError):  # what cannot be kept is measured again the next time
        write_aside(state / _FILE, json.dumps({"ram_bytes_per_s": round(found)}).encode())
    return found


def kept_bandwidth(state: Path) -> float | None:
    """What earlier measurements left in the folder; None without one that can be used."""
    try:
        known = float(json.loads((state / _FILE).read_bytes())["ram_bytes_per_s"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return None
    return known if _SLOWEST <= known <= _FASTEST else None


def measure(size_bytes: int = _BYTES) -> float:
    """Copy as STREAM does (McCalpin 1995): each byte is read once and written once.

    Each thread counts the seconds that it ran, not those that it waited for other programs to leave the processor.
    """
    threads = min(_MOST_THREADS, os.cpu_count() or 1)
    count = max(1, size_bytes // threads)
    sources, targets = ([np.ones(count, np.uint8) for _ in range(threads)] for _ in range(2))
    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(_copied_per_s, targets, sources))


def _copied_per_s(target: NDArray[np.uint8], source: NDArray[np.uint8]) -> float:
    np.copyto(target, source)
    wall_s, own_s = time.perf_counter(), time.thread_time()
    for _ in range(_ROUNDS):
        np.copyto(target, source)
    # Some clocks of threads tick every 16 ms; then the wall's has to do.
    took_s = time.thread_time() - own_s or time.perf_counter() - wall_s
    return 2 * len(source) * _ROUNDS / max(took_s, 1e-9)
