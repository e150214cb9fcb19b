"""Candidates' lines moved by their own outcomes: by nothing without any, to what they show with many, never by a jump."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.learning.base.world import World

from turnout.descriptors import describe
from turnout.predictor.adapt import adapt
from turnout.predictor.base import Lines
from turnout.predictor.prior import WIDTH, design

Matrix = NDArray[np.float64]

NAMES = ("qwen2.5:0.5b", "qwen2.5:7b", "mystery:7b")
MIDDLING = design(np.array([[0.5, 0.8, 0.0, 0.0]]))
"""A prompt of the code table on which the abler do better."""


@pytest.fixture(scope="module")
def lines(world: World) -> Lines:
    return world.base.lines([describe(name) for name in NAMES])


def rows_of(n: int, seed: int = 0) -> Matrix:
    rng = np.random.default_rng(seed)
    return design(np.column_stack([rng.random(n), rng.normal(0.5, 0.5, (n, 3))]))


def outcomes(n: int, chance: tuple[float, ...] = (0.2, 0.5, 0.8), seed: int = 0) -> Matrix:
    return (np.random.default_rng(seed).random((n, len(chance))) < chance).astype(float)


def assert_same(one: Lines, other: Lines, atol: float = 1e-6) -> None:
    np.testing.assert_allclose(one.mean, other.mean, atol=atol)
    np.testing.assert_allclose(one.covariance, other.covariance, atol=atol)


def variance(lines: Lines, row: Matrix) -> Matrix:
    """Of each candidate's log-odds on one prompt."""
    return np.asarray(np.einsum("k,jkjl,l->j", row, lines.covariance, row))


def some(lines: Lines, *chosen: int) -> Lines:
    """These candidates only."""
    return Lines(lines.mean[list(chosen)], lines.covariance[np.ix_(chosen, range(WIDTH), chosen, range(WIDTH))])


# Nothing known, and much


def test_without_outcomes_nothing_changes(lines: Lines) -> None:
    nothing = np.full((5, 3), np.nan)
    assert_same(adapt(lines, rows_of(0), np.empty((0, 3))), lines)
    assert_same(adapt(lines, rows_of(5), nothing), lines)
    assert_same(adapt(lines, rows_of(5), outcomes(5), np.zeros(5)), lines)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.97])
def test_many_outcomes_on_one_kind_of_prompt_are_believed(lines: Lines, share: float) -> None:
    n = 4000
    scores = np.tile((np.arange(n) < share * n).astype(float)[:, None], (1, 3))
    after = adapt(lines, np.repeat(MIDDLING, n, axis=0), scores)
    np.testing.assert_allclose(after.p_success(MIDDLING)[0], share, atol=0.02)


def test_outcomes_that_follow_other_lines_are_found_back(lines: Lines) -> None:
    # Other abilities for each, another hardness for all.
    rng, rows = np.random.default_rng(4), rows_of(6000, seed=4)
    truth = lines.mean + np.hstack([np.tile([-0.8, 0.2], (3, 1)), rng.normal(0, 0.7, (3, WIDTH - 2))])
    chance = 1 / (1 + np.exp(-rows @ truth.T))
    after = adapt(lines, rows, (rng.random(chance.shape) < chance).astype(float))
    assert np.abs(after.p_success(rows) - chance).mean() < 0.02 < np.abs(lines.p_success(rows) - chance).mean()


def test_more_outcomes_leave_less_doubt(lines: Lines) -> None:
    left = [variance(adapt(lines, rows_of(n), outcomes(n)), MIDDLING[0]) for n in (0, 3, 30, 300)]
    assert (np.diff(left, axis=0) < 0).all()


# Step by step


ROW = st.lists(st.floats(-2, 2), min_size=4, max_size=4).map(lambda traits: design(np.array([traits])))


@given(row=ROW, score=st.floats(0, 1), candidate=st.integers(0, 2))
def test_one_outcome_moves_nothing_by_a_jump(lines: Lines, row: Matrix, score: float, candidate: int) -> None:
    scores = np.full((1, 3), np.nan)
    scores[0, candidate] = score
    after = adapt(lines, row, scores)
    moved = np.abs((after.mean - lines.mean) @ row[0])
    assert moved.max() <= variance(lines, row[0]).max() + 1e-6, "an outcome differs from what was expected by 1 at most"


def test_one_outcome_on_an_ordinary_prompt_moves_a_chance_by_a_little(lines: Lines) -> None:
    before = lines.p_success(MIDDLING)
    for score in (0.0, 1.0):
        after = adapt(lines, MIDDLING, np.full((1, 3), score)).p_success(MIDDLING)
        assert 0.005 < np.abs(after - before).max() < 0.2
        assert ((after > before) == (score == 1.0)).all()


def test_outcomes_move_a_chance_a_little_at_a_time(lines: Lines) -> None:
    passed = [adapt(lines, np.repeat(MIDDLING, n, axis=0), np.ones((n, 3))).p_success(MIDDLING)[0] for n in range(12)]
    steps = np.diff(passed, axis=0)
    assert (steps > 0).all() and (steps < 0.2).all()
    assert (steps[-1] < steps[0]).all()


