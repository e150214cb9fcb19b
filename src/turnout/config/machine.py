"""What this machine has, and which profile suits it."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

_MIB: Final = 1024 * 1024
_CGROUP_LIMIT: Final = Path("/sys/fs/cgroup/memory.max")

ProfileName: TypeAlias = Literal["high-end", "resource-constrained", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Memory in MiB, cores that may be used, and whether there is a GPU for language models."""

    memory_mb: int
    cores: int
    gpu: bool

    def __str__(self) -> str:
        return f"{self.memory_mb / 1024:.0f} GiB of memory, {self.cores} cores, {'a' if self.gpu else 'no'} GPU"

    @property
    def profile(self) -> ProfileName:
        """The profile that suits: high-end from 32 GiB and 8 cores with a GPU on, resource-constrained under 16 GiB
        or 4 cores, none between. Some of the memory is never reported, so the limits lie a little lower."""
        if self.gpu and self.memory_mb >= 30_000 and self.cores >= 8:
            return "high-end"
        return "resource-constrained" if self.memory_mb < 15_000 or self.cores < 4 else "none"


def look() -> Machine:
    """This machine, or the container's share of it."""
    return Machine(memory_mb=_memory_mb(), cores=_cores(), gpu=_gpu())


def _memory_mb() -> int:
    import psutil

    total = int(psutil.virtual_memory().total)
    try:
        limit = _CGROUP_LIMIT.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        limit = "max"
    return min(total, int(limit) if limit.isdigit() else total) // _MIB


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _gpu() -> bool:
    """An NVIDIA or AMD card with its tools, or Apple's own chip, whose GPU shares the memory."""
    if platform.system() == "Darwin":
        return platform.machine() == "arm64"
    return shutil.which("nvidia-smi") is not None or Path("/dev/kfd").exists()
