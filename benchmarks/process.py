"""What a process holds, as far as the system tells: memory, open descriptors."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType

_psutil: ModuleType | None
try:
    import psutil as _psutil
except ImportError:
    _psutil = None


def resident_bytes() -> int | None:
    """Memory of this process that is resident now; None where neither psutil nor a /proc tells."""
    if _psutil is not None:
        return int(_psutil.Process().memory_info().rss)
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return None


def descriptors() -> int | None:
    """Files, sockets and the like that this process has open; None on a system without /dev/fd."""
    try:
        return len(list(Path("/dev/fd").iterdir())) - 1  # one is the listing itself
    except OSError:
        return None
