"""A request and what is known of the candidates into a decision: the five steps of the design, in their order.

Eligible, forced or forbidden, judged by the predictor, weighed, and where that is not sure enough, preferred by rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from turnout.config.rules import ExchangeRates
from turnout.config.schema import Configuration
from turnout.errors import NoCandidateError
from turnout.policy.candidates import Needs
from turnout.policy.case import Case
from turnout.policy.conversations import Turn
from turnout.policy.moment import Moment
from turnout.policy.ranking import rank
from turnout.policy.reasons import CAUTION, weighed
from turnout.policy.requested import Requested
from turnout.policy.rules import Verdict
from turnout.policy.shortlist import Entry, shortlist
from turnout.policy.utility import exchange_rate
from turnout.types import DecidedBy, Excluded, Ranked

_NOT_LEARNED: Final[Mapping[str, float]] = {}


class Choice(NamedTuple):
    """What choosing came to: the ranking, who was excluded, why the first is first, what the rules said and were told of
    secrets, which preference counted in the end, whether the predictor is out of its depth, and what the request needs."""

    ranking: tuple[Ranked, ...]
    excluded: tuple[Excluded, ...]
    reason: str
    decided_by: DecidedBy
    verdict: Verdict
    secrets: tuple[str, ...]
    preference: str | float | ExchangeRates
    out_of_depth: bool
    needs: Needs


def choose(case: Case, moment: Moment, turn: Turn | None = None) -> Choice:
    """All steps.

    Args:
        case: what is asked, and what the predictor says.
        moment: what is known of everything else.
        turn: the turn before of the conversation.

    Raises:
        RequestError: an unknown preference.
        NoCandidateError: nobody can serve; with everybody's reason.
    """
    request, rules, hybrid = case.request, moment.rules, moment.configuration.hybrid
    preference = moment.configuration.routing.preference if case.preference is None else case.preference
    needs = Needs.of(request, case.features.task.type)
    requested = _requested(case, preference, turn, needs)
    facts = rules.facts(requested, moment.seen)
    verdict = rules.apply(facts)
    counts = preference if verdict.preference is None else verdict.preference
    read = turn if len(request.messages) > 1 else None
    tokens = _NOT_LEARNED if case.learned is None else case.learned.answer_tokens
    entries, excluded = shortlist(moment.standings, needs, verdict, read, tokens)
    ranked = rank(entries, case, counts, turn)
    if ranked and rules.asks_after_prediction:
        margin = ranked[0].utility - ranked[1].utility if len(ranked) > 1 else 1.0
        before, counted = verdict, counts
        verdict = rules.apply_after(facts, before, confidence=ranked[0].p_success, margin=margin)
        counts = preference if verdict.preference is None else verdict.preference
        others = verdict is not before and _leaves(verdict) != _leaves(before)
        if others:
            entries, excluded = shortlist(moment.standings, needs, verdict, read, tokens)
        if others or counts != counted:
            ranked = rank(entries, case, counts, turn)
    if not hybrid.enabled:
        ranked, excluded = _in_order(ranked, excluded, entries, hybrid.default_provider)
    if not ranked:
        raise NoCandidateError({entry.candidate: entry.reason for entry in excluded})
    ranked, decided_by, reason = settle(
        ranked, verdict, moment.configuration, preference=told(counts), cautious=case.cautious, turn=turn
    )
    if decided_by == "utility" and verdict.preference is not None:
        decided_by = "ruled"
    return Choice(
        tuple(ranked),
        tuple(excluded),
        reason,
        decided_by,
        verdict,
        tuple(requested.secrets or ()),
        counts,
        case.out_of_depth,
        needs,
    )


def _requested(case: Case, preference: str | float | ExchangeRates, turn: Turn | None, needs: Needs) -> Requested:
    """The request as rules see it.

    Raises:
        RequestError: an unknown preference.
    """
    if isinstance(preference, ExchangeRates):
        preference = "custom"  # what a second and a cent are worth has no name in conditions
    else:
        exchange_rate(preference)
    last = turn.candidate if turn is not None else ""
    return Requested(case.request, case.features.task, preference, case.hints, last, None, needs.prompt_tokens)


def _leaves(verdict: Verdict) -> tuple[object, ...]:
    """All in a verdict that says who may serve."""
    return verdict.forced, verdict.forbidden, verdict.require_local


def settle(
    ranked: list[Ranked],
    verdict: Verdict,
    configuration: Configuration,
    *,
    preference: str,
    cautious: bool,
    turn: Turn | None,
) -> tuple[list[Ranked], DecidedBy, str]:
    """Who comes first in the end, what decided it, and why, in one sentence."""
    routing = configuration.routing
    first = ranked[0]
    if not configuration.hybrid.enabled:
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
        return ranked, "caution", CAUTION
    if not first.learned and not any(entry.learned for entry in ranked):
        return ranked, "utility", f"nothing was learned of these candidates yet: {_instead(ranked)} decide"
    return ranked, "utility", weighed(ranked, preference)


def _instead(ranked: Sequence[Ranked]) -> str:
    """What a ranking goes by before anything was learned."""
    alike = len({entry.p_success for entry in ranked}) == 1
    return "seconds, cost and the configured order" if alike else "what such language models achieve, seconds and cost"


def _gain(first: Ranked, other: Ranked, *, cautious: bool) -> float:
    """How far ahead, in what the order goes by."""
    return first.p_success - other.p_success if cautious else first.utility - other.utility


def _preferred_place(ranked: list[Ranked], preferred: Sequence[str], margin: float) -> int | None:
    """Where the preferred one stands: the first in the rule's order that is about as good as the best of them."""
    places = {entry.candidate: place for place, entry in enumerate(ranked) if entry.candidate in preferred}
    if not places:
        return None
    best = ranked[min(places.values())].utility
    return next(places[name] for name in preferred if name in places and ranked[places[name]].utility >= best - margin)


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


def told(preference: str | float | ExchangeRates) -> str:
    """A preference in words."""
    if isinstance(preference, ExchangeRates):
        return f"{preference.success_per_second:g} a second and {preference.success_per_cent:g} a cent"
    return str(preference)