def test_candidates_without_outcomes_learn_from_what_all_share(lines: Lines) -> None:
    scores = np.full((60, 3), np.nan)
    scores[:, 0] = 0.0
    after = adapt(lines, np.repeat(MIDDLING, 60, axis=0), scores)
    fall = (lines.p_success(MIDDLING) - after.p_success(MIDDLING))[0]
    assert (fall > 0.02).all(), "such prompts are harder than they look, for all"
    moved = ((lines.mean - after.mean) @ MIDDLING[0]).tolist()
    assert moved[0] > max(moved[1:])


def test_a_candidate_that_shares_nothing_learns_nothing_from_others(lines: Lines) -> None:
    alone = lines.covariance.copy()
    for one in range(3):
        for other in range(3):
            if one != other:
                alone[one, :, other] = 0
    scores = np.full((20, 3), np.nan)
    scores[:, 0] = 1.0
    after = adapt(Lines(lines.mean, alone), rows_of(20), scores)
    np.testing.assert_allclose(after.mean[1:], lines.mean[1:], atol=1e-9)
    np.testing.assert_allclose(after.covariance[1], alone[1], atol=1e-9)


# What counts


def test_a_weight_of_none_counts_for_nothing_and_one_of_two_twice(lines: Lines) -> None:
    rows, scores = rows_of(6), outcomes(6)
    weights = np.array([1.0, 0.0, 2.0, 1.0, 0.0, 1.0])
    order = [0, 2, 2, 3, 5]
    assert_same(adapt(lines, rows, scores, weights), adapt(lines, rows[order], scores[order]))


def test_an_unknown_score_counts_for_nothing(lines: Lines) -> None:
    rows, scores = rows_of(6), outcomes(6)
    scores[4:] = np.nan
    assert_same(adapt(lines, rows, scores), adapt(lines, rows[:4], scores[:4]))


def test_half_a_success_twice_is_one_of_two(lines: Lines) -> None:
    rows = np.repeat(MIDDLING, 2, axis=0)
    both = np.array([[0.0] * 3, [1.0] * 3])
    assert_same(adapt(lines, rows, np.full((2, 3), 0.5)), adapt(lines, rows, both))


def test_the_order_of_outcomes_changes_nothing(lines: Lines) -> None:
    rows, scores = rows_of(40), outcomes(40)
    order = np.random.default_rng(1).permutation(40)
    assert_same(adapt(lines, rows[order], scores[order]), adapt(lines, rows, scores))


def test_the_order_of_candidates_changes_nothing(lines: Lines) -> None:
    rows, scores = rows_of(40), outcomes(40)
    assert_same(adapt(some(lines, 2, 0, 1), rows, scores[:, [2, 0, 1]]), some(adapt(lines, rows, scores), 2, 0, 1))


# Odd distributions and outcomes


def test_lines_that_are_certain_stay_where_they_are(lines: Lines) -> None:
    certain = Lines(lines.mean, np.zeros_like(lines.covariance))
    assert_same(adapt(certain, rows_of(50), outcomes(50)), certain)


def test_a_covariance_without_room_in_most_directions_is_no_obstacle(lines: Lines) -> None:
    # Both are one candidate under two names: what one shows, the other can.
    one = lines.covariance[0, :, 0]
    twins = Lines(
        np.repeat(lines.mean[:1], 2, axis=0), np.broadcast_to(one[None, :, None], (2, WIDTH, 2, WIDTH)).copy()
    )
    scores = np.full((30, 2), np.nan)
    scores[:, 0] = outcomes(30)[:, 0]
    after = adapt(twins, rows_of(30), scores)
    np.testing.assert_allclose(after.mean[1], after.mean[0], atol=1e-6)
    alone = adapt(Lines(twins.mean[:1], one[None, :, None]), rows_of(30), scores[:, :1])
    np.testing.assert_allclose(after.mean[0], alone.mean[0], atol=1e-6)


@given(
    n=st.integers(1, 30),
    seed=st.integers(0, 1000),
    width=st.floats(0, 50),
    share=st.sampled_from([0.0, 0.5, 1.0]),
    count=st.floats(0, 1e5),
)
def test_whatever_the_outcomes_lines_stay_lines(
    lines: Lines, n: int, seed: int, width: float, share: float, count: float
) -> None:
    rng = np.random.default_rng(seed)
    scores = np.where(rng.random((n, 3)) < 0.3, np.nan, rng.choice([share, rng.random()], (n, 3)))
    before = Lines(lines.mean, lines.covariance * width)
    after = adapt(before, rows_of(n, seed), scores, np.full(n, count))
    whole = after.covariance.reshape(3 * WIDTH, -1)
    assert np.isfinite(after.mean).all()
    np.testing.assert_allclose(whole, whole.T, atol=1e-9)
    assert np.linalg.eigvalsh(whole).min() > -1e-6 * max(1.0, width)
    assert (np.diagonal(whole) <= np.diagonal(before.covariance.reshape(3 * WIDTH, -1)) + 1e-6 * max(1.0, width)).all()
    p = after.p_success(rows_of(5, seed))
    assert ((p >= 0) & (p <= 1)).all()
