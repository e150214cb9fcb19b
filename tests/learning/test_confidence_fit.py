"""The confidence model finds weights that are there, stays with the default where little is known, and is calibrated.

Answers are simulated: signals as rare as in life, priors as a predictor gives them, and outcomes drawn by known weights.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from turnout.errors import DataError
from turnout.execution.judging import DEFAULT_CONFIDENCE, SIGNAL_NAMES, ConfidenceModel, Signals
from turnout.learning.confidence_fit import MIN_ROWS, fit_confidence
from turnout.learning.metrics import calibration_error, chance_calibration_error

SHARES = {"cut": 0.06, "refusal": 0.05, "loop": 0.02, "fence_open": 0.03, "unfinished": 0.04}


def weight(model: ConfidenceModel, name: str) -> float:
    return float(model.weights[SIGNAL_NAMES.index(name)])


def truth(bias: float = 0.1, prior_weight: float = 1.0, **weights: float) -> ConfidenceModel:
    """The default with some weights changed."""
    changed = DEFAULT_CONFIDENCE.weights.copy()
    for name, value in weights.items():
        changed[SIGNAL_NAMES.index(name)] = value
    return replace(DEFAULT_CONFIDENCE, weights=changed, bias=bias, prior_weight=prior_weight)


def answers(n: int, model: ConfidenceModel, seed: int = 0) -> tuple[Any, Any, Any]:
    """Vectors, priors and scores of n answers."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(n):
        seen: dict[str, Any] = {name: bool(rng.random() < share) for name, share in SHARES.items()}
        if rng.random() < 0.4:
            seen["code_broken"] = float(rng.choice([0.0, 0.0, 0.0, 0.5, 1.0]))
        if rng.random() < 0.5:
            seen["logprob_mean"] = -float(rng.gamma(2.0, 0.15))
            seen["logprob_p10"] = 3 * seen["logprob_mean"]
            seen["logprob_low"] = min(1.0, 0.3 * -seen["logprob_mean"])
        rows.append(Signals(**seen).vector())
    vectors = np.array(rows)
    priors = 1 / (1 + np.exp(-rng.normal(1.0, 1.2, n)))
    scores = (rng.random(n) < model.predict(vectors, priors)).astype(float)
    return vectors, priors, scores


def test_known_weights_are_found() -> None:
    real = truth(bias=-0.5, prior_weight=0.7, cut=-1.0, refusal=-2.0, code_broken=-4.0, logprob_mean=2.5)
    fitted = fit_confidence(*answers(8_000, real))
    assert fitted.fitted.startswith("fitted to 8000 answers")
    assert fitted.bias == pytest.approx(-0.5, abs=0.2) and fitted.prior_weight == pytest.approx(0.7, abs=0.1)
    for name, room in (("cut", 0.4), ("refusal", 0.5), ("code_broken", 0.6)):
        assert weight(fitted, name) == pytest.approx(weight(real, name), abs=room), name
    assert weight(fitted, "logprob_mean") > weight(DEFAULT_CONFIDENCE, "logprob_mean")
    X, p, y = answers(4_000, real, seed=1)
    assert ((fitted.predict(X, p) - y) ** 2).mean() < ((DEFAULT_CONFIDENCE.predict(X, p) - y) ** 2).mean() - 0.005


def test_a_signal_that_was_never_seen_keeps_its_weight() -> None:
    fitted = fit_confidence(*answers(2_000, truth(bias=-1.5)))
    assert fitted is not DEFAULT_CONFIDENCE and fitted.bias < -0.8
    for name in ("empty", "echo", "format_broken", "off_script", "agreement"):
        assert weight(fitted, name) == weight(DEFAULT_CONFIDENCE, name)


@pytest.mark.parametrize("n", [0, 1, 20, MIN_ROWS - 1])
def test_with_few_answers_the_default_stays(n: int) -> None:
    X, p, y = answers(n, truth(bias=-3.0)) if n else (np.empty((0, len(SIGNAL_NAMES))), [], [])
    fitted = fit_confidence(X, p, y)
    assert np.array_equal(fitted.weights, DEFAULT_CONFIDENCE.weights) and fitted.bias == DEFAULT_CONFIDENCE.bias
    assert fitted.fitted == DEFAULT_CONFIDENCE.fitted and fitted.figures == {"rows": float(n), "held_out": 0.0}


def test_a_little_more_moves_it_a_little() -> None:
    fitted = fit_confidence(*answers(150, truth(bias=-1.5, cut=0.0)))
    assert -1.5 < fitted.bias < 0.0
    assert weight(DEFAULT_CONFIDENCE, "cut") <= weight(fitted, "cut") < -1.0


