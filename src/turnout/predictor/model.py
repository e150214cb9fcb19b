"""The predictor: features in, a calibrated probability of success for each candidate out.

What routing needs is the *difference* between candidates, so nothing here predicts "does this candidate succeed" on
its own. One output is the level (how well the candidates do on this prompt on average), the others are contrasts (who
does better than that level). Each output blends a linear n-gram part with boosted trees over the dense features; a
fixed matrix mixes outputs back into one score for each candidate, which calibration turns into a probability.

Where a base predictor was there to start from, its probabilities for the candidates are one more part of each output.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from turnout import kernel
from turnout.features import Features
from turnout.predictor.blend import Blend, blend_outputs
from turnout.predictor.calibration import Calibration, to_probabilities
from turnout.predictor.expense import LogLinear
from turnout.predictor.linear import NgramModel
from turnout.predictor.prior import Prior
from turnout.predictor.trees import Forest

STANDARD_CLIP: Final = 4.0


@dataclass(frozen=True, slots=True)
class Prediction:
    """For one request, in the order of the predictor's candidates.

    p_success : float64 (n_candidates,). seconds, cost_usd, answer_tokens : float32 (n_candidates,) or None where never
    measured. novelty : share of the prompt's n-grams that training never saw, 0 to 1.
    """

    p_success: NDArray[np.float64]
    seconds: NDArray[np.float32] | None
    cost_usd: NDArray[np.float32] | None
    novelty: float
    answer_tokens: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class Predictor:
    """A fitted predictor. `candidates` run from cheapest to most expensive.

    to_outputs : float32 (n_candidates, n_outputs), scores to outputs; to_scores : float32 (n_outputs, n_candidates),
    outputs back to scores. feature_mean, feature_std : float32 (n_features,), for the expense models.
    novelty_limit : the novelty that 1 % of held-out training prompts exceed; beyond it the predictor is out of its depth.
    prior : what training started from, or None.
    """

    candidates: tuple[str, ...]
    ngrams: NgramModel
    forest: Forest
    blend: Blend
    calibration: Calibration | None
    to_outputs: NDArray[np.float32]
    to_scores: NDArray[np.float32]
    feature_mean: NDArray[np.float32]
    feature_std: NDArray[np.float32]
    seconds: LogLinear | None
    cost_usd: LogLinear | None
    novelty_limit: float
    info: Mapping[str, Any]
    prior: Prior | None = None
    answer_tokens: LogLinear | None = None

    def __post_init__(self) -> None:
        kernel.lay_out(self, "to_outputs", "to_scores", "feature_mean", "feature_std")

    def predict(self, features: Features) -> Prediction:
        """Probabilities, expected seconds, cost and answer length for one request."""
        linear, novelty = self.ngrams.predict_one(features.buckets, features.counts)
        scores = self._scores(linear, self.forest.predict_one(features.vector))
        if self.prior is not None:
            row, known = self.prior.traits.of(features)
            scores += self.prior.scores(row)
            # Out of its depth is what neither of both has seen.
            novelty = min(novelty, known * self.novelty_limit / max(self.prior.traits.novelty_limit, 1e-9))
        seconds = cost = tokens = None
        if self.seconds is not None or self.cost_usd is not None or self.answer_tokens is not None:
            standard = self._standardise(features.vector)
            seconds = None if self.seconds is None else self.seconds.predict_one(standard)
            cost = None if self.cost_usd is None else self.cost_usd.predict_one(standard)
            tokens = None if self.answer_tokens is None else self.answer_tokens.predict_one(standard)
        return Prediction(to_probabilities(scores, self.calibration), seconds, cost, novelty, tokens)

    def learned_seconds(self, prediction: Prediction) -> dict[str, float]:
        """Of a prediction, the seconds that history speaks about."""
        known, values = self.seconds, prediction.seconds
        return {} if known is None or values is None else known.known(self.candidates, values)

    def learned_tokens(self, prediction: Prediction) -> dict[str, float]:
        """Of a prediction, the answer lengths that history speaks about."""
        known, values = self.answer_tokens, prediction.answer_tokens
        return {} if known is None or values is None else known.known(self.candidates, values)

    def _scores(self, linear: NDArray[np.float32], trees: NDArray[np.float32]) -> NDArray[np.float32]:
        blend = self.blend
        if kernel.COMPILED:
            scores = np.empty(len(linear), np.float32)
            kernel.native.blend_scores(
                linear, trees, blend.offset, blend.ngram_gain, blend.tree_gain, self.to_outputs, self.to_scores, scores
            )
            return scores
        return blend_outputs(blend, linear @ self.to_outputs, trees) @ self.to_scores

    def _standardise(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        if kernel.COMPILED:
            standard = np.empty(len(vector), np.float32)
            kernel.native.standardise(vector, self.feature_mean, self.feature_std, standard)
            return standard
        standard = (vector - self.feature_mean) / self.feature_std
        np.minimum(standard, STANDARD_CLIP, out=standard)
        np.maximum(standard, -STANDARD_CLIP, out=standard)
        return standard
