"""How much room the history may take before it lets go of anything."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalLimits:
    """How large files and buffers may grow.

    A segment is sealed at `segment_bytes`, or when its oldest line is `segment_s` old, so that nothing which is in the
    database already stays in the journal for long. `bytes` bounds all files of the folder together; no segment begins
    that could exceed it.
    """

    bytes: int = 1 << 30
    segment_bytes: int = 16 << 20
    segment_s: float = 60.0
    buffered_records: int = 10_000
    buffered_bytes: int = 64 << 20
