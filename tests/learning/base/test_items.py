"""What outcomes tell of prompts: how hard each is, and how much ability helps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.learning.base.world import EASY, HARD, MIDDLING, World

from turnout.learning.base.items import LEAST_WEIGHT, Items, items, targets
from turnout.learning.base.tables import Tables
from turnout.predictor.prior import DOMAINS


@pytest.fixture(scope="module")
def found(world: World, tables: Tables) -> Items:
    return items(tables, world.base.abilities)


def about(tables: Tables, words: tuple[str, ...]) -> np.ndarray:
    return np.array([bool(set(words) & set(prompt.split())) for prompt in tables.prompts])


def test_levels_follow_how_hard_the_prompts_are(tables: Tables, found: Items) -> None:
    easy, middling, hard = (found.level[about(tables, words)].mean() for words in (EASY, MIDDLING, HARD))
    assert easy > middling + 0.2 > hard + 0.4


def test_ability_helps_most_where_it_decides(tables: Tables, found: Items) -> None:
    easy, middling, hard = (found.slope[about(tables, words)].mean() for words in (EASY, MIDDLING, HARD))
    assert middling > easy and middling > hard and middling > 0


def test_every_prompt_with_an_outcome_has_an_item_and_no_other(tables: Tables, world: World, found: Items) -> None:
    for values in (found.level, found.slope, found.weight):
        assert np.isfinite(values).all()
    assert ((found.weight >= LEAST_WEIGHT) & (found.weight <= 1)).all()
    less = items(tables.without_rows(tables.table == "tools_table"), world.base.abilities)
    np.testing.assert_array_equal(np.isnan(less.level), np.isnan(less.weight))
    assert np.isnan(less.level[tables.table == "tools_table"]).all()


def test_few_answers_tell_less_of_a_slope(tables: Tables, world: World, found: Items) -> None:
    few = items(tables.without_models(lambda one: one.nominal_b not in (2, 27)), world.base.abilities)
    answered = np.isfinite(few.weight)
    assert (few.weight < found.weight)[answered].all() and 0.8 < answered.mean() < 1


def test_one_answer_tells_of_the_level_only(tables: Tables, world: World) -> None:
    one = items(tables.without_models(lambda one: one.nominal_b != 32), world.base.abilities)
    assert np.isfinite(one.level).all() and np.isfinite(one.slope).all()
    np.testing.assert_array_equal(one.weight, LEAST_WEIGHT)


def test_unknown_scores_are_left_out_of_their_prompts_item(tables: Tables, world: World) -> None:
    block = tables.blocks[0]
    holes = block.scores.copy()
    holes[::2, 3:] = np.nan
    patched = replace(tables, blocks=(replace(block, scores=holes),))
    found = items(patched, world.base.abilities)
    assert np.isfinite(found.level[block.rows]).all() and np.isfinite(found.slope[block.rows]).all()
    assert found.weight[block.rows[::2]].max() < found.weight[block.rows[1::2]].min()


def test_a_prompts_slope_counts_in_its_own_domain_only(tables: Tables, found: Items) -> None:
    slopes, weight = targets(tables, found)
    assert slopes.shape == (len(tables.prompts), len(DOMAINS)) and weight is found.weight
    for domain in range(len(DOMAINS)):
        own = tables.domain == domain
        np.testing.assert_array_equal(slopes[own, domain], found.slope[own])
        assert not slopes[~own, domain].any()
