"""Who can and may serve a request, with what serving would take; who cannot keeps the reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from turnout.policy.candidates import Candidate, Needs
from turnout.policy.conversations import Turn
from turnout.policy.eligibility import obstacle
from turnout.policy.memory import allowed_bytes, room_for
from turnout.policy.policy import Policy
from turnout.policy.rules import Verdict
from turnout.policy.seconds import expected_seconds, likely_load_s, waits_s
from turnout.types import CandidateState, Excluded, ExpectedSeconds, Snapshot

_SLOWER_ON_BUSY_CPU: Final = 1.5


@dataclass(frozen=True, slots=True)
class Entry:
    """One candidate that can serve, and what serving would take."""

    candidate: Candidate
    state: CandidateState | None
    expected: ExpectedSeconds | None
    cost_usd: float | None


def shortlist(
    policy: Policy,
    candidates: Sequence[Candidate],
    needs: Needs,
    verdict: Verdict,
    snapshot: Snapshot | None,
    turn: Turn | None,
    *,
    follows: bool = False,
) -> tuple[list[Entry], list[Excluded]]:
    """Those who can and may serve, with what serving would take, and those who cannot, with the reason.

    `follows` says that the request holds the earlier turns of its conversation, which whoever answered them has read.
    """
    states: Mapping[str, CandidateState] = snapshot.candidates if snapshot is not None else {}
    resources = snapshot.resources if snapshot is not None else None
    limits = policy.configuration.resources
    free = None if resources is None else allowed_bytes(resources, limits)
    busy = resources is not None and resources.cpu_share * 100 > limits.cpu.max_percent
    pairs = [(candidate, states.get(candidate.name)) for candidate in candidates]
    tenants = [*pairs, *_unnamed(candidates, snapshot)] if free is not None else pairs
    waits = _waits_s(pairs)
    entries: list[Entry] = []
    excluded: list[Excluded] = []
    for candidate, state in pairs:
        name = candidate.name
        rule = verdict.forbidden.get(name)
        if rule is not None:
            excluded.append(Excluded(name, f"the rule {rule!r} forbids it", rule))
            continue
        if verdict.forced is not None and name not in verdict.forced.candidates:
            excluded.append(Excluded(name, f"the rule {verdict.forced.rule!r} forces another", verdict.forced.rule))
            continue
        reason = obstacle(candidate, state, needs, require_local=bool(verdict.require_local))
        if reason:
            excluded.append(Excluded(name, reason))
            continue
        evict_s = 0.0
        if free is not None and candidate.here and state is not None and state.is_cold:
            room = room_for(candidate, state, tenants, free)
            if room.verdict == "never" or (room.verdict == "evicts" and limits.does_not_fit == "exclude"):
                excluded.append(Excluded(name, room.told))
                continue
            evict_s = sum(likely_load_s(other, seen) for other, seen in tenants if other.name in room.evicted)
        expected = None
        if state is not None:
            known_tokens = turn.tokens if turn is not None and turn.candidate == name and follows else 0
            slower = _SLOWER_ON_BUSY_CPU if busy and candidate.here and _on_cpu(state) else 1.0
            expected = expected_seconds(
                candidate,
                state,
                needs,
                known_tokens=known_tokens,
                evict_s=evict_s,
                slower=slower,
                ahead_s=waits.get(name, 0.0),
            )
        entries.append(Entry(candidate, state, expected, candidate.cost_usd(needs.prompt_tokens, needs.allowed_tokens)))
    return entries, excluded


def _on_cpu(state: CandidateState) -> bool:
    return state.model is not None and not state.model.vram_bytes


def _unnamed(
    candidates: Sequence[Candidate], snapshot: Snapshot | None
) -> Iterator[tuple[Candidate, CandidateState | None]]:
    """Language models in this machine's memory that are no candidates: they can make room all the same."""
    names = {candidate.name for candidate in candidates}
    here = {candidate.provider for candidate in candidates if candidate.here}
    for provider, state in (snapshot.providers if snapshot is not None else {}).items():
        for model in state.models if provider in here else ():
            name = f"{provider}/{model.name}"
            if model.loaded and name not in names:
                yield Candidate(name=name), CandidateState(candidate=name, model=model)


def _waits_s(pairs: Sequence[tuple[Candidate, CandidateState | None]]) -> dict[str, float]:
    """The wait for a slot at each candidate, in seconds, from all that goes on at its provider."""
    if not any(state is not None and (state.running or state.waiting) for _, state in pairs):
        return {}
    by_provider: dict[str, list[tuple[Candidate, CandidateState | None]]] = {}
    for candidate, state in pairs:
        by_provider.setdefault(candidate.provider, []).append((candidate, state))
    return {name: wait_s for group in by_provider.values() for name, wait_s in waits_s(group).items()}
