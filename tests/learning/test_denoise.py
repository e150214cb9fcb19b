"""Targets with less noise, and holes filled, without looking at what is to be predicted."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from turnout.learning.denoise import OWN_SHARE, complete, denoise

Matrix = NDArray[np.float32]


def answers(n: int = 400, n_models: int = 12, seed: int = 0) -> tuple[Matrix, NDArray[np.float64]]:
    """Passes and failures of models that answer prompts of one common difficulty, and the chances behind them."""
    rng = np.random.default_rng(seed)
    difficulty = 1.5 * rng.standard_normal((n, 1))
    chance = 1 / (1 + np.exp(2 * (difficulty - np.linspace(-0.8, 0.8, n_models))))
    return (rng.random(chance.shape) < chance).astype(np.float32), chance


# Noise


def test_targets_come_nearer_to_the_chances_behind_them() -> None:
    scores, chance = answers()
    targets = denoise(scores[:, :2], scores[:, 2:], np.arange(len(scores)))
    before, after = ((known - chance[:, :2]) ** 2 for known in (scores[:, :2], targets))
    assert after.mean() < 0.5 * before.mean()
    assert targets.dtype == np.float32


def test_the_gap_between_candidates_is_kept() -> None:
    scores, _ = answers(n=2000)
    targets = denoise(scores[:, [0, -1]], scores[:, 1:-1], np.arange(len(scores)))
    np.testing.assert_allclose(targets.mean(0), scores[:, [0, -1]].mean(0), atol=0.01)


@pytest.mark.parametrize("n_others", [0, 1, 2])
def test_too_few_other_models_change_nothing(n_others: int) -> None:
    scores, _ = answers()
    np.testing.assert_array_equal(
        denoise(scores[:, :2], scores[:, 2 : 2 + n_others], np.arange(len(scores))), scores[:, :2]
    )


def test_models_with_many_holes_do_not_count() -> None:
    scores, _ = answers()
    others = scores[:, 2:5].copy()
    others[: len(others) // 5, 0] = np.nan
    np.testing.assert_array_equal(denoise(scores[:, :2], others, np.arange(len(scores))), scores[:, :2])


def test_models_with_few_holes_do() -> None:
    scores, _ = answers()
    others = scores[:, 2:].copy()
    others[::20] = np.nan
    targets = denoise(scores[:, :2], others, np.arange(len(scores)))
    assert np.isfinite(targets).all() and (targets != scores[:, :2]).any()


def test_too_few_groups_change_nothing() -> None:
    scores, _ = answers()
    groups = np.arange(len(scores)) % 40
    np.testing.assert_array_equal(denoise(scores[:, :2], scores[:, 2:], groups), scores[:, :2])


def test_the_expectation_of_a_group_never_uses_its_own_scores() -> None:
    scores, _ = answers()
    groups = np.arange(len(scores)) // 4
    own, others = scores[:, :2], scores[:, 2:]
    expected = denoise(own, others, groups) - OWN_SHARE * own
    turned = own.copy()
    rows = groups == 7
    turned[rows] = 1 - turned[rows]
    after = denoise(turned, others, groups) - OWN_SHARE * turned
    np.testing.assert_allclose(after[rows], expected[rows], atol=1e-6)
    assert np.abs(after - expected).max() > 1e-6, "the other folds may use them"


# Holes


def test_only_what_is_missing_is_filled() -> None:
    rng = np.random.default_rng(0)
    scores, _ = answers(n=120, n_models=3)
    scores[rng.random(scores.shape) < 0.2] = np.nan
    before = scores.copy()
    filled = complete(scores, rng.standard_normal((120, 6)).astype(np.float32))
    known = np.isfinite(scores)
    np.testing.assert_array_equal(filled[known], scores[known])
    assert np.isfinite(filled).all() and filled.min() >= 0 and filled.max() <= 1
    np.testing.assert_array_equal(scores, before)


def test_a_full_table_comes_back_as_it_is() -> None:
    scores, _ = answers(n=10)
    assert complete(scores, np.zeros((10, 3), np.float32)) is scores


def test_what_is_filled_follows_the_features() -> None:
    rng = np.random.default_rng(1)
    dense = rng.standard_normal((300, 5)).astype(np.float32)
    scores = np.repeat((dense[:, :1] > 0).astype(np.float32), 2, axis=1)
    truth = scores[::3, 1].copy()
    scores[::3, 1] = np.nan
    filled = complete(scores, dense)[::3, 1]
    assert filled[truth == 1].mean() > filled[truth == 0].mean() + 0.5


@pytest.mark.parametrize("known", [0, 1, 2, 4, 5])
def test_a_candidate_with_hardly_any_score_is_filled_too(known: int) -> None:
    scores, _ = answers(n=60, n_models=2)
    scores[known:, 1] = np.nan
    filled = complete(scores, np.random.default_rng(0).standard_normal((60, 5)).astype(np.float32))
    assert np.isfinite(filled).all()
    if known in (1, 2, 4):
        np.testing.assert_allclose(filled[known:, 1], scores[:known, 1].mean())
    if known == 0:
        np.testing.assert_allclose(filled[:, 1], scores[:, 0].mean(), rtol=1e-6)
