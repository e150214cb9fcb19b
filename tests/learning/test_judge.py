"""The project's figures against the judge that lies beside the checkout, where it does."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from turnout.learning.metrics import apgr, calibration_error, lookup, quality_curve, routing_figures

JUDGE = Path(__file__).parents[3] / "shared" / "tools" / "score_routing.py"

SAME = {
    "apgr": "apgr",
    "apgr_oracle": "oracle_apgr",
    "accuracy": "accuracy",
    "accuracy_best_single": "best_single",
    "accuracy_cheapest": "cheapest",
    "accuracy_oracle": "oracle",
    "brier": "brier",
    "calibration_error": "ece",
    "selection_entropy_bits": "selection_entropy_bits",
    "offload_1pt_random": "random_offload_1pt",
}


@pytest.fixture(scope="module")
def judge() -> ModuleType:
    if not JUDGE.is_file():
        pytest.skip("the judge, ../shared/tools/score_routing.py, is not beside this checkout")
    spec = importlib.util.spec_from_file_location("score_routing", JUDGE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("graded", [False, True], ids=["passed or failed", "graded"])
@pytest.mark.parametrize(("seed", "n_candidates"), [(0, 2), (1, 3), (2, 8)])
def test_every_shared_figure_is_the_judges(judge: ModuleType, seed: int, n_candidates: int, graded: bool) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.random((500, n_candidates)) ** np.linspace(2, 0.5, n_candidates)
    scores = scores if graded else (scores > 0.5).astype(float)
    guess = np.clip(0.5 * scores + 0.5 * rng.random(scores.shape), 0, 1)
    dataset = rng.choice(["a", "b", "c", "d"], 500)
    expected = judge.measure(scores, guess, dataset, rng.random(500))
    found = routing_figures(scores, guess, dataset)
    for own, theirs in SAME.items():
        assert found[own] == pytest.approx(expected[theirs], abs=1e-6), own


@pytest.mark.parametrize("seed", range(5))
def test_ties_are_broken_as_the_judge_breaks_them(judge: ModuleType, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = (rng.random((300, 2)) < (0.4, 0.8)).astype(float)
    gain, ties = rng.integers(0, 4, 300) / 4, rng.random(300)
    curve = judge.gain_curve(scores, gain, 0, 1, ties)
    np.testing.assert_allclose(quality_curve(scores, gain, ties), curve, atol=1e-12)
    assert apgr(scores, gain, ties) == pytest.approx(judge.apgr(curve, scores[:, 0].mean(), scores[:, 1].mean()))


@pytest.mark.parametrize("seed", range(5))
def test_the_lookup_and_the_calibration_error_are_the_judges(judge: ModuleType, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores, dataset, fit = rng.random((200, 3)), rng.choice(["a", "b", "rare"], 200, p=[0.6, 0.38, 0.02]), None
    fit = rng.random(200) < 0.5
    np.testing.assert_allclose(lookup(scores, dataset, fit, ~fit), judge.lookup(scores, dataset, fit, ~fit))
    p, success = rng.random(200), (rng.random(200) < 0.5).astype(float)
    assert calibration_error(p, success) == pytest.approx(judge.expected_calibration_error(p, success), abs=1e-9)
