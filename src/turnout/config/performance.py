"""What keeps answers quick: metrics, health checks, caches, racing, and the limits that providers share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from turnout.config.providers import HealthSettings, QueueLimits, Timeouts
from turnout.config.values import Count, Flag, Positive, Section, Share, Strict, Text


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactCache(Section):
    """Answers kept for requests that are equal in everything that matters.

    `max_mb` bounds the answers in MiB. `deterministic_only` leaves out requests whose answers would differ anyway
    (a temperature above 0 and no seed). `scope` says who may share: one conversation, one user, or everybody.
    """

    enabled: Flag = True
    ttl_s: Positive = 3600.0
    max_entries: Count = 10_000
    max_mb: Positive = 256.0
    deterministic_only: Flag = True
    scope: Literal["conversation", "user", "shared"] = "user"


@dataclass(frozen=True, slots=True, kw_only=True)
class SemanticCache(Section):
    """Answers kept for prompts that mean the same. Off unless asked for: it can be wrong.

    `threshold` is the cosine similarity that two prompts need besides saying the same in all that can be compared word
    by word (`make bench-semantic`); `embedding` is the candidate that embeds, or builtin.
    """

    enabled: Flag = False
    threshold: Share = 0.85
    embedding: Text = "builtin"
    ttl_s: Positive = 3600.0
    max_entries: Count = 10_000
    scope: Literal["conversation", "user", "shared"] = "user"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache(Section):
    """Both caches. `url_variable` names the environment variable with the address of a Redis; None keeps them here."""

    exact: ExactCache = ExactCache()
    semantic: SemanticCache = SemanticCache()
    url_variable: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Racing(Section):
    """A second candidate starts when the first is later than this quantile of its usual first-token time."""

    enabled: Flag = False
    quantile: Annotated[float, Strict(least=0.5, most=0.999)] = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance(Section):
    """Speed and what is measured. `queue` and `timeouts` are for providers that do not set their own."""

    metrics: Flag = True
    health: HealthSettings = field(default_factory=HealthSettings)
    cache: Cache = Cache()
    racing: Racing = Racing()
    queue: QueueLimits = field(default_factory=QueueLimits)
    timeouts: Timeouts = field(default_factory=Timeouts)