def test_the_default_stays_where_it_is_right() -> None:
    for seed in range(3):
        fitted = fit_confidence(*answers(400, DEFAULT_CONFIDENCE, seed))
        assert np.abs(fitted.weights - DEFAULT_CONFIDENCE.weights).max() < 0.8
        if fitted.fitted != DEFAULT_CONFIDENCE.fitted:
            assert fitted.figures["log_loss"] < fitted.figures["default_log_loss"]


def test_it_is_calibrated_after_5000_answers() -> None:
    real = truth(bias=-0.8, prior_weight=0.6, cut=-1.5, refusal=-3.0, code_broken=-3.0)
    fitted = fit_confidence(*answers(5_000, real))
    X, p, y = answers(20_000, real, seed=9)
    guess = fitted.predict(X, p)
    assert calibration_error(guess, y) < chance_calibration_error(guess) + 0.02
    assert calibration_error(DEFAULT_CONFIDENCE.predict(X, p), y) > 0.08


def test_figures_are_those_of_held_out_answers() -> None:
    real = truth(bias=-0.8, cut=-1.5)
    fitted = fit_confidence(*answers(1_500, real))
    figures = fitted.figures
    assert figures["rows"] == figures["held_out"] == 1_500
    assert figures["log_loss"] < figures["default_log_loss"] and figures["brier"] < figures["default_brier"]
    assert figures["calibration_error"] < figures["default_calibration_error"]
    X, p, y = answers(5_000, real, seed=3)
    assert figures["brier"] == pytest.approx(((fitted.predict(X, p) - y) ** 2).mean(), abs=0.02)


def test_fractions_of_a_score_count_as_shares() -> None:
    X, p, y = answers(3_000, truth(bias=-1.0, cut=-1.0))
    chances = truth(bias=-1.0, cut=-1.0).predict(X, p)
    assert fit_confidence(X, p, chances).bias == pytest.approx(fit_confidence(X, p, y).bias, abs=0.3)
    assert fit_confidence(X, p, chances).bias == pytest.approx(-1.0, abs=0.15)


def test_copies_of_an_answer_in_one_group_cannot_confirm_themselves() -> None:
    X, p, _ = answers(60, DEFAULT_CONFIDENCE)
    y = np.random.default_rng(4).integers(0, 2, 60).astype(float)  # outcomes that nothing explains
    X, p, y = (np.repeat(values, 12, axis=0) for values in (X, p, y))
    groups = np.repeat([f"g{number}" for number in range(60)], 12)
    alone, together = fit_confidence(X, p, y), fit_confidence(X, p, y, groups=list(groups))
    assert together.figures["log_loss"] > alone.figures["log_loss"]


def test_by_time_the_past_is_judged_by_what_follows() -> None:
    early, late = answers(1_000, truth(bias=-2.0), 1), answers(1_000, truth(bias=2.0), 2)
    X, p, y = (np.concatenate(pair) for pair in zip(early, late, strict=True))
    by_time = fit_confidence(X, p, y, times=np.arange(2_000.0))
    assert by_time.figures["held_out"] == 1_600
    assert by_time.figures["log_loss"] > fit_confidence(X, p, y).figures["log_loss"]


def test_the_same_answers_give_the_same_model() -> None:
    data = answers(500, truth(bias=-2.0))
    assert fit_confidence(*data).weights.tolist() == fit_confidence(*data).weights.tolist()


def test_answers_that_all_failed_do_not_break_it() -> None:
    X, p, _ = answers(200, DEFAULT_CONFIDENCE)
    fitted = fit_confidence(X, p, np.zeros(200))
    assert np.isfinite(fitted.weights).all() and fitted.predict(X, p).max() < 0.5


@pytest.mark.parametrize(
    "change",
    [
        {"vectors": np.zeros((100, 3))},
        {"vectors": np.zeros(100)},
        {"vectors": np.full((100, len(SIGNAL_NAMES)), np.nan)},
        {"priors": np.zeros(99)},
        {"priors": np.full(100, np.nan)},
        {"scores": np.full(100, 1.5)},
        {"scores": np.full(100, np.nan)},
    ],
)
def test_tables_that_do_not_fit_are_refused(change: dict[str, Any]) -> None:
    table = {
        "vectors": np.zeros((100, len(SIGNAL_NAMES))),
        "priors": np.full(100, 0.5),
        "scores": np.ones(100),
        **change,
    }
    with pytest.raises(DataError, match=r"confidence needs|not finite"):
        fit_confidence(table["vectors"], table["priors"], table["scores"])
