"""What a machine may give: memory, VRAM and CPU limits; and what happens when an attempt fails."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from turnout.config.providers import BreakerSettings, RetrySettings
from turnout.config.values import Count, Flag, NotNegative, Percent, Positive, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryLimits(Section):
    """Main memory: at most `max_percent` of it is used by all programs together, and `reserve_mb` MiB stay free."""

    max_percent: Percent = 85.0
    reserve_mb: NotNegative = 1024.0


@dataclass(frozen=True, slots=True, kw_only=True)
class VramLimits(Section):
    """Memory of the graphics card, where one is found. `enabled` false never looks for one."""

    enabled: Flag = True
    max_percent: Percent = 95.0
    reserve_mb: NotNegative = 512.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuLimits(Section):
    """Above `max_percent` of all cores a candidate that runs on the CPU counts as slower."""

    max_percent: Percent = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources(Section):
    """What is looked at every `interval_s`, and what becomes of a candidate that would not fit.

    `does_not_fit`: exclude takes it away, charge adds the time of its load and of the eviction it causes.
    """

    interval_s: Positive = 2.0
    does_not_fit: Literal["exclude", "charge"] = "charge"
    memory: MemoryLimits = MemoryLimits()
    vram: VramLimits = VramLimits()
    cpu: CpuLimits = CpuLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback(Section):
    """Another attempt on another candidate because the attempt failed.

    A request makes at most `max_attempts` attempts, retries of one candidate not counted, within `deadline_s` where
    its caller sets none. `retry` and `breaker` are for providers that do not set their own.
    """

    enabled: Flag = True
    max_attempts: Count = 4
    deadline_s: Positive = 600.0
    retry: RetrySettings = field(default_factory=RetrySettings)
    breaker: BreakerSettings = field(default_factory=BreakerSettings)
