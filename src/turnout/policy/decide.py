"""One decision under a policy: the candidates are weighed, the outcome is written down. Nothing is left to chance here."""

from __future__ import annotations

from turnout.policy.case import Case
from turnout.policy.choosing import choose, told
from turnout.policy.conversations import Turn
from turnout.policy.moment import Moment
from turnout.types import Decision


def decide(case: Case, moment: Moment, turn: Turn | None = None) -> Decision:
    """The candidate that comes first, and why.

    Args:
        case: what is asked, and what the predictor says.
        moment: what is known of everything else.
        turn: the turn before of the conversation.

    Raises:
        RequestError: an unknown preference.
        NoCandidateError: no candidate can serve this; with the reason of each.
    """
    choice = choose(case, moment, turn)
    first, verdict = choice.ranking[0], choice.verdict
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
        predictor=case.predictor,
        explainer=case.explain,
    )
