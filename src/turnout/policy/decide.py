"""One decision under a policy: what rules may ask is gathered, the candidates are weighed, the outcome is written down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from turnout.config.rules import ExchangeRates
from turnout.features import Features
from turnout.policy.choosing import choose, told
from turnout.policy.conversations import Conversations
from turnout.policy.policy import Policy
from turnout.policy.utility import exchange_rate
from turnout.predictor import Prediction, Predictor
from turnout.types import Decision, Hints, Request, Snapshot
from turnout.types.tokens import likely_tokens


def decide(
    policy: Policy,
    conversations: Conversations,
    predictor: Predictor | None,
    prediction: Prediction | None,
    features: Features,
    request: Request,
    preference: str | float | ExchangeRates | None,
    hints: Hints,
    snapshot: Snapshot | None,
    explainer: Callable[[Decision], Any],
) -> Decision:
    """See `Router.route`.

    Raises:
        NoCandidateError: no candidate can serve this; with the reason of each.
    """
    stay = policy.configuration.routing.conversations
    turn = None
    if hints.conversation and stay.enabled:
        turn = conversations.last(hints.conversation, stay.forget_after_s)
    candidates = policy.candidates(snapshot, predictor.candidates if predictor is not None else ())
    rules = policy.rules(candidates, predictor.candidates if predictor is not None else ())
    facts = rules.facts(
        request,
        features.task,
        preference=_for_rules(policy.configuration.routing.preference if preference is None else preference),
        hints=hints,
        last_candidate=turn.candidate if turn is not None else "",
        snapshot=snapshot,
    )
    choice = choose(
        policy,
        candidates,
        rules,
        facts,
        predictor,
        prediction,
        features,
        request,
        preference,
        snapshot=snapshot,
        turn=turn,
    )
    first = choice.ranking[0]
    if hints.conversation and stay.enabled:
        chances = {entry.candidate: entry.p_success for entry in choice.ranking}
        conversations.note(hints.conversation, first.candidate, chances, likely_tokens(request))
    verdict = choice.verdict
    return Decision(
        candidate=first.candidate,
        confidence=first.p_success,
        reason=choice.reason,
        ranking=choice.ranking,
        task=features.task,
        novelty=prediction.novelty if prediction is not None else 1.0,
        out_of_depth=choice.out_of_depth,
        excluded=choice.excluded,
        rules=tuple(rule.name for rule in verdict.rules),
        preference=told(choice.preference),
        decided_by=choice.decided_by,
        threshold=verdict.threshold,
        hold=verdict.hold,
        secrets=tuple(facts.values.get("secrets", ())),
        configuration=policy.fingerprint,
        explainer=explainer,
    )


def _for_rules(preference: str | float | ExchangeRates) -> str | float:
    """A preference as conditions see it: what a second and a cent are worth has no name there.

    Raises:
        RequestError: an unknown name or number.
    """
    if isinstance(preference, ExchangeRates):
        return "custom"
    exchange_rate(preference)
    return preference
