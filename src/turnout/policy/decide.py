"""One decision under a policy: the candidates are weighed, the turn is noted, the outcome is written down."""

from __future__ import annotations

from turnout.policy.case import Case
from turnout.policy.choosing import choose, told
from turnout.policy.conversations import Conversations
from turnout.policy.moment import Moment
from turnout.types import Decision


def decide(case: Case, moment: Moment, conversations: Conversations) -> Decision:
    """See `Policy.decide`."""
    stay = moment.configuration.routing.conversations
    conversation = case.hints.conversation if stay.enabled else ""
    turn = conversations.last(conversation, stay.forget_after_s) if conversation else None
    choice = choose(case, moment, turn)
    first, verdict = choice.ranking[0], choice.verdict
    if conversation:
        chances = {entry.candidate: entry.p_success for entry in choice.ranking}
        conversations.note(conversation, first.candidate, chances, choice.needs.prompt_tokens)
    return Decision(
        candidate=first.candidate,
        confidence=first.p_success,
        reason=choice.reason,
        ranking=choice.ranking,
        task=case.features.task,
        novelty=case.novelty,
        out_of_depth=choice.out_of_depth,
        excluded=choice.excluded,
        rules=tuple([rule.name for rule in verdict.rules]),
        preference=told(choice.preference),
        decided_by=choice.decided_by,
        threshold=verdict.threshold,
        hold=verdict.hold,
        secrets=choice.secrets,
        configuration=moment.fingerprint,
        features=case.features,
        explainer=case.explain,
    )
