"""One request as it is to be decided: what is asked, how, and what the predictor says about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from turnout.features import Features
from turnout.predictor import Prediction, Predictor
from turnout.types import Decision, Hints, Request

if TYPE_CHECKING:
    from turnout.config.rules import ExchangeRates
    from turnout.policy.explanation import Explanation
    from turnout.policy.newcomers import Newcomers
    from turnout.policy.tempo import Learned


class Case(NamedTuple):
    """One request with all that is known of it before the outside is looked at.

    `prediction` is None exactly where `predictor` is: nothing was learned yet. `preference` is the caller's; None leaves
    it to the configuration. `newcomers` answers for candidates that the predictor does not know. `learned` is what the
    history of the predictor that serves says of seconds and lengths, whoever else judges the chances.
    """

    request: Request
    features: Features
    predictor: Predictor | None
    prediction: Prediction | None
    preference: str | float | ExchangeRates | None
    hints: Hints
    newcomers: Newcomers | None = None
    learned: Learned | None = None

    @property
    def novelty(self) -> float:
        """How new the prompt is to the predictor, 0 to 1; all is new to none."""
        return self.prediction.novelty if self.prediction is not None else 1.0

    @property
    def out_of_depth(self) -> bool:
        """Whether it looks like nothing that the predictor saw."""
        predictor, prediction = self.predictor, self.prediction
        return predictor is not None and prediction is not None and prediction.novelty > predictor.novelty_limit

    @property
    def cautious(self) -> bool:
        """Whether the chance of success alone should count, because what is asked is hard and new."""
        return self.features.task.tier == "strong" and self.out_of_depth

    def explain(self, decision: Decision) -> Explanation:
        """Why this decision about it came out as it did."""
        from turnout.policy.explanation import explain  # for people who ask, not for the request's path

        in_conversation = bool(self.hints.conversation)
        return explain(decision, self.predictor, self.features, self.request, in_conversation=in_conversation)
