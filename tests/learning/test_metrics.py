"""Figures against plain computations of the same, and what they must be at their ends."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from turnout.learning.metrics import (
    Interval,
    apgr,
    best_single,
    bootstrap,
    calibration_error,
    chance_calibration_error,
    collapse_alarm,
    lookup,
    offload_share,
    quality_curve,
    routing_figures,
    selection_entropy_bits,
)

Array = NDArray[np.float64]


def pool(seed: int, n: int = 60, n_candidates: int = 3) -> tuple[Array, Array, NDArray[np.str_]]:
    """Scores with a gap, predictions that know something, datasets."""
    rng = np.random.default_rng(seed)
    chance = np.linspace(0.3, 0.8, n_candidates)
    scores = (rng.random((n, n_candidates)) < chance).astype(float)
    guess = np.clip(0.3 * scores + 0.4 * rng.random(scores.shape) + 0.1, 0, 1)
    return scores, guess, rng.choice(["law", "math", "code"], n)


# The curve and the area under it


@given(st.integers(0, 500))
def test_the_curve_sends_the_largest_gains_to_the_best_first(seed: int) -> None:
    scores, guess, _ = pool(seed, n=25)
    best = best_single(scores)
    gain = guess[:, best] - guess[:, 0]
    curve = quality_curve(scores, gain, np.zeros(25))
    order = sorted(range(25), key=lambda row: -gain[row])
    for sent in range(26):
        strong = set(order[:sent])
        mean = np.mean([scores[row, best if row in strong else 0] for row in range(25)])
        assert curve[sent] == pytest.approx(mean)


@given(st.integers(0, 500))
def test_the_gap_recovered_is_the_mean_over_all_shares(seed: int) -> None:
    scores, guess, _ = pool(seed, n=25)
    best = best_single(scores)
    gain = guess[:, best] - guess[:, 0]
    low, high = scores[:, 0].mean(), scores[:, best].mean()
    curve = quality_curve(scores, gain, np.zeros(25))
    if high - low < 1e-9:
        assert math.isnan(apgr(scores, gain, np.zeros(25)))
        return
    recovered = [(mean - low) / (high - low) for mean in curve]
    area = sum((a + b) / 2 for a, b in pairwise(recovered)) / 25
    assert apgr(scores, gain, np.zeros(25)) == pytest.approx(area)


def test_random_gains_recover_half_the_gap() -> None:
    rng = np.random.default_rng(0)
    scores, _, _ = pool(0, n=400)
    draws = [apgr(scores, rng.random(400), np.zeros(400)) for _ in range(200)]
    assert np.mean(draws) == pytest.approx(0.5, abs=0.02)


def test_without_any_estimate_ties_are_broken_by_lot() -> None:
    scores, _, _ = pool(0, n=400)
    ties = np.random.default_rng(1).random((200, 400))
    assert np.mean([apgr(scores, np.zeros(400), row) for row in ties]) == pytest.approx(0.5, abs=0.02)


@given(st.integers(0, 500))
def test_nothing_beats_the_oracle(seed: int) -> None:
    figures = routing_figures(*pool(seed))
    assert figures["apgr_oracle"] >= figures["apgr"] - 1e-12
    assert figures["apgr_oracle"] >= figures["apgr_dataset_lookup"] - 1e-12
    assert figures["offload_1pt_oracle"] >= figures["offload_1pt"]
    assert figures["accuracy_oracle"] >= max(figures["accuracy"], figures["accuracy_best_single"])
    assert figures["accuracy_best_single"] >= figures["accuracy_cheapest"]
    assert figures["apgr_random"] == 0.5


def test_predictions_that_are_the_scores_are_the_oracle() -> None:
    scores, _, dataset = pool(3)
    figures = routing_figures(scores, scores, dataset)
    for own, oracle in (
        ("apgr", "apgr_oracle"),
        ("offload_1pt", "offload_1pt_oracle"),
        ("accuracy", "accuracy_oracle"),
    ):
        assert figures[own] == figures[oracle]
    assert figures["brier"] == figures["calibration_error"] == 0


def test_a_pool_without_a_gap_has_nothing_to_recover() -> None:
    scores = np.ones((20, 2))
    figures = routing_figures(scores, pool(0, 20, 2)[1], np.full(20, "d"))
    assert math.isnan(figures["apgr"]) and math.isnan(figures["apgr_oracle"])
    assert figures["offload_1pt"] == figures["offload_1pt_random"] == 1.0
    assert figures["accuracy"] == 1.0


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_few_prompts_have_figures_too(n: int) -> None:
    scores, guess, dataset = pool(0, n, 2)
    assert routing_figures(scores, guess, dataset)["accuracy_oracle"] >= scores.mean()


# Offloading


@given(st.integers(0, 500))
def test_the_offloaded_share_loses_at_most_one_point(seed: int) -> None:
    scores, guess, _ = pool(seed, n=150)
    best = best_single(scores)
    gain = guess[:, best] - guess[:, 0]
    share = offload_share(scores, gain, np.zeros(150))
    order = np.argsort(gain, kind="stable")

    def loss(kept: int) -> float:
        return float((scores[order[:kept], best] - scores[order[:kept], 0]).sum() / 150)

    allowed = [kept for kept in range(151) if loss(kept) <= 0.01 + 1e-9]
    assert share == pytest.approx(max(allowed) / 150)


# Calibration


@given(st.integers(0, 500), st.integers(1, 20))
def test_the_calibration_error_is_the_mean_gap_of_the_bins(seed: int, bins: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.choice([0.0, 1.0, 0.5, rng.random()], 40) if seed % 2 else rng.random(40)
    success = (rng.random(40) < 0.5).astype(float)
    members: dict[int, list[int]] = {}
    for row in range(40):
        members.setdefault(min(int(p[row] * bins), bins - 1), []).append(row)
    expected = sum(len(rows) / 40 * abs(p[rows].mean() - success[rows].mean()) for rows in members.values())
    assert calibration_error(p, success, bins) == pytest.approx(expected, abs=1e-12)


def test_certain_and_right_has_no_error_and_certain_and_wrong_has_all() -> None:
    truth = np.array([0.0, 1.0, 1.0, 0.0])
    assert calibration_error(truth, truth) == 0
    assert calibration_error(1 - truth, truth) == 1


def test_a_perfect_model_shows_some_error_by_chance_and_less_with_more_prompts() -> None:
    few, many = (chance_calibration_error(np.random.default_rng(8).random(n)) for n in (100, 10_000))
    assert 0.02 < few < 0.2
    assert many < few / 5


# Yardsticks


@given(st.integers(0, 500))
def test_the_lookup_knows_the_means_of_the_other_half_only(seed: int) -> None:
    scores, _, dataset = pool(seed, n=30)
    fit = np.random.default_rng(seed + 1).random(30) < 0.4
    if not fit.any():
        return
    found = lookup(scores, dataset, fit, ~fit)
    for estimate, name in zip(found, dataset[~fit], strict=True):
        known = [scores[row] for row in range(30) if fit[row] and dataset[row] == name]
        np.testing.assert_allclose(estimate, np.mean(known or scores[fit], axis=0))


def test_the_lookup_recovers_what_datasets_alone_explain() -> None:
    rng = np.random.default_rng(0)
    dataset = rng.choice(["easy", "hard"], 2000)
    scores = np.stack([(dataset == "easy").astype(float), np.ones(2000)], axis=1)
    figures = routing_figures(scores, rng.random((2000, 2)), dataset)
    assert figures["apgr_dataset_lookup"] == pytest.approx(figures["apgr_oracle"], abs=0.02)
    assert figures["apgr"] == pytest.approx(0.5, abs=0.05)


def test_the_best_single_is_the_one_of_the_highest_mean() -> None:
    assert best_single(np.array([[0, 1, 0.5], [0, 0, 0.6]])) == 2


@pytest.mark.parametrize(
    ("choice", "bits"), [([0, 0, 0, 0], 0.0), ([0, 1, 0, 1], 1.0), ([0, 1, 2, 3], 2.0), ([3, 3], 0.0)]
)
def test_entropy_counts_how_many_are_chosen(choice: list[int], bits: float) -> None:
    assert selection_entropy_bits(np.array(choice), 4) == pytest.approx(bits)


# The alarm


def spread(n: int, winner: int) -> Array:
    guess = np.full((n, 3), 0.2)
    guess[:, winner] = 0.9
    return guess


def test_one_candidate_for_everything_raises_the_alarm_if_others_would_win_some() -> None:
    alarm = collapse_alarm(pool(0)[0], spread(60, 2))
    assert alarm is not None and "100% of the prompts" in alarm


def test_one_candidate_for_everything_is_right_where_the_oracle_says_so_too() -> None:
    assert collapse_alarm(spread(60, 2), spread(60, 2)) is None


def test_a_spread_choice_raises_no_alarm() -> None:
    scores, guess, _ = pool(0)
    assert collapse_alarm(scores, guess) is None


# Intervals


def test_intervals_hold_their_point_and_shrink_with_more_prompts() -> None:
    widths = []
    for n in (80, 2000):
        scores, guess, dataset = pool(1, n)
        found = bootstrap(
            lambda rows, s=scores, g=guess, d=dataset: routing_figures(s[rows], g[rows], d[rows]), n, draws=60
        )
        for name in ("apgr", "accuracy", "accuracy_oracle", "brier", "offload_1pt"):
            assert found[name].low <= found[name].value <= found[name].high, name
        widths.append(found["accuracy"].high - found["accuracy"].low)
    assert widths[1] < widths[0] / 3


def test_the_point_is_of_all_rows_and_draws_are_repeatable() -> None:
    values = np.random.default_rng(0).random(50)
    first, second = (bootstrap(lambda rows: {"mean": values[rows].mean()}, 50) for _ in range(2))
    assert first == second
    assert first["mean"].value == pytest.approx(values.mean())


def test_draws_without_a_value_are_left_out_of_the_interval() -> None:
    found = bootstrap(lambda rows: {"x": float("nan") if rows[0] % 2 else float(rows[0])}, 9)
    assert np.isfinite([found["x"].low, found["x"].high]).all()
    never = bootstrap(lambda rows: {"x": float("nan")}, 5)["x"]
    assert math.isnan(never.value) and math.isnan(never.low)


def test_an_interval_prints_as_value_and_bounds() -> None:
    assert str(Interval(0.5, 0.25, 0.75)) == "0.500 [0.250, 0.750]"
