"""Where learning from tables and logs meets a base predictor: what counts as seen, and what each fold starts from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial as part

import numpy as np
import pytest
from tests.learning import partial_logs
from tests.learning.base.world import SETTINGS, World, outcome_table

from turnout.learning import partial
from turnout.learning.challenge import challenge
from turnout.learning.dataset import extract_all, training_data
from turnout.learning.evaluation import evaluate
from turnout.learning.mixing import mixed, of_table
from turnout.predictor.settings import FitSettings

NAMES = ("qwen2.5:0.5b", "qwen2.5:7b", "qwen2.5:72b")


@pytest.fixture(autouse=True)
def few_trees(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("turnout.predictor.fit.FitSettings", part(FitSettings, trees_per_bag=SETTINGS.trees_per_bag))
    yield


# What was seen


def test_of_a_log_only_the_scores_of_those_who_answered_were_seen() -> None:
    log = partial_logs.World(200).log
    data = partial.training_data(log)
    assert data.known is not None
    np.testing.assert_array_equal(data.known, log.scores)
    assert np.isfinite(data.scores).all() and np.isnan(data.known).any(1).all()


def test_of_a_whole_table_all_was_seen() -> None:
    table = outcome_table(30, NAMES)
    assert training_data(table, NAMES, extract_all(table.prompts["prompt"].tolist(), quiet=True)).known is None


def test_of_a_table_with_holes_what_fills_them_was_not_seen() -> None:
    table = outcome_table(30, NAMES)
    table.scores.iloc[:10, 1] = np.nan
    data = training_data(table, NAMES, extract_all(table.prompts["prompt"].tolist(), quiet=True))
    assert data.known is not None and np.isfinite(data.scores).all()
    np.testing.assert_array_equal(np.isnan(data.known), table.scores.isna())
    np.testing.assert_array_equal(data.known[10:], data.scores[10:])


def test_beside_a_log_a_table_tells_nothing_of_candidates_that_it_does_not_know() -> None:
    data = partial.training_data(partial_logs.World(200).log)
    table = outcome_table(40, NAMES[:2])
    scores = table.scores.set_axis([partial_logs.NAMES[0], "another"], axis=1)
    more = of_table(
        replace(table, scores=scores, seconds=scores * np.nan, cost_usd=scores * np.nan), partial_logs.NAMES
    )
    both = mixed(data, more)
    assert both.known is not None
    np.testing.assert_array_equal(both.known[:200], data.known)
    np.testing.assert_array_equal(both.known[200:, 0], more.scores[:, 0])
    assert np.isnan(both.known[200:, 1]).all()


def test_two_tables_beside_each_other_were_seen_whole() -> None:
    data = of_table(outcome_table(20, NAMES), NAMES, quiet=True)
    both = mixed(data, data)
    assert both.known is not None
    np.testing.assert_array_equal(both.known, both.scores)


# What it starts from


def test_a_challenger_starts_from_the_base_predictor_it_is_given(world: World) -> None:
    log = partial_logs.World(300).log
    assert challenge(log, None, base=world.base).predictor.prior is not None
    assert challenge(log, None).predictor.prior is None


def test_every_fold_starts_from_the_base_predictor(world: World) -> None:
    table = outcome_table(60, NAMES)
    judged, alone = (evaluate(table, NAMES, n_folds=2, base=base, quiet=True) for base in (world.base, None))
    brier, brier_alone = (float(((each.p_success - each.scores) ** 2).mean()) for each in (judged, alone))
    assert np.isfinite(judged.p_success).all()
    assert brier < brier_alone
