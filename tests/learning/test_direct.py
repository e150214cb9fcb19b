"""The direct models learn what chosen candidates show of all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.learning.partial_logs import World

from turnout.learning import direct, direct_blend, direct_own, direct_text

Model = Callable[..., Any]
BOTH = pytest.mark.parametrize("expected_scores", [direct.expected_scores, direct_blend.expected_scores])


@BOTH
def test_what_was_not_asked_is_expected_from_what_was(expected_scores: Model) -> None:
    world = World(3000)
    expected = expected_scores(world.log)
    assert expected.shape == (3000, 2)
    assert np.corrcoef(expected[:, 0], world.chance[:, 0])[0, 1] > 0.4
    assert np.abs(expected.mean(0) - world.chance.mean(0)).max() < 0.08


@BOTH
def test_no_row_is_expected_by_what_saw_its_group(expected_scores: Model) -> None:
    world = World(60)
    log = replace(world.log, groups=np.zeros(60, np.int64))
    assert np.allclose(expected_scores(log), 0.5)  # all in one fold: nothing to learn from


@BOTH
def test_a_candidate_without_results_is_expected_like_the_others(expected_scores: Model) -> None:
    world = World(400)
    log = replace(world.log, scores=np.where(np.array([[True, False]]), world.log.scores, np.nan).astype(np.float32))
    expected = expected_scores(log)
    assert np.isfinite(expected).all()
    assert abs(expected[:, 1].mean() - expected[:, 0].mean()) < 0.1


@BOTH
def test_rows_that_count_for_nothing_teach_nothing(expected_scores: Model) -> None:
    world = World(2000)
    spoilt = world.log.scores.copy()
    spoilt[1000:] = np.where(np.isfinite(spoilt[1000:]), 0.0, np.nan)
    log = replace(world.log, scores=spoilt)
    weights = np.where(np.arange(2000) < 1000, 1.0, 1e-9)
    assert abs(expected_scores(log, weights)[:, 1].mean() - 0.85) < 0.12


def test_who_is_nearly_always_right_is_not_expected_less_often_right() -> None:
    world = World(3000)
    hard = world.features.dense[:, 0] > 1.5
    results = np.where(hard[:, None], 0.3, [[0.9, 1.0]]).astype(np.float32)
    log = replace(world.log, scores=np.where(np.isfinite(world.log.scores), results, np.nan).astype(np.float32))
    expected = direct_blend.expected_scores(log)
    assert expected.mean(0) == pytest.approx(results.mean(0), abs=0.01)


def test_what_is_seldom_tried_counts_more_but_not_alone() -> None:
    log = World(500, exploration=0.01).log
    _, _, weight = direct.known_cells(log, np.arange(500), 0, None)
    assert weight.max() <= direct.MAX_FIT_WEIGHT and weight.min() >= 1.0


def test_candidates_that_are_good_at_opposite_things_are_told_apart() -> None:
    world = World(1200)
    side = world.features.dense[:, 0] > 0
    chance = np.stack([np.where(side, 0.2, 0.8), np.where(side, 0.8, 0.2)], axis=1)
    results = (np.random.default_rng(4).random(chance.shape) < chance).astype(np.float32)
    log = replace(world.log, scores=np.where(np.isfinite(world.log.scores), results, np.nan).astype(np.float32))
    rows = np.arange(1200)
    inside, outside = rows[:900], rows[900:]
    shared, own = (model.expected(log, inside, outside, None) for model in (direct_text, direct_own))
    blended = direct_blend.expected_scores(log)[outside]

    def error(expected: Any) -> float:
        return float(((expected - chance[outside]) ** 2).mean())

    assert error(own) < error(shared)
    assert error(blended) < error(shared) and error(blended) < 1.1 * error(own)


def test_one_row_is_expected_to_be_as_usual() -> None:
    log = World(1).log
    assert direct_blend.expected_scores(log).tolist() == [[0.5, 0.5]]
