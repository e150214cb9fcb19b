"""Lines of candidates nobody has logged: told by their names, sure as far as their kind was seen."""

from __future__ import annotations

import numpy as np
import pytest
from tests.learning.base.world import SEEN, World, training_data

from turnout.descriptors import describe
from turnout.features import extract
from turnout.predictor.base import Lines
from turnout.predictor.fit_prior import design_rows
from turnout.predictor.prior import WIDTH, design

NAMES = ("qwen2.5:0.5b", "qwen2.5:14b", "mystery:7b")
ROWS = design(np.random.default_rng(0).random((20, 4)))


@pytest.fixture(scope="module")
def lines(world: World) -> Lines:
    return world.base.lines([describe(name) for name in NAMES])


def test_before_any_outcome_a_line_is_its_level_and_its_abilities(world: World, lines: Lines) -> None:
    means, _ = world.base.abilities.of([describe(name) for name in NAMES])
    np.testing.assert_array_equal(lines.mean[:, 0], 0)
    np.testing.assert_array_equal(lines.mean[:, 1], 1)
    np.testing.assert_allclose(lines.mean[:, 2:], means)


def test_a_joint_covariance_is_one(lines: Lines) -> None:
    whole = lines.covariance.reshape(3 * WIDTH, 3 * WIDTH)
    np.testing.assert_allclose(whole, whole.T, atol=1e-9)
    assert np.linalg.eigvalsh(whole).min() > -1e-9


def test_candidates_share_the_doubt_and_nothing_else(world: World, lines: Lines) -> None:
    np.testing.assert_allclose(lines.covariance[0, :, 1], np.diag(world.base.doubt**2))
    _, spread = world.base.abilities.of([describe(name) for name in NAMES])
    np.testing.assert_allclose(lines.covariance[2, 2:, 2, 2:], np.diag(world.base.doubt[2:] ** 2) + spread[2])


def test_a_stranger_has_a_wider_interval_than_one_that_was_seen(world: World) -> None:
    prior = world.base.lines([describe(name) for name in ("qwen2.5:7b", "mystery:7b")]).serve(world.base.traits)
    found = prior.expect(extract("in the function please validate the field"))
    assert (found.high - found.low)[0] < (found.high - found.low)[1]


def test_lines_and_what_is_served_of_them_say_the_same(world: World, lines: Lines) -> None:
    served = lines.serve(world.base.traits)
    np.testing.assert_allclose(served.p_success(ROWS), lines.p_success(ROWS))
    np.testing.assert_allclose(served.scores(ROWS), lines.p_success(ROWS), atol=1e-6)


def test_one_candidate_is_told_the_same_alone_as_among_others(world: World, lines: Lines) -> None:
    for at, name in enumerate(NAMES):
        alone = world.base.lines([describe(name)]).p_success(ROWS)
        np.testing.assert_allclose(alone[:, 0], lines.p_success(ROWS)[:, at], atol=1e-9)


def test_what_is_expected_of_prompts_never_seen_is_near_the_truth(world: World) -> None:
    for names in (("qwen2.5:0.5b", "qwen2.5:7b", "qwen2.5:72b"), ("gemma2:2b", "gemma2:9b", "qwen2.5:14b")):
        data, truth = training_data(200, names, seed=11)
        rows = design_rows(world.base.traits, data.dense, data.ngrams)
        expected = world.base.lines([describe(name) for name in names]).p_success(rows)
        assert np.abs(expected - truth).mean() < 0.15 < np.abs(truth - truth.mean()).mean()


def test_most_intervals_hold_the_truth(world: World) -> None:
    data, truth = training_data(200, SEEN, seed=12)
    prior = world.base.lines([describe(name) for name in SEEN]).serve(world.base.traits)
    low, high = prior.interval(design_rows(world.base.traits, data.dense, data.ngrams))
    assert ((low <= truth) & (truth <= high)).mean() > 0.8
