"""A request and what is known of the candidates into a decision: the five steps of the design, in their order.

Eligible, forced or forbidden, judged by the predictor, weighed, and where that is not sure enough, preferred by rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from turnout.config.rules import ExchangeRates
from turnout.features import Features
from turnout.policy.candidates import Candidate, Needs
from turnout.policy.conversations import Turn, inherited
from turnout.policy.eligibility import obstacle
from turnout.policy.memory import allowed_bytes, room_for
from turnout.policy.policy import Policy
from turnout.policy.rules import Verdict
from turnout.policy.seconds import expected_seconds, likely_load_s
from turnout.policy.utility import exchange_rate, worth
from turnout.predictor import Prediction, Predictor
from turnout.types import CandidateState, Excluded, ExpectedSeconds, Ranked, Request, Snapshot

_UNLEARNED: Final = 0.5  # nothing is known of anybody: an even chance for all, so that seconds, cost and order decide
_SLOWER_ON_BUSY_CPU: Final = 1.5


@dataclass(frozen=True, slots=True)
class Choice:
    """What choosing came to: the ranking, who was excluded, and why the first is first."""

    ranking: tuple[Ranked, ...]
    excluded: tuple[Excluded, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class _Entry:
    candidate: Candidate
    state: CandidateState | None
    expected: ExpectedSeconds | None
    cost_usd: float | None


def eligible(
    policy: Policy, request: Request, needs: Needs, verdict: Verdict, snapshot: Snapshot | None, turn: Turn | None
) -> tuple[list[_Entry], list[Excluded]]:
    """Those who can and may serve, with what serving would take, and those who cannot, with the reason."""
    states: Mapping[str, CandidateState] = snapshot.candidates if snapshot is not None else {}
    pool = policy.pool.candidates(snapshot)
    resources = snapshot.resources if snapshot is not None else None
    limits = policy.configuration.resources
    free = None if resources is None else allowed_bytes(resources, limits)
    busy = resources is not None and resources.cpu_share * 100 > limits.cpu.max_percent
    pairs = [(candidate, states.get(candidate.name)) for candidate in pool]
    entries: list[_Entry] = []
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
        if free is not None and candidate.local and state is not None and state.model and state.model.loaded is False:
            room = room_for(candidate, state, pairs, free)
            if room.verdict == "never" or (room.verdict == "evicts" and limits.does_not_fit == "exclude"):
                excluded.append(Excluded(name, room.told))
                continue
            evict_s = sum(likely_load_s(other, seen) for other, seen in pairs if other.name in room.evicted)
        expected = None
        if state is not None:
            known_tokens = turn.tokens if turn is not None and turn.candidate == name else 0
            slower = _SLOWER_ON_BUSY_CPU if busy and candidate.local and _on_cpu(state) else 1.0
            expected = expected_seconds(
                candidate, state, needs, known_tokens=known_tokens, evict_s=evict_s, slower=slower
            )
        entries.append(_Entry(candidate, state, expected, candidate.cost_usd(needs.prompt_tokens, needs.answer_tokens)))
    return entries, excluded


def _on_cpu(state: CandidateState) -> bool:
    return state.model is not None and not state.model.vram_bytes


def rank(
    entries: list[_Entry],
    predictor: Predictor | None,
    prediction: Prediction | None,
    preference: str | float | ExchangeRates,
    *,
    request: Request,
    turn: Turn | None,
    cautious: bool,
) -> list[Ranked]:
    """Best first: by utility, or by the chance of success alone where caution asks for it."""
    chances, seconds, costs = _predicted(predictor, prediction)
    mean = sum(chances.values()) / len(chances) if chances else _UNLEARNED
    share = inherited(request.prompt) if turn is not None and len(request.messages) > 1 else 0.0
    rate = preference if isinstance(preference, ExchangeRates) else exchange_rate(preference)
    drafts = []
    for entry in entries:
        name = entry.candidate.name
        p = chances.get(name, mean)
        if share and turn is not None:
            p = share * turn.p_success.get(name, p) + (1 - share) * p
        expected_s = entry.expected.total_s if entry.expected is not None else seconds.get(name)
        cost = entry.cost_usd if entry.cost_usd is not None else costs.get(name)
        drafts.append((entry, p, expected_s, cost))
    most_s = max((draft[2] for draft in drafts if draft[2] is not None), default=0.0)
    most_usd = max((draft[3] for draft in drafts if draft[3] is not None), default=0.0)
    ranked = [
        Ranked(
            entry.candidate.name,
            p,
            expected_s,
            cost,
            worth(p, expected_s, cost, rate, most_seconds=most_s, most_cost_usd=most_usd),
            entry.expected,
            entry.candidate.name in chances,
        )
        for entry, p, expected_s, cost in drafts
    ]
    ranked.sort(key=lambda entry: -(entry.p_success if cautious else entry.utility))
    return ranked


def _predicted(
    predictor: Predictor | None, prediction: Prediction | None
) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    """Chances, seconds and cost by candidate; empty where nothing was learned."""
    if predictor is None or prediction is None:
        return {}, {}, {}
    names = predictor.candidates
    seconds = {} if prediction.seconds is None else dict(zip(names, prediction.seconds.tolist(), strict=True))
    costs = {} if prediction.cost_usd is None else dict(zip(names, prediction.cost_usd.tolist(), strict=True))
    return dict(zip(names, prediction.p_success.tolist(), strict=True)), seconds, costs


def settle(
    ranked: list[Ranked],
    verdict: Verdict,
    policy: Policy,
    *,
    preference: str,
    cautious: bool,
    turn: Turn | None,
) -> tuple[list[Ranked], str]:
    """Who comes first in the end, and why, in one sentence."""
    first = ranked[0]
    if verdict.forced is not None:
        return ranked, f"the rule {verdict.forced.rule!r} forces it"
    if len(ranked) == 1:
        return ranked, "the only candidate that can serve this"
    margin = first.utility - ranked[1].utility
    learned = first.learned and ranked[1].learned
    unsure = cautious or not learned or margin < policy.configuration.routing.unsure_margin
    if unsure and verdict.preferred is not None:
        for target in verdict.preferred.candidates:
            place = next((n for n, entry in enumerate(ranked) if entry.candidate == target), None)
            if place is not None:
                ranked.insert(0, ranked.pop(place))
                return ranked, f"the predictor is not sure, and the rule {verdict.preferred.rule!r} prefers it"
    stay = policy.configuration.routing.conversations
    if turn is not None and stay.enabled and turn.candidate != first.candidate:
        place = next((n for n, entry in enumerate(ranked) if entry.candidate == turn.candidate), None)
        if place is not None and first.utility - ranked[place].utility < stay.switch_gain:
            gain = first.utility - ranked[place].utility
            reason = f"it knows this conversation, and {first.candidate} would gain only {gain:.2f}"
            ranked.insert(0, ranked.pop(place))
            return ranked, reason
    if cautious:
        return ranked, "unlike anything seen in training and judged strong-tier: the most likely to succeed"
    if not any(entry.learned for entry in ranked):
        return ranked, "nothing was learned of these candidates yet: seconds, cost and the configured order decide"
    surest = max(ranked, key=lambda entry: entry.p_success)
    if surest is first:
        return ranked, f"the most likely to succeed ({first.p_success:.0%}) and worth its expense at preference {preference}"
    gain = (surest.p_success - first.p_success) * 100
    return ranked, (
        f"{surest.candidate} would add {gain:.0f} points of success, too little for its expense at preference {preference}"
    )


def choose(
    policy: Policy,
    predictor: Predictor | None,
    prediction: Prediction | None,
    features: Features,
    request: Request,
    verdict: Verdict,
    *,
    preference: str | float | ExchangeRates,
    snapshot: Snapshot | None,
    turn: Turn | None,
) -> Choice:
    """All steps. The ranking is empty where no candidate can serve."""
    needs = Needs.of(request, features.task.type)
    entries, excluded = eligible(policy, request, needs, verdict, snapshot, turn)
    if not entries:
        return Choice((), tuple(excluded), "no candidate can serve this")
    out_of_depth = predictor is not None and prediction is not None and prediction.novelty > predictor.novelty_limit
    cautious = out_of_depth and features.task.tier == "strong"
    ranked = rank(entries, predictor, prediction, preference, request=request, turn=turn, cautious=cautious)
    ranked, reason = settle(ranked, verdict, policy, preference=str(preference), cautious=cautious, turn=turn)
    return Choice(tuple(ranked), tuple(excluded), reason)
