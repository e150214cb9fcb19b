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


def test_known_scores_stay_and_unknown_ones_are_what_is_expected() -> None:
    log = replace(
        World(3).log,
        scores=np.array([[1.0, np.nan], [np.nan, 0.0], [np.nan, np.nan]], np.float32),
        weights=np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]], np.float32),
    )
    filled = partial.completed(log, np.array([[0.6, 0.8], [0.5, 0.5], [0.3, 0.4]]))
    np.testing.assert_allclose(filled, [[1.0, 0.8], [0.5, 0.0], [0.3, 0.4]], rtol=1e-6)


def test_a_label_that_is_hardly_trusted_moves_hardly_anything() -> None:
    log = replace(
        World(1).log,
        scores=np.array([[1.0, np.nan]], np.float32),
        weights=np.array([[0.1, 0.0]], np.float32),
    )
    filled = partial.completed(log, np.array([[0.5, 0.5]]))
    assert filled[0] == pytest.approx([0.55, 0.5])


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
