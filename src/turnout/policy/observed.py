"""What conditions of rules can ask about providers, candidates and the machine, read off a snapshot."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from turnout.config.expression_variables import MAX_ENTRIES, MAX_TEXT
from turnout.types import CandidateState, ProviderState, Resources, Snapshot

_MIB: Final = 1 << 20


def bounded(value: object) -> str:
    """Text that the expression engine takes: of bounded length, without lone surrogates."""
    text = str(value)[:MAX_TEXT]
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


class Observed:
    """One snapshot, with the candidates of each provider side by side. Nothing is known where there is none."""

    def __init__(self, snapshot: Snapshot | None) -> None:
        self.snapshot = snapshot
        self.providers: Mapping[str, ProviderState] = snapshot.providers if snapshot is not None else {}
        self.candidates: Mapping[str, CandidateState] = snapshot.candidates if snapshot is not None else {}
        self.resources = _resources(snapshot.resources if snapshot is not None else None)
        self._owned: dict[str, list[CandidateState]] | None = None

    def owned(self, provider: str) -> Sequence[CandidateState]:
        """The candidates of a provider."""
        if self._owned is None:
            self._owned = {}
            for name, state in self.candidates.items():
                self._owned.setdefault(name.partition("/")[0], []).append(state)
        return self._owned.get(provider, ())

    def all_providers(self, names: Collection[str] | None, fields: Collection[str]) -> dict[str, dict[str, Any]]:
        """Some fields of the named providers; None for all that were looked at."""
        wanted = [(key, read) for key, read in PROVIDER_FIELDS.items() if key in fields]
        return {
            name: {key: read(self, name) for key, read in wanted}
            for name in (self.providers if names is None else names)
        }

    def all_candidates(self, names: Collection[str] | None, fields: Collection[str]) -> dict[str, dict[str, Any]]:
        """Some fields of the named candidates; None for all that are known."""
        wanted = [(key, read) for key, read in CANDIDATE_FIELDS.items() if key in fields]
        return {
            name: {key: read(self, name) for key, read in wanted}
            for name in (self.candidates if names is None else names)
        }


def _resources(resources: Resources | None) -> dict[str, float]:
    """Fields of `resources`; what cannot be told is absent."""
    if resources is None:
        return {}
    found = {"ram_free_mb": resources.ram_free_bytes / _MIB, "cpu_percent": 100 * resources.cpu_share}
    if resources.vram_free_bytes is not None:
        found["vram_free_mb"] = resources.vram_free_bytes / _MIB
    return found


def _available(seen: Observed, provider: str) -> bool:
    state = seen.providers.get(provider)
    return state is not None and state.available


def _healthy(seen: Observed, provider: str) -> bool:
    owned = seen.owned(provider)
    return _available(seen, provider) and (not owned or any(not state.problem for state in owned))


def _loaded(seen: Observed, provider: str) -> list[str]:
    state = seen.providers.get(provider)
    return [bounded(model.name) for model in state.models if model.loaded][:MAX_ENTRIES] if state is not None else []


def _in_memory(seen: Observed, candidate: str) -> bool:
    state = seen.candidates.get(candidate)
    return bool(state is not None and state.model is not None and state.model.loaded)


def _remote(seen: Observed, candidate: str) -> bool:
    state = seen.candidates.get(candidate)
    return state is not None and state.model is not None and state.model.remote


def _can_be_asked(seen: Observed, candidate: str) -> bool:
    state = seen.candidates.get(candidate)
    return state is not None and not state.problem


def _breaker(seen: Observed, candidate: str) -> str:
    state = seen.candidates.get(candidate)
    return state.breaker if state is not None else "closed"


def _running(seen: Observed, candidate: str) -> int:
    state = seen.candidates.get(candidate)
    return state.running if state is not None else 0


def _waiting(seen: Observed, candidate: str) -> int:
    state = seen.candidates.get(candidate)
    return state.waiting if state is not None else 0


Reader = Callable[[Observed, str], Any]

PROVIDER_FIELDS: Final[Mapping[str, Reader]] = {
    "available": _available,
    "healthy": _healthy,
    "loaded": _loaded,
    "running": lambda seen, provider: sum(state.running for state in seen.owned(provider)),
    "waiting": lambda seen, provider: sum(state.waiting for state in seen.owned(provider)),
}
CANDIDATE_FIELDS: Final[Mapping[str, Reader]] = {
    "available": _can_be_asked,
    "loaded": _in_memory,
    "remote": _remote,
    "breaker": _breaker,
    "running": _running,
    "waiting": _waiting,
}
