"""A request and what is known of the candidates into a decision: the five steps of the design, in their order.

Eligible, forced or forbidden, judged by the predictor, weighed, and where that is not sure enough, preferred by rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from turnout.config.rules import ExchangeRates
from turnout.errors import NoCandidateError
from turnout.features import Features
from turnout.policy.candidates import Candidate, Needs
from turnout.policy.conversations import Turn, inherited
from turnout.policy.facts import Facts
from turnout.policy.policy import Policy
from turnout.policy.rules import RuleBook, Verdict
from turnout.policy.shortlist import Entry, shortlist
from turnout.policy.utility import exchange_rate
from turnout.policy.worth import worth
from turnout.predictor import Prediction, Predictor
from turnout.types import DecidedBy, Excluded, Ranked, Request, Snapshot

_UNLEARNED: Final = 0.5  # nothing is known of anybody: an even chance for all, so that seconds, cost and order decide


@dataclass(frozen=True, slots=True)
class Choice:
    """What choosing came to: the ranking, who was excluded, why the first is first, what the rules said, which
    preference counted in the end, and whether the predictor is out of its depth."""

    ranking: tuple[Ranked, ...]
    excluded: tuple[Excluded, ...]
    reason: str
    decided_by: DecidedBy
    verdict: Verdict
    preference: str | float | ExchangeRates
    out_of_depth: bool


def rank(
    entries: list[Entry],
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
    share = inherited(request.prompt) if turn is not None else 0.0
    rate = preference if isinstance(preference, ExchangeRates) else exchange_rate(preference)
    drafts = []
    for entry in entries:
        name = entry.candidate.name
        own = p = chances.get(name, mean)
        if share and turn is not None:
            p = share * turn.p_success.get(name, own) + (1 - share) * own
        expected_s = entry.expected.total_s if entry.expected is not None else seconds.get(name)
        cost = entry.cost_usd if entry.cost_usd is not None else costs.get(name)
        drafts.append((entry, p, expected_s, cost, p - own))
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
            added,
        )
        for entry, p, expected_s, cost, added in drafts
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
) -> tuple[list[Ranked], DecidedBy, str]:
    """Who comes first in the end, what decided it, and why, in one sentence."""
    routing = policy.configuration.routing
    first = ranked[0]
    if not policy.configuration.hybrid.enabled:
        return ranked, "order", "routing is switched off"
    if verdict.forced is not None:
        return ranked, "force", f"the rule {verdict.forced.rule!r} forces it"
    if len(ranked) == 1:
        return ranked, "only", "the only candidate that can serve this"
    learned = first.learned and ranked[1].learned
    unsure = cautious or not learned or first.utility - ranked[1].utility < routing.unsure_margin
    if unsure and verdict.preferred is not None:
        place = _preferred_place(ranked, verdict.preferred.candidates, routing.unsure_margin)
        if place is not None:
            ranked.insert(0, ranked.pop(place))
            return ranked, "prefer", f"the predictor is not sure, and the rule {verdict.preferred.rule!r} prefers it"
    stay = routing.conversations
    if turn is not None and stay.enabled and turn.candidate != first.candidate:
        place = next((n for n, entry in enumerate(ranked) if entry.candidate == turn.candidate), None)
        if place is not None:
            gain = _gain(first, ranked[place], cautious=cautious)
            if gain < stay.switch_gain:
                ranked.insert(0, ranked.pop(place))
                reason = f"it knows this conversation, and {first.candidate} would gain only {gain:.2f}"
                return ranked, "conversation", reason
    if cautious:
        reason = "unlike anything seen in training and judged strong-tier: the most likely to succeed"
        return ranked, "caution", reason
    if not any(entry.learned for entry in ranked):
        reason = "nothing was learned of these candidates yet: seconds, cost and the configured order decide"
        return ranked, "utility", reason
    return ranked, "utility", _weighed(ranked, preference)


def _gain(first: Ranked, other: Ranked, *, cautious: bool) -> float:
    """How far ahead, in what the order goes by."""
    return first.p_success - other.p_success if cautious else first.utility - other.utility


def _weighed(ranked: list[Ranked], preference: str) -> str:
    first, surest = ranked[0], max(ranked, key=lambda entry: entry.p_success)
    if surest is first:
        return f"the most likely to succeed ({first.p_success:.0%}) and worth its expense at preference {preference}"
    gain = (surest.p_success - first.p_success) * 100
    return (
        f"{surest.candidate} would add {gain:.0f} points of success, "
        f"too little for its expense at preference {preference}"
    )


def _preferred_place(ranked: list[Ranked], preferred: Sequence[str], margin: float) -> int | None:
    """Where the preferred one stands: the first in the rule's order that is about as good as the best of them."""
    places = {entry.candidate: place for place, entry in enumerate(ranked) if entry.candidate in preferred}
    if not places:
        return None
    best = ranked[min(places.values())].utility
    return next(places[name] for name in preferred if name in places and ranked[places[name]].utility >= best - margin)


