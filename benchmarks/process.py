"""What a process holds, as far as the system tells, memory and open descriptors; and when its event loop stood still."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

_give_back = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
_psutil: ModuleType | None
try:
    import psutil as _psutil
except ImportError:
    _psutil = None


def resident_bytes() -> int | None:
    """Memory of this process that is resident now; None where neither psutil nor a /proc tells.

    Garbage is collected and what the allocator keeps for later given back first, where that can be asked (glibc): it
    holds on to tens of megabytes after one large answer, which would hide a leak or look like one.
    """
    gc.collect()
    if _give_back is not None:
        _give_back(0)
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


@dataclass
class Stall:
    """The longest time for which the event loop stood still, and how much of it this process was working."""

    seconds: float = 0.0
    processor_s: float = 0.0


@asynccontextmanager
async def watched(every_s: float = 0.01) -> AsyncIterator[Stall]:
    """Watch the event loop inside the block. A stall without processor time is the machine's doing, not this code's."""
    longest = Stall()

    async def watch() -> None:
        while True:
            started_s, worked_s = time.perf_counter(), time.process_time()
            await asyncio.sleep(every_s)
            late_s = time.perf_counter() - started_s - every_s
            if late_s > longest.seconds:
                longest.seconds, longest.processor_s = late_s, time.process_time() - worked_s

    task = asyncio.create_task(watch())
    try:
        yield longest
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
