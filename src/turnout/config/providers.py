"""What is configured about providers, as frozen values checked on creation. Bare numbers are seconds unless named."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from turnout.errors import ConfigurationError


def _check_positive(owner: object, *, zero_is_fine: tuple[str, ...] = ()) -> None:
    for entry in fields(owner):  # type: ignore[arg-type]
        value = getattr(owner, entry.name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        if not math.isfinite(value) or value < 0 or (value == 0 and entry.name not in zero_is_fine):
            raise ConfigurationError(f"{entry.name} is {value}; it must be a finite number above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long each phase of a call may take.

    `first_token_s` counts from the moment the language model is loaded, on top of the time that reading the prompt
    should take; a load may take `load_s` more. `chunk_s` is the longest silence between two pieces of a stream. For
    answers that are not streamed only `total_s` and the caller's deadline count, because the first byte is the last.
    """

    connect_s: float = 2.0
    first_token_s: float = 60.0
    load_s: float = 300.0
    chunk_s: float = 60.0
    total_s: float = 600.0
    probe_s: float = 3.0

    def __post_init__(self) -> None:
        _check_positive(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLimits:
    """How many requests run and wait at one provider.

    `max_concurrent` bounds the whole provider, `max_concurrent_per_candidate` each language model of it (Ollama serves
    1 at a time by default, LM Studio 4). `max_waiting` requests wait, none longer than `max_wait_s`. `max_resident`
    is how many language models stay in memory together (None: what the kind of provider does by default); requests
    for a resident one go first until another has waited `starvation_s`.
    """

    max_concurrent: int = 4
    max_concurrent_per_candidate: int = 4
    max_waiting: int = 64
    max_wait_s: float = 120.0
    max_resident: int | None = None
    starvation_s: float = 10.0

    def __post_init__(self) -> None:
        _check_positive(self, zero_is_fine=("max_waiting", "starvation_s"))


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerSettings:
    """When a breaker opens and when it tries again.

    It opens when among the last `window` outcomes, at least `minimum_calls` of them, the share of failures reaches
    `failure_share`; it admits `probes` calls after `open_s`, and doubles the wait up to `max_open_s` each time they
    fail. An answer whose first token takes longer than `slow_first_token_s` beyond load and prefill counts as failed.
    """

    failure_share: float = 0.5
    window: int = 20
    minimum_calls: int = 5
    open_s: float = 10.0
    max_open_s: float = 120.0
    probes: int = 1
    slow_first_token_s: float = 30.0

    def __post_init__(self) -> None:
        _check_positive(self)
        if self.failure_share > 1:
            raise ConfigurationError(f"failure_share is {self.failure_share}; it is a share between 0 and 1")
        if self.minimum_calls > self.window:
            raise ConfigurationError(f"minimum_calls is {self.minimum_calls}, more than the window of {self.window}")
        if self.max_open_s < self.open_s:
            raise ConfigurationError(f"max_open_s is {self.max_open_s}, less than open_s {self.open_s}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySettings:
    """How often one candidate is asked again, only after errors that say `retryable`.

    The n-th wait is drawn evenly between 0 and min(max_wait_s, base_s * 2^n) ("full jitter", Brooker, AWS
    Architecture Blog 2015), and is never shorter than what the provider asked for.
    """

    retries: int = 2
    base_s: float = 0.25
    max_wait_s: float = 5.0

    def __post_init__(self) -> None:
        _check_positive(self, zero_is_fine=("retries", "base_s", "max_wait_s"))


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSettings:
    """How often each provider is looked at, and how old a look may be before the provider counts as unknown."""

    interval_s: float = 5.0
    max_age_s: float = 20.0

    def __post_init__(self) -> None:
        _check_positive(self)
        if self.max_age_s <= self.interval_s:
            raise ConfigurationError(
                f"max_age_s is {self.max_age_s}; it must be more than interval_s {self.interval_s}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateSettings:
    """What is set for one language model of a provider.

    `context_length` is the window it is loaded with (None: the provider's default), `keep_alive_s` how long it stays
    in memory after its last request (None: the provider's default; infinity: always).
    """

    context_length: int | None = None
    keep_alive_s: float | None = None

    def __post_init__(self) -> None:
        if self.context_length is not None and self.context_length < 1:
            raise ConfigurationError(f"context_length is {self.context_length}; it must be at least 1 token")
        if self.keep_alive_s is not None and not self.keep_alive_s >= 0:
            raise ConfigurationError(f"keep_alive_s is {self.keep_alive_s}; it must be 0 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSettings:
    """One provider: its name in candidates, its kind (an entry point of `turnout.providers`), address and limits.

    `key_variable` names the environment variable that holds the key; the key itself is never configured. `options`
    are passed to the kind's own class, which refuses what it does not know.
    """

    name: str
    kind: str
    base_url: str
    key_variable: str | None = None
    transport: Literal["aiohttp", "httpx"] = "aiohttp"
    models: Mapping[str, CandidateSettings] = field(default_factory=dict)
    timeouts: Timeouts = Timeouts()
    queue: QueueLimits = QueueLimits()
    breaker: BreakerSettings = BreakerSettings()
    retry: RetrySettings = RetrySettings()
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.name or "/" in self.name or "," in self.name:
            raise ConfigurationError(
                f"a provider is named {self.name!r}; a name has no slash, no comma, and is not empty"
            )
        if not self.base_url.startswith(("http://", "https://")):
            raise ConfigurationError(f"{self.name}: base_url is {self.base_url!r}; it starts with http:// or https://")
        if self.transport not in ("aiohttp", "httpx"):
            raise ConfigurationError(f"{self.name}: transport is {self.transport!r}; it is aiohttp or httpx")

    def candidate(self, model: str) -> CandidateSettings:
        """The settings of one language model, the defaults where none are given."""
        return self.models.get(model, _DEFAULTS)


_DEFAULTS = CandidateSettings()
