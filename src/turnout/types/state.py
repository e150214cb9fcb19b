"""What is known of providers and candidates at one moment: plain values that the policy reads without any I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

BreakerState: TypeAlias = Literal["closed", "open", "half_open"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageModel:
    """One language model as its provider describes it. None is "the provider does not say".

    `context_length` is the window it can have, `loaded_context_length` the one it has now; `capabilities` are words
    among chat, embedding, tools, vision, json_schema, reasoning, logprobs; `memory_bytes` is what it takes while
    loaded, of it `vram_bytes` on the GPU; `remote` says that prompts leave the machine.
    """

    name: str
    capabilities: frozenset[str] = frozenset({"chat"})
    context_length: int | None = None
    loaded: bool | None = None
    loading: bool = False
    loaded_context_length: int | None = None
    size_bytes: int | None = None
    memory_bytes: int | None = None
    vram_bytes: int | None = None
    parameters: str | None = None
    quantization: str | None = None
    family: str | None = None
    instances: tuple[str, ...] = ()
    remote: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderState:
    """One look at a provider. `problem` says why it is not available; `observed_s` is on the monotonic clock."""

    provider: str
    available: bool
    observed_s: float
    version: str | None = None
    models: tuple[LanguageModel, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speeds:
    """Running estimates of one candidate, measured here; None before the first measurement.

    `first_token_s` is for short prompts and a loaded language model, `first_token_p95_s` the time that 95 % of them
    stay under; `service_s` is what an answer takes from its slot to its end, `answer_tokens` its length. The counts say how
    often the rates and the load were measured.
    """

    first_token_s: float | None = None
    first_token_p95_s: float | None = None
    prefill_tokens_per_s: float | None = None
    decode_tokens_per_s: float | None = None
    load_s: float | None = None
    service_s: float | None = None
    answer_tokens: float | None = None
    measurements: int = 0
    prefill_count: int = 0
    decode_count: int = 0
    load_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateState:
    """One candidate at one moment. `problem` is empty when it can be asked now; else it says why not.

    `work_s` is how long one slot would need for what runs and waits, None where nobody can tell.
    """

    candidate: str
    model: LanguageModel | None
    breaker: BreakerState = "closed"
    running: int = 0
    waiting: int = 0
    work_s: float | None = None
    speeds: Speeds = Speeds()
    problem: str = ""

    @property
    def is_cold(self) -> bool:
        """Whether its language model has to be brought into memory here before it can answer."""
        return self.model is not None and self.model.loaded is False and not self.model.remote


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What the machine has free, sampled in the background; None where it cannot be told (no NVIDIA card).

    `cpu_share` is the busy share of all cores, 0 to 1; `sampled_s` is on the monotonic clock. `card` is what the driver calls
    the first card, `ram_bytes_per_s` what copying in main memory reached, where it was ever measured here.
    """

    sampled_s: float
    ram_total_bytes: int
    ram_free_bytes: int
    cpu_share: float
    vram_total_bytes: int | None = None
    vram_free_bytes: int | None = None
    card: str | None = None
    ram_bytes_per_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything the policy may know of the outside, at one moment of the monotonic clock."""

    taken_s: float
    providers: Mapping[str, ProviderState] = field(default_factory=dict)
    candidates: Mapping[str, CandidateState] = field(default_factory=dict)
    resources: Resources | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderEvent:
    """A change worth telling: of a breaker (`model` is empty for the provider's own) or of availability."""

    kind: Literal["breaker", "availability"]
    provider: str
    model: str = ""
    before: str
    after: str
    reason: str = ""
