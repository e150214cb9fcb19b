"""Whether a language model that is not loaded would fit, and which idle ones would have to make room for it.

All providers on one machine share its memory, so an idle language model of one counts as room for another's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from turnout.config.resources import Resources as Limits
from turnout.policy.candidates import Candidate
from turnout.types import CandidateState, Resources

_MIB: Final = 2**20
# A language model takes its file's size in memory and something for the context: Ollama's own estimate of weights,
# KV cache and compute comes to a tenth or a fifth more for windows of 4k to 8k.
CONTEXT_SHARE: Final = 0.15


@dataclass(frozen=True, slots=True)
class Room:
    """What bringing one candidate into memory means. `evicted` are those that would have to go, largest first."""

    verdict: Literal["fits", "evicts", "never"]
    needed_bytes: int = 0
    free_bytes: int = 0
    evicted: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """In words."""
        needed, free = self.needed_bytes / 2**30, max(self.free_bytes, 0) / 2**30
        if self.verdict == "evicts":
            return (
                f"needs {needed:.1f} GiB of memory, {free:.1f} GiB are free; {', '.join(self.evicted)} would have to go"
            )
        return f"needs {needed:.1f} GiB of memory, {free:.1f} GiB can be had"


_FITS: Final = Room("fits")


def memory_bytes(candidate: Candidate, state: CandidateState | None) -> int | None:
    """What a candidate takes while loaded; None where neither configuration nor provider gives a size."""
    if candidate.memory_bytes is not None:
        return candidate.memory_bytes
    model = state.model if state is not None else None
    if model is None:
        return None
    if model.memory_bytes is not None:
        return model.memory_bytes
    return None if model.size_bytes is None else int(model.size_bytes * (1 + CONTEXT_SHARE))


def allowed_bytes(resources: Resources, limits: Limits) -> int:
    """Memory that may still be taken now: what is free of RAM and video memory, less reserves and shares to keep."""
    ram = _allowed(
        resources.ram_free_bytes, resources.ram_total_bytes, limits.memory.max_percent, limits.memory.reserve_mb
    )
    if resources.vram_free_bytes is None or resources.vram_total_bytes is None or not limits.vram.enabled:
        return ram
    return ram + _allowed(
        resources.vram_free_bytes, resources.vram_total_bytes, limits.vram.max_percent, limits.vram.reserve_mb
    )


def _allowed(free: int, total: int, max_percent: float, reserve_mb: float) -> int:
    kept = max(total * (1 - max_percent / 100), reserve_mb * _MIB)
    return max(0, int(free - kept))


def room_for(
    candidate: Candidate,
    state: CandidateState | None,
    others: Iterable[tuple[Candidate, CandidateState | None]],
    free_bytes: int,
) -> Room:
    """Whether it would fit into `free_bytes`, or into them and what idle language models here would give back."""
    needed = memory_bytes(candidate, state)
    if needed is None or needed <= free_bytes:
        return _FITS
    idle = sorted(
        (
            (memory_bytes(other, seen) or 0, other.name)
            for other, seen in others
            if other.here and other.name != candidate.name and _is_idle(seen)
        ),
        reverse=True,
    )
    had, evicted = free_bytes, []
    for size, name in idle:
        if had >= needed:
            break
        had += size
        evicted.append(name)
    if had >= needed:
        return Room("evicts", needed, free_bytes, tuple(evicted))
    return Room("never", needed, had)


def _is_idle(state: CandidateState | None) -> bool:
    return state is not None and state.model is not None and bool(state.model.loaded) and not state.running
