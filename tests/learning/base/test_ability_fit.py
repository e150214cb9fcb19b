"""Abilities out of scores: what each language model showed in each block, and what that says of its kind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.learning.base.world import SEEN, ability

from turnout.descriptors import describe
from turnout.learning.base.ability_fit import entries, fit_abilities
from turnout.learning.base.tables import Block, Tables
from turnout.predictor.ability import Covariance
from turnout.predictor.prior import DOMAINS


def block(scores: list[list[float]], names: tuple[str, ...] = SEEN, domain: int = 0) -> Block:
    matrix = np.array(scores)
    chosen = names[: matrix.shape[1]]
    return Block("made", domain, np.arange(len(matrix)), chosen, tuple(describe(name) for name in chosen), matrix)


# Entries


def test_an_entry_is_the_log_odds_of_a_mean_score_with_its_domain_and_block(tables: Tables) -> None:
    values, domains, numbers = entries(tables.blocks)
    assert len(values) == len(domains) == len(numbers) == sum(len(one.models) for one in tables.blocks)
    first = tables.blocks[0].scores.mean(0)
    np.testing.assert_allclose(values[: len(SEEN)], np.log(first / (1 - first)))
    assert sorted(set(numbers)) == [0, 1, 2, 3]
    assert domains[numbers == 3].tolist() == [DOMAINS.index("knowledge")] * len(SEEN)


def test_all_or_nothing_is_not_beyond_all_numbers() -> None:
    values, _, _ = entries([block([[0.0, 1.0]] * 10)])
    np.testing.assert_allclose(values, [np.log(0.05 / 0.95), np.log(0.95 / 0.05)])


def test_one_that_only_answered_the_easy_prompts_is_not_taken_for_abler() -> None:
    easy, hard = [[1.0, 1.0, 1.0]] * 10, [[0.0, 0.0, np.nan]] * 10
    values, _, _ = entries([block(easy + hard)])
    np.testing.assert_allclose(values, 0.0, atol=1e-9)


# The process


def test_abilities_follow_what_was_shown(tables: Tables) -> None:
    means = fit_abilities(tables.blocks, tune=False).of([describe(name) for name in SEEN])[0]
    truth = [ability(name) for name in SEEN]
    for domain in range(len(DOMAINS)):
        assert np.corrcoef(means[:, domain], truth)[0, 1] > 0.95


def test_what_is_tuned_is_likelier_and_stays_near_the_defaults(tables: Tables) -> None:
    parts = fit_abilities(tables.blocks).parts
    assert parts.sound and parts != Covariance()
    assert (parts.between, parts.table) == (Covariance().between, Covariance().table), "these are not tuned"
    for name, value in Covariance().to_json().items():
        assert 0.05 < getattr(parts, name) / value < 20


def test_hyperparameters_that_are_given_are_kept_where_nothing_is_tuned(tables: Tables) -> None:
    given = Covariance(smooth=0.4, own=0.2)
    assert fit_abilities(tables.blocks, given, tune=False).parts == given


def test_a_harder_table_does_not_make_its_models_less_able(tables: Tables) -> None:
    names = ("qwen2.5:3b", "qwen2.5:7b", "qwen2.5:32b")
    rng = np.random.default_rng(0)
    chance = np.array([0.6, 0.7, 0.8])
    easy = block((rng.random((300, 3)) < chance).astype(float).tolist(), names)
    hard = block((rng.random((300, 3)) < chance / 8).astype(float).tolist(), ("gemma2:2b", "gemma2:9b", "gemma2:27b"))
    means = fit_abilities([easy, hard], tune=False).of([describe("qwen2.5:7b"), describe("gemma2:9b")])[0][:, 0]
    assert abs(means[0] - means[1]) < 1.0, "the tables differ by three in log-odds"


def test_strength_in_one_domain_is_told_apart(tables: Tables) -> None:
    names, n = ("qwen2.5:7b", "qwen2.5:7b-base", "gemma2:9b", "llama3.1:8b"), 400
    rng = np.random.default_rng(1)
    code = block((rng.random((n, 4)) < [0.9, 0.3, 0.5, 0.5]).astype(float).tolist(), names, domain=0)
    knowledge = block((rng.random((n, 4)) < [0.3, 0.9, 0.5, 0.5]).astype(float).tolist(), names, domain=2)
    means = fit_abilities([code, knowledge], Covariance(between=0.2, own=1.0), tune=False).of(
        [describe(name) for name in names]
    )[0]
    assert means[0, 0] > means[0, 2] and means[1, 2] > means[1, 0]


def test_a_single_score_is_enough_to_fit() -> None:
    abilities = fit_abilities([block([[1.0]])])
    means, covariances = abilities.of([describe("qwen2.5:0.5b"), describe("nobody")])
    assert np.isfinite(means).all() and np.isfinite(covariances).all()


@pytest.mark.parametrize("copies", [2, 5])
def test_the_same_outcomes_again_are_no_obstacle(tables: Tables, copies: int) -> None:
    again = [replace(tables.blocks[0], name=str(copy)) for copy in range(copies)]
    assert np.isfinite(fit_abilities(again, Covariance(noise=1e-3), tune=False).weights).all()
