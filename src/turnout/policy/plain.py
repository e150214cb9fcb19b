"""One decision without a configuration: from the predictor alone, the same each time."""

from __future__ import annotations

from turnout.errors import RequestError
from turnout.policy.case import Case
from turnout.policy.reasons import CAUTION, weighed
from turnout.policy.utility import utilities
from turnout.predictor import Prediction, Predictor
from turnout.types import Decision, Ranked


def decide(case: Case, predictor: Predictor, prediction: Prediction) -> Decision:
    """See `Router.route`.

    Raises:
        RequestError: an unknown preference, or one that counts under a configuration only.
    """
    preference = "balanced" if case.preference is None else case.preference
    if not isinstance(preference, str | int | float):
        raise RequestError("what a second and a cent are worth counts under a configuration only")
    utility, p_success = utilities(prediction, preference), prediction.p_success.tolist()
    seconds = None if prediction.seconds is None else prediction.seconds.tolist()
    cost = None if prediction.cost_usd is None else prediction.cost_usd.tolist()
    cautious = case.cautious
    weight = p_success if cautious else utility
    ranking = tuple(
        Ranked(
            predictor.candidates[position],
            p_success[position],
            None if seconds is None else seconds[position],
            None if cost is None else cost[position],
            utility[position],
        )
        for position in sorted(range(len(weight)), key=weight.__getitem__, reverse=True)
    )
    return Decision(
        candidate=ranking[0].candidate,
        confidence=ranking[0].p_success,
        reason=CAUTION if cautious else weighed(ranking, preference),
        ranking=ranking,
        task=case.features.task,
        novelty=prediction.novelty,
        out_of_depth=case.out_of_depth,
        preference=str(preference),
        decided_by="caution" if cautious else "utility",
        features=case.features,
        predictor=predictor,
        explainer=case.explain,
    )
