"""What is configured about providers, as frozen values checked on creation. Bare numbers are seconds unless named."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, TypeAlias

from turnout.config.problems import redacted
from turnout.config.values import (
    Count,
    Flag,
    FrozenMapping,
    Natural,
    NotNegative,
    Positive,
    Section,
    SettingError,
    Strict,
    Text,
)
from turnout.errors import ConfigurationError

Capability: TypeAlias = Literal["chat", "embedding", "tools", "vision", "json_schema", "reasoning", "logprobs"]
Transport: TypeAlias = Literal["aiohttp", "httpx"]

_URL: Final = re.compile(
    r"https?://(?:[^/?#@\s\\]*@)?(?P<host>\[[0-9a-fA-F:.]+\]|[^/?#@:\[\]\s\\]+)(?::(?P<port>\d{1,5}))?(?:/[^?#\s\\]*)?"
)
_LAST_PORT: Final = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts(Section):
    """How long each phase of a call may take.

    `first_token_s` counts from the moment the language model is loaded, on top of the time that reading the prompt
    should take; a load may take `load_s` more. `chunk_s` is the longest silence between two pieces of a stream. For
    answers that are not streamed only `total_s` and the caller's deadline count, because the first byte is the last.
    """

    connect_s: Positive = 2.0
    first_token_s: Positive = 60.0
    load_s: Positive = 300.0
    chunk_s: Positive = 60.0
    total_s: Positive = 600.0
    probe_s: Positive = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLimits(Section):
    """How many requests run and wait at one provider.

    `max_concurrent` bounds the whole provider, `max_concurrent_per_candidate` each language model of it (Ollama serves
    1 at a time by default, LM Studio 4). `max_waiting` requests wait, none longer than `max_wait_s`. `max_resident`
    is how many language models stay in memory together (None: what the kind of provider does by default); requests
    for a resident one go first until another has waited `starvation_s`.
    """

    max_concurrent: Count = 4
    max_concurrent_per_candidate: Count = 4
    max_waiting: Natural = 64
    max_wait_s: Positive = 120.0
    max_resident: Count | None = None
    starvation_s: NotNegative = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerSettings(Section):
    """When a breaker opens and when it tries again.

    It opens when among the last `window` outcomes, at least `minimum_calls` of them, the share of failures reaches
    `failure_share`; it admits `probes` calls after `open_s`, and doubles the wait up to `max_open_s` each time they
    fail. An answer whose first token takes longer than `slow_first_token_s` beyond load and prefill counts as failed.
    """

    failure_share: Annotated[float, Strict(above=0, most=1)] = 0.5
    window: Count = 20
    minimum_calls: Count = 5
    open_s: Positive = 10.0
    max_open_s: Positive = 120.0
    probes: Count = 1
    slow_first_token_s: Positive = 30.0

    def check(self) -> None:
        """The window holds the calls it needs, and the longest wait is no shorter than the first."""
        if self.minimum_calls > self.window:
            raise SettingError(
                "minimum_calls", f"minimum_calls is {self.minimum_calls}, more than the window of {self.window}"
            )
        if self.max_open_s < self.open_s:
            raise SettingError("max_open_s", f"max_open_s is {self.max_open_s}, less than open_s {self.open_s}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySettings(Section):
    """How often one candidate is asked again, only after errors that say `retryable`.

    The n-th wait is drawn evenly between 0 and min(max_wait_s, base_s * 2^n) ("full jitter", Brooker, AWS
    Architecture Blog 2015), and is never shorter than what the provider asked for.
    """

    retries: Annotated[int, Strict(least=0, most=20)] = 2
    base_s: NotNegative = 0.25
    max_wait_s: NotNegative = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSettings(Section):
    """How often each provider is looked at, and how old a look may be before the provider counts as unknown."""

    interval_s: Positive = 5.0
    max_age_s: Positive = 20.0

    def check(self) -> None:
        """A look must be able to stay fresh until the next one."""
        if self.max_age_s <= self.interval_s:
            raise SettingError(
                "max_age_s", f"max_age_s is {self.max_age_s}; it must be more than interval_s {self.interval_s}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateSettings(Section):
    """What is set for one language model of a provider. None is "what the provider says, or does by default".

    `context_length` is the window in tokens it is loaded with, `keep_alive_s` how long it stays in memory after its
    last request (infinity: always). Costs are US dollars per million tokens of prompt and of answer. `memory_mb` and
    `vram_mb` are what it takes while loaded, in MiB; `local` false says that its prompts leave the machine.
    """

    context_length: Count | None = None
    keep_alive_s: Annotated[float, Strict(least=0, infinite=True)] | None = None
    prompt_usd_per_million: NotNegative | None = None
    completion_usd_per_million: NotNegative | None = None
    capabilities: tuple[Capability, ...] | None = None
    memory_mb: Positive | None = None
    vram_mb: NotNegative | None = None
    local: Flag | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSettings(Section):
    """One provider as its adapter takes it: name in candidates, kind (an entry point of `turnout.providers`), limits.

    `key_variable` names the environment variable that holds the key; the key itself is never configured. `options`
    are passed to the kind's own class, which refuses what it does not know.
    """

    name: str
    kind: str
    base_url: str
    key_variable: str | None = None
    transport: Transport = "aiohttp"
    models: Mapping[str, CandidateSettings] = field(default_factory=FrozenMapping)
    timeouts: Timeouts = Timeouts()
    queue: QueueLimits = QueueLimits()
    breaker: BreakerSettings = BreakerSettings()
    retry: RetrySettings = RetrySettings()
    options: Mapping[str, Any] = field(default_factory=FrozenMapping)

    def check(self) -> None:
        """A name that can stand in candidates, and an address."""
        if problem := name_problem(self.name):
            raise ConfigurationError(f"a provider is named {self.name!r}; {problem}")
        if not self.base_url.startswith(("http://", "https://")):
            raise ConfigurationError(f"{self.name}: base_url is {self.base_url!r}; it starts with http:// or https://")

    def candidate(self, model: str) -> CandidateSettings:
        """The settings of one language model, the defaults where none are given."""
        return self.models.get(model, _DEFAULTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider(Section):
    """One provider as the configuration file describes it, under its name.

    `models` are in order of preference; none named means all that the provider lists. `local` says whether prompts
    stay on this machine (None: the address is a loopback one). `queue`, `timeouts`, `breaker` and `retry` are those of
    `performance` and `fallback` where they are None.
    """

    kind: Text
    base_url: Text
    enabled: Flag = True
    local: Flag | None = None
    key_variable: Text | None = None
    transport: Transport = "aiohttp"
    models: Mapping[str, CandidateSettings] = field(default_factory=FrozenMapping)
    timeouts: Timeouts | None = None
    queue: QueueLimits | None = None
    breaker: BreakerSettings | None = None
    retry: RetrySettings | None = None
    options: Mapping[str, Any] = field(default_factory=FrozenMapping)

    def check(self) -> None:
        """An address without a password, a variable that can exist, names that can stand in candidates."""
        if not self.kind or self.kind != self.kind.strip():
            raise SettingError("kind", f"kind is {self.kind!r}; it names an adapter, such as ollama")
        if "@" in self.base_url.partition("://")[2].partition("/")[0]:
            raise SettingError("base_url", "base_url holds a user name or a password; name a variable in key_variable")
        found = _URL.fullmatch(self.base_url)
        if found is None or int(found["port"] or 0) > _LAST_PORT:
            raise SettingError(
                "base_url",
                f"base_url is {self.base_url!r}; expected http://HOST:PORT or https://HOST, with a path or not",
            )
        variable = self.key_variable
        if variable is not None and (
            not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable) or redacted(variable) != variable
        ):
            raise SettingError(
                "key_variable",
                "key_variable is not the name of an environment variable; the key itself never stands here",
            )
        for model in self.models:
            if not model or "," in model or model != model.strip():
                raise SettingError(
                    "models", f"a language model is named {model!r}; a name has no comma and is not empty"
                )

    @property
    def is_local(self) -> bool:
        """Whether prompts to this provider stay on this machine."""
        return is_loopback(self.base_url) if self.local is None else self.local


def name_problem(name: str) -> str:
    """Why a text cannot name a provider, or nothing."""
    if not name or name != name.strip() or any(mark in name for mark in "/,|*?["):
        return "a name has no slash, no comma, no wildcard, and is not empty"
    return ""


def is_loopback(url: str) -> bool:
    """Whether an address is one of this machine's own."""
    found = _URL.fullmatch(url)
    host = found["host"].lower().strip("[]") if found else ""
    return host in ("localhost", "::1") or host.endswith(".localhost") or bool(re.fullmatch(r"127(\.\d{1,3}){3}", host))


_DEFAULTS = CandidateSettings()
