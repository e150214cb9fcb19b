"""The whole fit: what its parts read out of text, out of fold and in what is served."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.learning.base.world import EASY, HARD, SETTINGS, World

from turnout.features import extract
from turnout.learning.base.fit import DOUBT, FittedBase, fit_base
from turnout.learning.base.seen import digests
from turnout.learning.base.tables import Tables
from turnout.learning.dataset import extract_all
from turnout.predictor.ability import Covariance
from turnout.predictor.fit_prior import design_rows
from turnout.predictor.prior import DOMAINS, TRAITS, WIDTH


def test_levels_out_of_fold_follow_how_hard_the_prompts_are(tables: Tables, fitted: FittedBase) -> None:
    assert fitted.out_of_fold.shape == (len(tables.prompts), len(TRAITS))
    easy, hard = (
        np.array([bool(set(words) & set(prompt.split())) for prompt in tables.prompts]) for words in (EASY, HARD)
    )
    assert fitted.out_of_fold[easy, 0].mean() > fitted.out_of_fold[hard, 0].mean() + 0.3


def test_slopes_out_of_fold_are_told_apart_by_the_domain_of_the_text(tables: Tables, fitted: FittedBase) -> None:
    for domain in range(len(DOMAINS)):
        slopes = fitted.out_of_fold[tables.domain == domain, 1:].mean(0)
        assert slopes.argmax() == domain and slopes[domain] > 0.3


def test_the_predictor_keeps_what_it_was_made_of_and_who_made_it(tables: Tables, fitted: FittedBase) -> None:
    base = fitted.predictor
    np.testing.assert_array_equal(base.seen, digests(tables.prompts))
    assert base.info == {"made": "for tests"} and 0 <= base.traits.novelty_limit < 0.5
    np.testing.assert_array_equal(base.doubt, DOUBT)
    assert DOUBT.shape == (WIDTH,)


def test_many_prompts_at_once_get_the_design_rows_of_one_by_one(world: World) -> None:
    texts = [*world.tables.prompts[:40], "", "x", "words nobody planted", "日本語 \ud800 🐛", "sort sort " * 300]
    features = extract_all(texts, quiet=True)
    one_by_one = [world.base.traits.of(extract(text))[0] for text in texts]
    np.testing.assert_allclose(design_rows(world.base.traits, features.dense, features.ngrams), one_by_one, atol=1e-4)


def test_the_same_tables_give_the_same_predictor_and_each_part_is_told(world: World, fitted: FittedBase) -> None:
    told: list[str] = []
    again = fit_base(world.tables, world.features, settings=SETTINGS, progress=told.append)
    np.testing.assert_array_equal(again.out_of_fold, fitted.out_of_fold)
    np.testing.assert_array_equal(again.predictor.abilities.weights, fitted.predictor.abilities.weights)
    assert told == ["abilities", "level", "slopes"]


def test_rows_of_no_block_are_neither_learned_from_nor_remembered(world: World) -> None:
    less = world.tables.without_rows(world.tables.table == "code_table")
    held = fit_base(less, world.features, covariance=Covariance(), settings=SETTINGS)
    rows = np.concatenate([block.rows for block in less.blocks])
    outside = np.setdiff1d(np.arange(len(less.prompts)), rows)
    assert np.isnan(held.out_of_fold[outside]).all() and np.isfinite(held.out_of_fold[rows]).all()
    np.testing.assert_array_equal(held.predictor.seen, digests([less.prompts[row] for row in rows]))
    assert held.predictor.abilities.parts == Covariance(), "what is given is not tuned"


def test_what_is_out_of_fold_knows_nothing_of_its_own_group(world: World) -> None:
    # Every group of four prompts has a word of its own, passed or failed by lot: only a leak can know it.
    rng = np.random.default_rng(8)
    words = ["".join(rng.choice(list("bcdfghjklmnpqrstvwxz"), 9)) for _ in range(30)]
    texts = [f"{word} {end}" for word in words for end in ("ab", "cd", "ef", "gh")]
    passed = np.repeat(rng.random(30) < 0.5, 4)
    block = world.tables.blocks[0]
    rows = np.arange(120)
    made = replace(
        world.tables,
        prompts=tuple(texts),
        group=rows // 4,
        domain=np.zeros(120, np.int64),
        blocks=(replace(block, rows=rows, scores=np.repeat(passed.astype(float)[:, None], len(block.models), axis=1)),),
    )
    features = extract_all(texts, quiet=True)

    def knows(tables: Tables) -> float:
        level = fit_base(tables, features, covariance=Covariance(), settings=SETTINGS).out_of_fold[:, 0]
        return float(level[passed].mean() - level[~passed].mean())

    assert knows(replace(made, group=rows)) > 0.3, "the words give it away to folds that split groups"
    assert knows(made) == pytest.approx(0, abs=0.15)
