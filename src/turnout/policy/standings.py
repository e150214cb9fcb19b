"""How each candidate stands now, whatever is asked of it: all that a snapshot says and no request changes.

A snapshot serves many decisions, so this is reckoned once for each and kept (see `Policy.moment`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeAlias

from turnout.config.resources import Resources as Limits
from turnout.policy.candidates import Candidate
from turnout.policy.eligibility import Abilities
from turnout.policy.memory import allowed_bytes, room_for
from turnout.policy.seconds import Pace, likely_load_s, waits_s
from turnout.types import CandidateState, Resources, Snapshot

_SLOWER_ON_BUSY_CPU: Final = 1.5

Pair: TypeAlias = tuple[Candidate, CandidateState | None]


@dataclass(frozen=True, slots=True)
class Standing:
    """One candidate now: what it can do, why there is no room for it in memory (empty where there is), and how fast it
    would answer. `state` and `pace` are None where nothing watches it."""

    candidate: Candidate
    state: CandidateState | None
    abilities: Abilities
    crowded: str = ""
    pace: Pace | None = None


def standings(candidates: Sequence[Candidate], snapshot: Snapshot | None, limits: Limits) -> tuple[Standing, ...]:
    """How these candidates stand, in their order. Without a snapshot nothing is known but the configuration."""
    if snapshot is None:
        return tuple([Standing(candidate, None, Abilities.of(candidate, None)) for candidate in candidates])
    resources = snapshot.resources
    busy = resources is not None and resources.cpu_share * 100 > limits.cpu.max_percent
    pairs = [(candidate, snapshot.candidates.get(candidate.name)) for candidate in candidates]
    memory = _Memory(pairs, snapshot, limits)
    waits = _waits_s(pairs, resources)
    found = []
    for candidate, state in pairs:
        abilities = Abilities.of(candidate, state)
        if state is None:
            found.append(Standing(candidate, state, abilities))
            continue
        crowded, evict_s = memory.needed_by(candidate, state)
        slower = _SLOWER_ON_BUSY_CPU if busy and candidate.here and _on_cpu(state) else 1.0
        ahead_s = waits.get(candidate.name, 0.0)
        pace = Pace.of(candidate, state, evict_s=evict_s, slower=slower, ahead_s=ahead_s, machine=resources)
        found.append(Standing(candidate, state, abilities, crowded, pace))
    return tuple(found)


class _Memory:
    """The memory of this machine at one moment, with all that is in it."""

    def __init__(self, pairs: Sequence[Pair], snapshot: Snapshot, limits: Limits) -> None:
        self._free = None if snapshot.resources is None else allowed_bytes(snapshot.resources, limits)
        self._pairs = pairs
        self._snapshot = snapshot
        self._exclude = limits.does_not_fit == "exclude"

    @cached_property
    def _tenants(self) -> Sequence[Pair]:
        """All that could make room; asked for only where somebody has to be brought into memory."""
        return [*self._pairs, *_unnamed(self._pairs, self._snapshot)]

    def needed_by(self, candidate: Candidate, state: CandidateState) -> tuple[str, float]:
        """Why there is no room for it, in words, else "" and the seconds that bringing back others will take."""
        if self._free is None or not candidate.here or not state.is_cold:
            return "", 0.0
        room = room_for(candidate, state, self._tenants, self._free)
        if room.verdict == "never" or (room.verdict == "evicts" and self._exclude):
            return room.told, 0.0
        machine = self._snapshot.resources
        return "", sum(
            likely_load_s(other, seen, machine) for other, seen in self._tenants if other.name in room.evicted
        )


def _unnamed(pairs: Sequence[Pair], snapshot: Snapshot) -> Iterator[Pair]:
    """Language models in this machine's memory that are no candidates: they can make room all the same."""
    names = {candidate.name for candidate, _ in pairs}
    here = {candidate.provider for candidate, _ in pairs if candidate.here}
    for provider, state in snapshot.providers.items():
        for model in state.models if provider in here else ():
            name = f"{provider}/{model.name}"
            if model.loaded and name not in names:
                yield Candidate(name=name), CandidateState(candidate=name, model=model)


def _on_cpu(state: CandidateState) -> bool:
    return state.model is not None and not state.model.vram_bytes


def _waits_s(pairs: Sequence[Pair], machine: Resources | None) -> dict[str, float]:
    """The wait for a slot at each candidate, in seconds, from all that goes on at its provider."""
    if not any(state is not None and (state.running or state.waiting) for _, state in pairs):
        return {}
    by_provider: dict[str, list[Pair]] = {}
    for candidate, state in pairs:
        by_provider.setdefault(candidate.provider, []).append((candidate, state))
    return {name: wait_s for group in by_provider.values() for name, wait_s in waits_s(group, machine).items()}
