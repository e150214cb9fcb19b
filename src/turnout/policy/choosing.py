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
from turnout.types import Excluded, Ranked, Request, Snapshot

_UNLEARNED: Final = 0.5  # nothing is known of anybody: an even chance for all, so that seconds, cost and order decide


@dataclass(frozen=True, slots=True)
class Choice:
    """What choosing came to: the ranking, who was excluded, why the first is first, what the rules said, which
    preference counted in the end, and whether the predictor is out of its depth."""

    ranking: tuple[Ranked, ...]
    excluded: tuple[Excluded, ...]
    reason: str
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
        place = _preferred_place(ranked, verdict.preferred.candidates, policy.configuration.routing.unsure_margin)
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
        return (
            ranked,
            f"the most likely to succeed ({first.p_success:.0%}) and worth its expense at preference {preference}",
        )
    gain = (surest.p_success - first.p_success) * 100
    return ranked, (
        f"{surest.candidate} would add {gain:.0f} points of success, too little for its expense at preference {preference}"
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

    def weigh(verdict: Verdict) -> tuple[list[Ranked], list[Excluded], str | float | ExchangeRates]:
        entries, excluded = shortlist(policy, candidates, needs, verdict, snapshot, turn)
        counts = _preference(policy, verdict, preference)
        ranked = rank(entries, predictor, prediction, counts, request=request, turn=turn, cautious=cautious)
        return ranked, excluded, counts

    ranked, excluded, counts = weigh(verdict)
    if ranked and rules.asks_after_prediction:
        margin = ranked[0].utility - ranked[1].utility if len(ranked) > 1 else 1.0
        after = rules.apply_after(facts, verdict, confidence=ranked[0].p_success, margin=margin)
        if after is not verdict:
            verdict = after
            ranked, excluded, counts = weigh(verdict)
    if not ranked:
        raise NoCandidateError({entry.candidate: entry.reason for entry in excluded})
    ranked, reason = settle(ranked, verdict, policy, preference=_told(counts), cautious=cautious, turn=turn)
    return Choice(tuple(ranked), tuple(excluded), reason, verdict, counts, out_of_depth)


def _preference(
    policy: Policy, verdict: Verdict, asked: str | float | ExchangeRates | None
) -> str | float | ExchangeRates:
    """A rule's goes before the caller's, which goes before the configured one."""
    if verdict.preference is not None:
        return verdict.preference
    return policy.configuration.routing.preference if asked is None else asked


def _told(preference: str | float | ExchangeRates) -> str:
    if isinstance(preference, ExchangeRates):
        return f"{preference.success_per_second:g} a second and {preference.success_per_cent:g} a cent"
    return str(preference)