def choose(
    policy: Policy,
    candidates: Sequence[Candidate],
    rules: RuleBook,
    facts: Facts,
    predictor: Predictor | None,
    prediction: Prediction | None,
    features: Features,
    request: Request,
    preference: str | float | ExchangeRates | None,
    *,
    snapshot: Snapshot | None,
    turn: Turn | None,
) -> Choice:
    """All steps.

    Raises:
        NoCandidateError: nobody can serve; with everybody's reason.
    """
    verdict = rules.apply(facts)
    needs = Needs.of(request, features.task.type)
    out_of_depth = predictor is not None and prediction is not None and prediction.novelty > predictor.novelty_limit
    cautious = out_of_depth and features.task.tier == "strong"

    follows = len(request.messages) > 1
    switched_off = not policy.configuration.hybrid.enabled

    def listed(verdict: Verdict) -> tuple[list[Entry], list[Excluded]]:
        return shortlist(policy, candidates, needs, verdict, snapshot, turn, follows=follows)

    def ranked_at(counts: str | float | ExchangeRates) -> list[Ranked]:
        return rank(entries, predictor, prediction, counts, request=request, turn=turn, cautious=cautious)

    entries, excluded = listed(verdict)
    counts = _preference(policy, verdict, preference)
    ranked = ranked_at(counts)
    if ranked and rules.asks_after_prediction:
        margin = ranked[0].utility - ranked[1].utility if len(ranked) > 1 else 1.0
        after = rules.apply_after(facts, verdict, confidence=ranked[0].p_success, margin=margin)
        before = (verdict.forced, verdict.forbidden, verdict.require_local, counts)
        counts = _preference(policy, after, preference)
        if (after.forced, after.forbidden, after.require_local) != before[:3]:
            entries, excluded = listed(after)
            ranked = ranked_at(counts)
        elif counts != before[3]:
            ranked = ranked_at(counts)
        verdict = after
    if switched_off:
        ranked, excluded = _in_order(ranked, excluded, entries, policy.configuration.hybrid.default_provider)
    if not ranked:
        raise NoCandidateError({entry.candidate: entry.reason for entry in excluded})
    ranked, decided_by, reason = settle(ranked, verdict, policy, preference=told(counts), cautious=cautious, turn=turn)
    if decided_by == "utility" and verdict.preference is not None:
        decided_by = "ruled"
    return Choice(tuple(ranked), tuple(excluded), reason, decided_by, verdict, counts, out_of_depth)


def _in_order(
    ranked: list[Ranked], excluded: list[Excluded], entries: list[Entry], default_provider: str
) -> tuple[list[Ranked], list[Excluded]]:
    """Routing is switched off: the configured order, at the default provider alone where one is named."""
    order = {entry.candidate.name: place for place, entry in enumerate(entries)}
    ranked = sorted(ranked, key=lambda entry: order[entry.candidate])
    if default_provider == "auto":
        return ranked, excluded
    kept = [entry for entry in ranked if entry.candidate.partition("/")[0] == default_provider]
    others = [Excluded(e.candidate, "routing is switched off") for e in ranked if e not in kept]
    return kept, [*excluded, *others]


def _preference(
    policy: Policy, verdict: Verdict, asked: str | float | ExchangeRates | None
) -> str | float | ExchangeRates:
    """A rule's goes before the caller's, which goes before the configured one."""
    if verdict.preference is not None:
        return verdict.preference
    return policy.configuration.routing.preference if asked is None else asked


def told(preference: str | float | ExchangeRates) -> str:
    """A preference in words."""
    if isinstance(preference, ExchangeRates):
        return f"{preference.success_per_second:g} a second and {preference.success_per_cent:g} a cent"
    return str(preference)
