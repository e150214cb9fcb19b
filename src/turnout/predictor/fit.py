"""Fitting a predictor: ridge on n-grams, boosted trees on dense features, blended by what each predicts out of fold.

Nothing here knows tables, files or MLflow; it takes arrays and returns a `Predictor`. What may be tuned is in `settings`;
its defaults were chosen on pools of other language models than the eight that judge (docs/decisions.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from turnout.errors import TooFewRowsError
from turnout.predictor.base import BasePredictor
from turnout.predictor.blend import blend_outputs
from turnout.predictor.calibration import fit_calibration, to_probabilities
from turnout.predictor.fit_blend import fit_blend, fit_blend_over
from turnout.predictor.fit_expense import fit_expense
from turnout.predictor.fit_ngrams import fit_ngrams
from turnout.predictor.fit_prior import design_rows, fit_prior
from turnout.predictor.fit_trees import fit_trees
from turnout.predictor.folds import assign_folds
from turnout.predictor.model import STANDARD_CLIP, Predictor
from turnout.predictor.settings import FitSettings

Matrix = NDArray[np.float32]
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Aligned rows, one for each prompt.

    dense : float32 (n, n_features). ngrams : CSR (n, BUCKETS) of counts. scores : float32 (n, n_candidates) in [0, 1],
    complete; columns run from cheapest to most expensive. groups : int (n,), rows of one group stay in one fold.
    seconds, cost_usd, answer_tokens : float32 (n, n_candidates) with NaN where not measured, or None. weights : float32
    (n,), what each row counts, or None where all count the same. known : as scores, with NaN where these were only expected,
    or None where all were seen.
    """

    candidates: tuple[str, ...]
    dense: Matrix
    ngrams: sparse.csr_matrix
    scores: Matrix
    groups: NDArray[np.int64]
    seconds: Matrix | None = None
    cost_usd: Matrix | None = None
    weights: NDArray[np.float32] | None = None
    known: Matrix | None = None
    answer_tokens: Matrix | None = None

    def take(self, rows: NDArray[np.int64]) -> Self:
        """The given rows only, by position."""
        optional = (self.seconds, self.cost_usd, self.weights, self.known, self.answer_tokens)
        measured = [None if values is None else values[rows] for values in optional]
        always = self.dense[rows], self.ngrams[rows], self.scores[rows], self.groups[rows]
        return type(self)(self.candidates, *always, *measured)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A predictor and its predictions for the training rows, each made by parts that never saw the row's group."""

    predictor: Predictor
    out_of_fold: NDArray[np.float64]
    feature_gain: NDArray[np.float64]


def fit(
    data: TrainingData,
    info: Mapping[str, Any] | None = None,
    *,
    settings: FitSettings | None = None,
    base: BasePredictor | None = None,
    seed: int = 0,
    progress: Progress = lambda _: None,
) -> Fitted:
    """Fit a predictor on complete scores.

    Args:
        info: goes into the predictor's manifest, beside the settings.
        settings: hyperparameters; None is the defaults.
        base: what is believed of the candidates before any of these scores; None starts from nothing.
        progress: told which part is being fitted.

    Returns:
        The predictor, out-of-fold probabilities (n, n_candidates) and the gain of each dense feature in the trees.

    Raises:
        TooFewRowsError: all prompts are of one group.
    """
    if len(np.unique(data.groups)) < 2:
        raise TooFewRowsError("fitting needs prompts of at least two groups, so that some can be held out")
    settings = settings or FitSettings()
    to_outputs, to_scores = contrasts(len(data.candidates))
    targets = data.scores @ to_outputs
    progress("n-grams")
    ngrams, ngram_out, novelty_limit = fit_ngrams(
        data.ngrams, data.scores, data.groups, seed, data.weights, penalty=settings.ridge_penalty
    )
    progress("trees")
    forest, tree_out, gain = fit_trees(data.dense, targets, data.groups, seed, data.weights, settings)
    prior = None
    if base is None:
        blend = fit_blend(ngram_out @ to_outputs, tree_out, targets)
    else:
        progress("prior")
        rows = design_rows(base.traits, data.dense, data.ngrams)
        prior = fit_prior(base, data.candidates, rows, data.scores if data.known is None else data.known, data.weights)
        expected = prior.p_success(rows).astype(np.float32)
        blend, gain_of_prior = fit_blend_over(
            ngram_out @ to_outputs, tree_out, expected @ to_outputs, targets, data.weights
        )
        prior = replace(prior, to_scores=np.asarray((to_outputs * gain_of_prior) @ to_scores, np.float32))
    out = blend_outputs(blend, ngram_out @ to_outputs, tree_out) @ to_scores
    if prior is not None:
        out += prior.scores(rows)
    calibration = fit_calibration(out, data.scores, assign_folds(data.groups, 2, seed + 3) == 0)
    progress("expenses")
    mean, std = data.dense.mean(0), np.maximum(data.dense.std(0), 1e-3)
    standard = np.clip((data.dense - mean) / std, -STANDARD_CLIP, STANDARD_CLIP)
    predictor = Predictor(
        candidates=data.candidates,
        ngrams=ngrams,
        forest=forest,
        blend=blend,
        calibration=calibration,
        to_outputs=to_outputs,
        to_scores=to_scores,
        feature_mean=mean,
        feature_std=std,
        seconds=fit_expense(standard, data.seconds),
        cost_usd=fit_expense(standard, data.cost_usd),
        answer_tokens=fit_expense(standard, data.answer_tokens),
        novelty_limit=novelty_limit,
        info={"settings": settings.to_json(), **(info or {})},
        prior=prior,
    )
    return Fitted(predictor, to_probabilities(out, calibration), gain)


def contrasts(n_candidates: int) -> tuple[Matrix, Matrix]:
    """The matrices from scores to outputs and back; scores -> outputs -> scores is the identity.

    Output 0 is the mean over candidates. With two candidates output 1 is half the gain of the second over the first;
    with more, output 1 + c is how far candidate c lies above the mean.
    """
    mean = np.full((n_candidates, 1), 1.0 / n_candidates)
    if n_candidates == 2:
        return (
            np.hstack([mean, [[-0.5], [0.5]]]).astype(np.float32),
            np.array([[1.0, 1.0], [-1.0, 1.0]], np.float32),
        )
    centre = np.eye(n_candidates) - 1.0 / n_candidates
    return np.hstack([mean, centre]).astype(np.float32), np.vstack([np.ones(n_candidates), centre]).astype(np.float32)
