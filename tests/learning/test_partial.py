"""Training from logs in which only the chosen candidate's result is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.learning.partial_logs import World

from turnout.errors import TooFewRowsError
from turnout.learning import partial
from turnout.learning.evaluation import predict_table
from turnout.predictor.fit import fit


def test_a_predictor_learns_from_a_log_who_is_good_at_what() -> None:
    world = World(1500)
    predictor = fit(partial.training_data(world.log, half_life_days=None)).predictor
    chance = predict_table(predictor, world.features)
    gain = chance[:, 1] - chance[:, 0]
    hard = world.features.dense[:, 0] > 0
    assert gain[hard].mean() > gain[~hard].mean() + 0.15


def test_measured_seconds_and_lengths_are_learned_with_it() -> None:
    log = World(100).log
    told = np.where(np.isfinite(log.scores), np.float32(30), np.float32(np.nan))
    data = partial.training_data(replace(log, seconds=told / 10, answer_tokens=told))
    np.testing.assert_array_equal(data.seconds, told / 10)
    np.testing.assert_array_equal(data.answer_tokens, told)


def test_known_scores_stay_and_unknown_ones_share_their_surprise() -> None:
    world = World(3)
    log = replace(
        world.log,
        scores=np.array([[1.0, np.nan], [np.nan, 0.0], [np.nan, np.nan]], np.float32),
        weights=np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]], np.float32),
    )
    expected = np.array([[0.6, 0.8], [0.5, 0.5], [0.3, 0.4]])
    filled = partial.completed(log, expected)
    assert filled[0] == pytest.approx([1.0, min(1.0, 0.8 + partial.SHARED * 0.4)])
    assert filled[1] == pytest.approx([0.5 - partial.SHARED * 0.5, 0.0])
    assert filled[2] == pytest.approx([0.3, 0.4])


@pytest.mark.parametrize("other", [0.02, 0.4, 0.6, 0.97, 1.0])
@pytest.mark.parametrize("known", [0.05, 0.6, 0.99])
def test_good_and_bad_news_together_move_nobody(known: float, other: float) -> None:
    log = replace(
        World(2).log,
        scores=np.array([[1.0, np.nan], [0.0, np.nan]], np.float32),
        weights=np.array([[1.0, 0.0], [1.0, 0.0]], np.float32),
    )
    good, bad = partial.completed(log, np.tile([known, other], (2, 1)))[:, 1]
    assert 0.0 <= bad <= good <= 1.0
    assert known * good + (1 - known) * bad == pytest.approx(other, abs=1e-6)


def test_a_label_that_is_hardly_trusted_moves_hardly_anything() -> None:
    log = replace(
        World(1).log,
        scores=np.array([[1.0, np.nan]], np.float32),
        weights=np.array([[0.1, 0.0]], np.float32),
    )
    filled = partial.completed(log, np.array([[0.5, 0.5]]))
    assert filled[0] == pytest.approx([0.55, 0.5 + partial.SHARED * 0.05])


def test_old_rows_count_less() -> None:
    day = 86_400.0
    weights = partial.recency(np.array([0.0, 90.0, 180.0]) * day, 90.0)
    assert weights == pytest.approx([0.25, 0.5, 1.0])
    assert partial.recency(np.array([1.0, 2.0]), None).tolist() == [1.0, 1.0]


def test_too_little_support_is_told_with_what_there_is() -> None:
    world = World(200)
    few = world.log.scores.copy()
    few[10:, 1] = np.nan
    with pytest.raises(TooFewRowsError, match=r"two candidates with 20 known results each.*local/large: \d"):
        partial.training_data(replace(world.log, scores=few))
