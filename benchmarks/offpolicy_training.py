"""Training from a partial log, held against training on full information with as many scores, and naive training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from offpolicy_log import Truth, logged

from turnout.learning import partial
from turnout.learning.denoise import complete
from turnout.learning.evaluation import predict_table
from turnout.learning.logged import LoggedDecisions
from turnout.learning.metrics import apgr, best_single
from turnout.predictor.fit import TrainingData, fit
from turnout.predictor.folds import assign_folds

FOLDS = 5
DRAWS = 200
Way = Callable[[Truth, LoggedDecisions, int], TrainingData]


def partial_log(_: Truth, log: LoggedDecisions, __: int) -> TrainingData:
    """What Turnout does with a log."""
    return partial.training_data(log, half_life_days=None)


def naive(_: Truth, log: LoggedDecisions, __: int) -> TrainingData:
    """The same log as a table with holes: each candidate's holes are filled from its own rows, unweighted."""
    dense = log.features.dense
    return TrainingData(log.candidates, dense, log.features.ngrams, complete(log.scores, dense), log.groups)


def as_many(truth: Truth, _: LoggedDecisions, seed: int) -> TrainingData:
    """All candidates' scores, on so many prompts that as many scores are known as the log reveals."""
    n, k = truth.scores.shape
    return everything(truth.take(np.sort(np.random.default_rng(seed).permutation(n)[: n // k])), _, seed)


def everything(truth: Truth, _: LoggedDecisions, __: int) -> TrainingData:
    """All candidates' scores on all prompts: k times what the log reveals."""
    features = truth.features
    return TrainingData(truth.candidates, features.dense, features.ngrams, truth.scores, truth.groups)


WAYS: dict[str, Way] = {"partial": partial_log, "as_many": as_many, "naive": naive, "everything": everything}


def compare(truth: Truth, seeds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Held-out apgr of each way with its interval, and of the differences that are asked for.

    Returns:
        For each way, and for partial_over_as_many and partial_over_naive, [value, low, high]: means over seeds, 95 %
        bootstrap intervals over prompts.
    """
    guesses = [_guesses(truth, seed) for seed in range(seeds)]
    say(f"{truth.name}: {len(truth):,} prompts, {seeds} seeds")
    scores = truth.scores.astype(np.float64)
    best = best_single(scores)
    ties = np.random.default_rng(0).random(len(truth))

    def figures(rows: NDArray[np.int64]) -> dict[str, float]:
        found = {
            way: float(np.mean([_apgr(scores[rows], guess[way][rows], ties[rows], best) for guess in guesses]))
            for way in WAYS
        }
        found["partial_over_as_many"] = found["partial"] - found["as_many"]
        found["partial_over_naive"] = found["partial"] - found["naive"]
        return found

    rng = np.random.default_rng(1)
    point = figures(np.arange(len(truth)))
    drawn = [figures(rng.integers(0, len(truth), len(truth))) for _ in range(DRAWS)]
    return {
        "pool": truth.name,
        "prompts": len(truth),
        **{
            name: [value, *np.nanquantile([one[name] for one in drawn], (0.025, 0.975)).tolist()]
            for name, value in point.items()
        },
    }


def _apgr(scores: NDArray[Any], guess: NDArray[Any], ties: NDArray[Any], best: int) -> float:
    return apgr(scores, guess[:, best] - guess[:, 0], ties, best)


def _guesses(truth: Truth, seed: int) -> dict[str, NDArray[np.float64]]:
    """Predictions of every prompt by each way, from folds that do not hold its group."""
    log = logged(truth, seed)
    folds = assign_folds(truth.groups, FOLDS, seed)
    found = {way: np.empty(truth.scores.shape) for way in WAYS}
    for fold in range(FOLDS):
        inside, outside = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        for way, prepare in WAYS.items():
            data = prepare(truth.take(inside), log.take(inside), seed * FOLDS + fold)
            found[way][outside] = predict_table(fit(data, seed=seed).predictor, truth.features.take(outside))
    return found
