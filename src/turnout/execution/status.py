"""One status of everything: configuration, predictor, providers, candidates, machine, figures, history, caches.

A frozen value whose JSON has stable keys; whoever shows it (a terminal, the gateway, a page) needs nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from turnout.config.live import LiveStatus
from turnout.execution.drift_note import Drift
from turnout.execution.figures import MetricsSnapshot
from turnout.execution.following import Challenging
from turnout.execution.recorder import version as predictor_version
from turnout.predictor import Predictor
from turnout.types import BreakerState, CandidateState, LanguageModel, ProviderState, Resources, Snapshot, Speeds


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationStatus:
    """Which configuration serves. `path` is empty where it was not read from a file; `problem` is what is wrong with
    the newest content of the file, a line each, and empty while that is what serves. `loaded_at` is Unix time."""

    fingerprint: str
    path: str = ""
    profile: str = "none"
    loaded_at: float | None = None
    reloads: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictorStatus:
    """The predictor that serves: its version as the history has it, when it was trained (ISO 8601), whom it knows, since
    when it serves here (Unix time), and why the newest content of its folder does not; empty where that does."""

    version: str
    trained_at: str
    candidates: tuple[str, ...]
    since: float | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengerStatus:
    """The predictor that wants to serve; see `PredictorStatus`.

    In the `mode` shadow it is compared with the champion: in the last hour they chose the same in `agreement_share` of
    `compared` requests. In the canary it decided `canary_requests` since the start.
    """

    version: str
    trained_at: str
    candidates: tuple[str, ...]
    since: float
    problem: str
    mode: str
    compared: int
    agreement_share: float | None
    canary_requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderStatus:
    """One provider at its last look, so many seconds ago; None where it was never looked at."""

    available: bool
    version: str | None
    problem: str
    looked_ago_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateStatus:
    """One candidate. None is "nobody knows"; `is_cold` says that it has to be brought into memory before it can answer.

    Sizes are bytes: of its file, and of what it takes while loaded. `problem` is empty when it can be asked now.
    """

    provider: str
    loaded: bool | None
    loading: bool
    is_cold: bool
    breaker: BreakerState
    running: int
    waiting: int
    problem: str
    speeds: Speeds
    parameters: str | None
    quantization: str | None
    family: str | None
    size_bytes: int | None
    memory_bytes: int | None
    context_length: int | None
    loaded_context_length: int | None
    capabilities: tuple[str, ...]
    remote: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Everything at one moment, `taken_at` (Unix time).

    `threshold` is the confidence under which an answer is escalated now. `history` and `caches` are what those say of
    themselves, plain values. `predictor` is None before anything was learned, `challenger` where there is none or it may
    do nothing, `drift` before anybody looked for it, `resources` where nobody samples the machine, `metrics` where
    nothing is counted.
    """

    version: str
    taken_at: float
    uptime_s: float
    configuration: ConfigurationStatus
    predictor: PredictorStatus | None = None
    challenger: ChallengerStatus | None = None
    drift: Drift | None = None
    providers: Mapping[str, ProviderStatus] = field(default_factory=dict)
    candidates: Mapping[str, CandidateStatus] = field(default_factory=dict)
    resources: Resources | None = None
    threshold: float | None = None
    metrics: MetricsSnapshot | None = None
    history: Mapping[str, Any] = field(default_factory=dict)
    caches: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values; keys are the names of the fields, the same whatever is known."""
        plain = asdict(self)
        if plain["resources"] is not None:
            del plain["resources"]["sampled_s"]  # a monotonic clock means nothing to another process
        for name in ("predictor", "challenger"):
            if plain[name] is not None:
                plain[name]["candidates"] = list(plain[name]["candidates"])
        if plain["drift"] is not None:
            plain["drift"]["alarms"] = list(plain["drift"]["alarms"])
        for entry in plain["candidates"].values():
            entry["capabilities"] = list(entry["capabilities"])
        return plain


def status(
    snapshot: Snapshot,
    *,
    fingerprint: str,
    uptime_s: float,
    live: LiveStatus | None = None,
    path: str = "",
    profile: str = "none",
    predictor: Predictor | None = None,
    since: float | None = None,
    problem: str = "",
    challenger: Challenging | None = None,
    drift: Drift | None = None,
    threshold: float | None = None,
    metrics: MetricsSnapshot | None = None,
    history: Mapping[str, Any] | None = None,
    caches: Mapping[str, Any] | None = None,
) -> Status:
    """Put together what is known; asks nobody.

    Args:
        snapshot: providers, candidates and resources now.
        fingerprint: of the configuration that serves.
        uptime_s: seconds since the client was opened.
        live: what became of the configuration file; None where it is not followed.
        path: the file, where it is not followed.
        profile: the settings for a kind of machine that were chosen.
        predictor: the one that serves.
        since: when it began to (Unix time).
        problem: why the newest content of its folder does not.
        challenger: the one that wants to.
        drift: what was found of it.
        threshold: the confidence under which an answer is escalated now.
        metrics: the figures now.
        history: what the history says of itself, plain values.
        caches: what each cache says of itself, plain values.
    """
    configuration = ConfigurationStatus(fingerprint=fingerprint, path=path, profile=profile)
    if live is not None:
        configuration = ConfigurationStatus(
            fingerprint=live.fingerprint,
            path=live.path,
            profile=profile,
            loaded_at=live.loaded_at,
            reloads=live.reloads,
            problem=live.problem,
        )
    return Status(
        version=_version(),
        taken_at=time.time(),
        uptime_s=uptime_s,
        configuration=configuration,
        predictor=None if predictor is None else _predictor(predictor, since, problem),
        challenger=None if challenger is None else _challenger(challenger, metrics),
        drift=drift,
        providers={name: _provider(state, snapshot.taken_s) for name, state in snapshot.providers.items()},
        candidates={name: _candidate(state) for name, state in snapshot.candidates.items()},
        resources=snapshot.resources,
        threshold=threshold,
        metrics=metrics,
        history=dict(history or {}),
        caches=dict(caches or {}),
    )


def _predictor(predictor: Predictor, since: float | None, problem: str) -> PredictorStatus:
    return PredictorStatus(
        version=predictor_version(predictor),
        trained_at=str(predictor.info.get("created", "")),
        candidates=tuple(predictor.candidates),
        since=since,
        problem=problem,
    )


def _challenger(challenger: Challenging, metrics: MetricsSnapshot | None) -> ChallengerStatus:
    predictor = challenger.predictor
    return ChallengerStatus(
        version=predictor_version(predictor),
        trained_at=str(predictor.info.get("created", "")),
        candidates=tuple(predictor.candidates),
        since=challenger.since,
        problem=challenger.problem,
        mode=challenger.mode,
        compared=0 if metrics is None else metrics.hour.compared,
        agreement_share=None if metrics is None else metrics.hour.agreed_share,
        canary_requests=0 if metrics is None else metrics.total.canary,
    )


def _provider(state: ProviderState, now_s: float) -> ProviderStatus:
    ago_s = max(0.0, now_s - state.observed_s)
    return ProviderStatus(
        available=state.available,
        version=state.version,
        problem=state.problem,
        looked_ago_s=None if ago_s == float("inf") else ago_s,
    )


def _candidate(state: CandidateState) -> CandidateStatus:
    known = state.model or _UNKNOWN
    return CandidateStatus(
        provider=state.candidate.partition("/")[0],
        loaded=known.loaded,
        loading=known.loading,
        is_cold=state.is_cold,
        breaker=state.breaker,
        running=state.running,
        waiting=state.waiting,
        problem=state.problem,
        speeds=state.speeds,
        parameters=known.parameters,
        quantization=known.quantization,
        family=known.family,
        size_bytes=known.size_bytes,
        memory_bytes=known.memory_bytes,
        context_length=known.context_length,
        loaded_context_length=known.loaded_context_length,
        capabilities=tuple(sorted(known.capabilities)),
        remote=known.remote,
    )


@cache
def _version() -> str:
    try:
        return version("turnout")
    except PackageNotFoundError:  # run from a source tree that was never installed
        return "unknown"


_UNKNOWN: Final = LanguageModel(name="", capabilities=frozenset())
