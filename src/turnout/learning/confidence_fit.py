"""Fitting the confidence model to answers whose score is known: logistic regression, shrunk towards the default.

What is fitted is the difference from the default's weights under a quadratic penalty, so that a signal that was hardly
seen keeps the weight that was set by hand. The result has to beat the default on answers that it did not see; else the
default stays. scikit-learn's logistic regression can hold no offset, so the same loss is minimised here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize

from turnout.errors import DataError
from turnout.execution.judging.confidence import DEFAULT_CONFIDENCE, ConfidenceModel, expit, prior_logits
from turnout.execution.judging.signals import SIGNAL_NAMES
from turnout.learning.metrics import calibration_error

PENALTY: Final = 2.0
"""Half of it times the squared difference from the default is added to the summed log loss: a weight goes half-way to what
the data say after some 12 answers with its signal, good and bad mixed. Simulated with 60 to 500 answers, 1, 2, 5 and 10 gain
.10, .10, .10 and .09 nats of log loss where the default is wrong and lose .003, .002, .002 and .001 where it is right."""

COMMON_PENALTY: Final = 1.0
"""The same for the bias and the prior's weight, of which every answer tells something."""

FOLDS: Final = 5
MIN_ROWS: Final = 60
"""Fewer are not enough to tell on held-out answers which of two models is better."""

MIN_RELATIVE_GAIN: Final = 0.01
"""A fitted model serves if it lowers held-out log loss by 1 % without raising the Brier score."""

Array = NDArray[np.float64]


def fit_confidence(
    vectors: ArrayLike,
    priors: ArrayLike,
    scores: ArrayLike,
    *,
    groups: Sequence[str] | None = None,
    times: ArrayLike | None = None,
    default: ConfidenceModel = DEFAULT_CONFIDENCE,
    seed: int = 0,
) -> ConfidenceModel:
    """A confidence model for the answers of the past, or the default where it is not better.

    `figures` of the result hold `rows`, `held_out`, and of the fitted model and the default, each on held-out folds,
    `brier`, `log_loss`, `calibration_error` and `default_brier`, `default_log_loss`, `default_calibration_error`.

    Args:
        vectors: rows of `Signals.vector`, (n, len(SIGNAL_NAMES)).
        priors: the predictor's p_success for each, (n,).
        scores: how good the answers were, (n,), in [0, 1]; fractions count as shares.
        groups: answers of one group are never on both sides of a fold, (n,); the conversation or the prompt.
        times: seconds on any clock, (n,); given instead of groups, each fold is judged by what came before it.
        default: what is shrunk to.
        seed: of the folds.

    Raises:
        DataError: shapes do not fit together, a value is not finite, or a score is outside [0, 1].
    """
    X, p, y = _checked(vectors, priors, scores)
    if len(y) < MIN_ROWS:
        return replace(default, figures={"rows": float(len(y)), "held_out": 0.0})
    held_out = np.full(len(y), np.nan)
    for fit, judge in _folds(len(y), groups, times, seed):
        held_out[judge] = _fit(X[fit], p[fit], y[fit], default).predict(X[judge], p[judge])
    seen = np.isfinite(held_out)
    if not seen.any():  # all of one group
        return replace(default, figures={"rows": float(len(y)), "held_out": 0.0})
    new, old = _figures(held_out[seen], y[seen]), _figures(default.predict(X[seen], p[seen]), y[seen])
    figures = {
        "rows": float(len(y)),
        "held_out": float(seen.sum()),
        **new,
        **{f"default_{name}": value for name, value in old.items()},
    }
    better = new["log_loss"] < (1 - MIN_RELATIVE_GAIN) * old["log_loss"] and new["brier"] <= old["brier"]
    if not better:
        return replace(default, figures=figures)
    fitted = f"fitted to {len(y)} answers, shrunk to the default"
    return replace(_fit(X, p, y, default), fitted=fitted, figures=figures)


def _checked(vectors: ArrayLike, priors: ArrayLike, scores: ArrayLike) -> tuple[Array, Array, Array]:
    X, p, y = (np.asarray(values, np.float64) for values in (vectors, priors, scores))
    if X.ndim != 2 or X.shape[1] != len(SIGNAL_NAMES) or p.shape != y.shape or y.shape != X.shape[:1]:
        raise DataError(
            f"confidence needs vectors (n, {len(SIGNAL_NAMES)}) with n priors and n scores, got {X.shape}, {p.shape}, {y.shape}"
        )
    if not (np.isfinite(X).all() and np.isfinite(p).all() and ((y >= 0) & (y <= 1)).all()):
        raise DataError("a signal or prior is not finite, or a score is outside [0, 1]")
    return X, p, y


def _folds(n: int, groups: Sequence[str] | None, times: ArrayLike | None, seed: int) -> Iterator[tuple[Any, Any]]:
    """Rows to fit on and rows to judge by: whole groups apart, or the past before what follows."""
    if times is not None and groups is None:
        blocks = np.array_split(np.argsort(np.asarray(times), kind="stable"), FOLDS)
        for number in range(1, FOLDS):
            yield np.concatenate(blocks[:number]), blocks[number]
        return
    names, group = np.unique(np.arange(n) if groups is None else np.asarray(groups), return_inverse=True)
    fold = np.random.default_rng(seed).permutation(len(names))[group] % FOLDS
    for number in range(FOLDS):
        judge = fold == number
        if judge.any() and not judge.all():
            yield ~judge, judge


def _fit(X: Array, p: Array, y: Array, default: ConfidenceModel) -> ConfidenceModel:
    """The minimum of the penalised loss over the differences of weights, bias and prior weight from the default."""
    inputs = np.column_stack([X, np.ones(len(X)), prior_logits(p)])
    start = np.concatenate([default.weights, [default.bias, default.prior_weight]])
    offset = inputs @ start
    penalty = np.full(len(start), PENALTY)
    penalty[-2:] = COMMON_PENALTY

    def loss(change: Array) -> tuple[float, Array]:
        logits = offset + inputs @ change
        value = np.logaddexp(0.0, logits) - y * logits
        slope = inputs.T @ (np.asarray(expit(logits)) - y)
        return float(value.sum() + penalty @ change**2 / 2), slope + penalty * change

    found = minimize(loss, np.zeros(len(start)), jac=True, method="L-BFGS-B", options={"maxiter": 500})
    weights = start + found.x
    return replace(default, weights=weights[:-2], bias=float(weights[-2]), prior_weight=float(weights[-1]))


def _figures(guess: Array, y: Array) -> dict[str, float]:
    held = np.clip(guess, 1e-6, 1 - 1e-6)
    return {
        "brier": float(((guess - y) ** 2).mean()),
        "log_loss": float(-(y * np.log(held) + (1 - y) * np.log1p(-held)).mean()),
        "calibration_error": calibration_error(guess, y),
    }
