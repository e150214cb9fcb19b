"""Estimates of policies from logs, held against the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.learning.partial_logs import NAMES, World

from turnout.learning.logged import from_scores
from turnout.learning.offpolicy import ESTIMATORS, MAX_WEIGHT, _interval, _resampled, difference, estimate, evidence

DRAWS = 200


def test_every_estimator_but_the_direct_one_finds_the_worth_of_a_policy() -> None:
    world = World(6000)
    model = np.full(world.scores.shape, 0.5)  # a model that knows nothing
    found = estimate(world.log, world.wise, model, draws=DRAWS)
    worth = world.worth(world.wise)
    for name in ("ips", "snips", "dr"):
        figure = getattr(found, name)
        assert figure.low < worth < figure.high and abs(figure.value - worth) < 0.03, name
    assert found.direct.value == pytest.approx(0.5)
    assert not found.support.problem and found.support.scored == 6000


def test_with_the_true_model_the_doubly_robust_interval_is_the_narrowest() -> None:
    world = World(3000)
    found = estimate(world.log, world.wise, world.chance, draws=DRAWS)
    widths = {name: getattr(found, name).high - getattr(found, name).low for name in ESTIMATORS}
    assert widths["direct"] < widths["dr"] < widths["ips"]


def test_the_policy_that_wrote_the_log_is_worth_the_mean_of_its_scores() -> None:
    world = World(500)
    certain = replace(world.log, propensity=np.ones(500))
    found = estimate(certain, world.policy(world.chosen), np.zeros((500, 2)), draws=DRAWS)
    mean = float(world.log.score.mean())
    assert found.ips.value == pytest.approx(mean) == found.dr.value and found.support.unsupported == 0.0


def test_where_the_log_never_tried_nothing_is_concluded() -> None:
    world = World(500)
    certain = replace(world.log, propensity=np.ones(500))
    found = estimate(certain, world.policy(1 - world.chosen), np.zeros((500, 2)), draws=DRAWS)
    assert found.support.unsupported == 1.0
    assert "switch exploration on" in found.support.problem


def test_too_few_effective_decisions_conclude_nothing() -> None:
    world = World(40)
    found = estimate(world.log, world.wise, world.chance, draws=DRAWS)
    assert found.support.effective_rows < 40 and "30 are needed" in found.support.problem


def test_few_effective_rows_widen_an_interval_as_students_distribution_does() -> None:
    drawn = np.random.default_rng(0).normal(0.5, 0.1, 100_000)
    few, many = _interval(0.5, drawn, 11.0), _interval(0.5, drawn, 1e6)
    assert (few.high - few.low) / (many.high - many.low) == pytest.approx(2.228 / 1.960, rel=1e-3)
    assert many.high - many.low == pytest.approx(2 * 1.96 * 0.1, rel=0.02)
    assert np.isfinite(_interval(0.5, drawn, 0.0).low)


def test_of_inverse_propensities_only_successes_count_as_rows() -> None:
    world = World(1500, exploration=0.3)
    seldom = np.where(np.random.default_rng(3).random(world.scores.shape) < 0.2, world.scores, 0).astype(np.float32)
    log = from_scores(NAMES, world.features, np.arange(1500), seldom, world.chosen, world.propensity)
    target = world.policy(1 - world.usual)
    found = estimate(log, target, world.chance)
    seen = evidence(log, target, world.chance)
    weighted = seen.weight * seen.reward
    rows = weighted.sum() ** 2 / (weighted**2).sum()
    assert rows < found.support.effective_rows
    drawn = _resampled(weighted[None], 0, 1000)[0] / 1500
    narrow, wide = (_interval(float(weighted.mean()), drawn, each) for each in (found.support.effective_rows, rows))
    assert found.ips.high - found.ips.low == pytest.approx(wide.high - wide.low, rel=1e-9)
    assert wide.high - wide.low > narrow.high - narrow.low


def test_results_that_are_seldom_known_of_one_candidate_do_not_bend_the_estimate() -> None:
    world = World(12_000)
    log = world.log
    known = np.random.default_rng(1).random(12_000) < np.where(log.chosen == 0, 0.3, 0.9)
    log = replace(log, scores=np.where(known[:, None], log.scores, np.nan).astype(np.float32))
    found = estimate(log, world.wise, np.full((12_000, 2), 0.5), draws=DRAWS)
    assert found.dr.low < world.worth(world.wise) < found.dr.high


def test_a_difference_varies_only_where_two_policies_differ() -> None:
    world = World(4000)
    other = world.wise.copy()
    other[:400] = other[:400, ::-1]
    told = difference(world.log, world.wise, other, world.chance, draws=DRAWS)
    assert told.differ == pytest.approx(0.1)
    alone = estimate(world.log, world.wise, world.chance, draws=DRAWS).dr
    assert told.score.high - told.score.low < alone.high - alone.low
    truth = world.worth(world.wise) - world.worth(other)
    assert told.score.low < truth < told.score.high and told.likely_better > 0.9


def test_equal_policies_differ_by_nothing() -> None:
    world = World(200)
    told = difference(world.log, world.wise, world.wise, world.chance, draws=DRAWS)
    assert (told.score.value, told.score.low, told.score.high, told.differ) == (0.0, 0.0, 0.0, 0.0)


def test_weights_are_clipped_and_that_is_told() -> None:
    world = World(300)
    tiny = replace(world.log, propensity=np.full(300, 1e-6))
    seen = evidence(tiny, world.policy(world.chosen), world.chance)
    assert seen.weight.max() == MAX_WEIGHT and seen.clipped.all()
    assert estimate(tiny, world.policy(world.chosen), world.chance, draws=DRAWS).support.clipped == 1.0


def test_many_rows_take_no_more_draws_than_few_and_give_the_same_interval() -> None:
    world = World(30_000)
    found = estimate(world.log, world.wise, world.chance, draws=DRAWS).dr
    spread = evidence(world.log, world.wise, world.chance).robust.std() / np.sqrt(30_000)
    assert found.high - found.low == pytest.approx(2 * 1.96 * spread, rel=0.2)


@pytest.mark.parametrize("shape", [(10, 3), (9, 2)])
def test_a_target_of_another_shape_is_refused(shape: tuple[int, int]) -> None:
    world = World(10)
    with pytest.raises(ValueError, match="must both have shape"):
        evidence(world.log, np.ones(shape) / shape[1], world.chance)


def test_probabilities_that_do_not_sum_to_one_are_refused() -> None:
    world = World(10)
    with pytest.raises(ValueError, match="sum to 1"):
        evidence(world.log, np.ones((10, 2)), world.chance)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 60), st.integers(0, 1000), st.floats(0.0, 1.0))
def test_estimates_are_numbers_whatever_is_known(n: int, seed: int, share: float) -> None:
    world = World(n, seed)
    known = np.random.default_rng(seed).random(n) < share
    log = replace(world.log, scores=np.where(known[:, None], world.log.scores, np.nan).astype(np.float32))
    found = estimate(log, world.wise, world.chance, draws=20)
    assert np.isfinite([found.direct.value, found.ips.value, found.dr.value]).all()
    assert 0.0 <= found.support.unsupported <= 1.0 and found.support.effective_rows <= n + 1e-6
