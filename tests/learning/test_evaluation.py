"""Evaluation that cannot flatter: nothing of a prompt's group reaches the predictor that judges it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from turnout.errors import TooFewRowsError
from turnout.learning.dataset import extract_all
from turnout.learning.evaluation import Evaluation, evaluate
from turnout.learning.outcomes import OutcomeTable

MakeTable = Callable[..., OutcomeTable]
PAIR = ("model-0", "model-1")

pytestmark = pytest.mark.usefixtures("few_trees")


def prompts_of(hard: NDArray[np.bool_]) -> list[str]:
    """Prompts whose words say whether they are hard."""
    return [f"{'untangle the deadlock' if each else 'rename the field'} in part {at}" for at, each in enumerate(hard)]


@pytest.fixture(scope="module")
def table(make_table: MakeTable) -> OutcomeTable:
    """160 prompts in 80 groups and 5 datasets; the weak candidate fails the hard ones, four other models are known."""
    rng = np.random.default_rng(0)
    hard = np.arange(160) // 2 % 2 == 0
    chance = np.where(hard[:, None], np.linspace(0.1, 0.9, 6), 0.9)[:, [0, 5, 1, 2, 3, 4]]
    scores = (rng.random(chance.shape) < chance).astype(float)
    groups = [f"task {at // 2}" for at in range(160)]
    return make_table(prompts_of(hard), scores, groups=groups, datasets=[f"set {at // 2 % 5}" for at in range(160)])


def judge(table: OutcomeTable, **options: object) -> Evaluation:
    return evaluate(table, PAIR, quiet=True, **({"n_folds": 3} | options))


@pytest.fixture(scope="module")
def judged(few_trees: None, table: OutcomeTable) -> Evaluation:
    return judge(table)


# Folds


def test_no_group_is_in_two_folds(table: OutcomeTable, judged: Evaluation) -> None:
    assert pd.Series(judged.fold).groupby(table.prompts["group"].to_numpy()).nunique().max() == 1
    assert set(judged.fold) == {0, 1, 2}


def test_split_by_dataset_puts_no_dataset_into_two_folds(table: OutcomeTable) -> None:
    judged = judge(table, split="dataset")
    assert pd.Series(judged.fold).groupby(judged.dataset).nunique().max() == 1
    assert set(judged.fold) == {0, 1, 2}


def test_a_training_size_trains_on_whole_groups_and_judges_the_rest(table: OutcomeTable) -> None:
    judged = judge(table, train_size=60)
    assert set(judged.fold) == {-1, 0}
    assert 60 <= (judged.fold == -1).sum() <= 61
    assert pd.Series(judged.fold).groupby(table.prompts["group"].to_numpy()).nunique().max() == 1
    assert np.isnan(judged.p_success[judged.fold == -1]).all()
    assert np.isfinite(judged.p_success[judged.fold == 0]).all()
    assert set(judged.predictions()["prompt_id"]) == set(table.prompts.index[judged.fold == 0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_folds": 81}, "81 different groups, the table has 80"),
        ({"n_folds": 6, "split": "dataset"}, "6 different datasets, the table has 5"),
        ({"n_folds": 1}, "at least 2 folds"),
        ({"n_folds": 0}, "at least 2 folds"),
        ({"n_folds": -3}, "at least 2 folds"),
        ({"train_size": 0}, "leaves nothing"),
        ({"train_size": 160}, "leaves nothing"),
        ({"train_size": -1}, "leaves nothing"),
        ({"train_size": 159}, "no held-out prompt"),
        ({"train_size": 1}, "two groups"),
    ],
)
def test_too_few_prompts_are_said_so(table: OutcomeTable, options: dict[str, object], message: str) -> None:
    with pytest.raises(TooFewRowsError, match=message):
        judge(table, **options)


def test_a_pool_that_shares_no_prompt_cannot_be_judged(make_table: MakeTable) -> None:
    scores = np.full((40, 2), np.nan)
    scores[:20, 0], scores[20:, 1] = np.arange(20) % 2, np.arange(20) % 2
    with pytest.raises(TooFewRowsError, match="no held-out prompt has a score for every candidate"):
        judge(make_table(prompts_of(np.arange(40) % 2 == 0), scores))


# What the predictor of a prompt knows


def test_a_groups_own_scores_never_reach_its_predictions(table: OutcomeTable, judged: Evaluation) -> None:
    rows = np.flatnonzero(table.prompts["group"] == "task 7")
    turned = table.scores.copy()
    turned.iloc[rows] = 1 - turned.iloc[rows]
    after = judge(replace(table, scores=turned))
    np.testing.assert_array_equal(after.fold, judged.fold)
    own_fold = judged.fold == judged.fold[rows[0]]
    np.testing.assert_array_equal(after.p_success[own_fold], judged.p_success[own_fold])
    assert (after.p_success[~own_fold] != judged.p_success[~own_fold]).any(), "the other folds learn from it"


def test_prompts_that_give_their_groups_outcome_away_are_worth_nothing(make_table: MakeTable) -> None:
    # Each group of four has words of its own and one outcome, drawn by lot. Folds that split groups would know it.
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(50), 4)
    words = ["".join(rng.choice(list("bcdfghjklmnpqrstvwxz"), 9)) for _ in range(100)]
    prompts = [f"{words[group]} {words[50 + group]} {at}" for at, group in enumerate(groups)]
    scores = np.stack([(rng.random(50) < 0.5)[groups], np.ones(200)], axis=1)
    together = judge(make_table(prompts, scores, groups=[f"g{group}" for group in groups]))
    split_up = judge(make_table(prompts, scores))
    assert split_up.figures["apgr"].value > 0.65
    assert together.figures["apgr"].value < 0.56


# What comes out


def test_a_real_difference_is_found(judged: Evaluation) -> None:
    figures = judged.figures
    assert figures["apgr"].value > 0.6
    assert figures["apgr_oracle"].value >= figures["apgr"].value
    assert figures["apgr"].low <= figures["apgr"].value <= figures["apgr"].high


def test_predictions_have_the_columns_of_the_contract(table: OutcomeTable, judged: Evaluation) -> None:
    frame = judged.predictions()
    assert frame.columns.tolist() == ["prompt_id", "candidate", "p_success", "fold"]
    assert len(frame) == 2 * len(table.prompts) and not frame.duplicated(["prompt_id", "candidate"]).any()
    assert frame["p_success"].between(0, 1, inclusive="neither").all()
    wide = frame.pivot_table(index="prompt_id", columns="candidate", values="p_success")
    np.testing.assert_array_equal(wide.loc[table.prompts.index, list(PAIR)], judged.p_success)
    folds = frame.groupby("prompt_id")["fold"]
    assert folds.nunique().max() == 1
    np.testing.assert_array_equal(folds.first().loc[table.prompts.index], judged.fold)


def test_the_same_seed_and_features_that_are_known_already_give_the_same_predictions(
    table: OutcomeTable, judged: Evaluation
) -> None:
    features = extract_all(table.prompts["prompt"].tolist(), quiet=True)
    pd.testing.assert_frame_equal(judge(table, features=features).predictions(), judged.predictions())


def test_another_seed_deals_other_folds(table: OutcomeTable, judged: Evaluation) -> None:
    assert (judge(table, seed=1).fold != judged.fold).any()


def test_known_features_stay_beside_their_prompts_when_some_are_left_out(table: OutcomeTable) -> None:
    scores = table.scores.copy()
    scores.iloc[::7, :2] = np.nan
    holes = replace(table, scores=scores)
    features = extract_all(table.prompts["prompt"].tolist(), quiet=True)
    with_features = judge(holes, features=features)
    assert len(with_features.prompt_ids) == 160 - len(range(0, 160, 7))
    np.testing.assert_array_equal(with_features.p_success, judge(holes).p_success)


def test_prompts_with_a_hole_are_predicted_but_not_judged(table: OutcomeTable) -> None:
    scores = table.scores.copy()
    scores.iloc[::2, 0] = np.nan
    judged = judge(replace(table, scores=scores))
    assert np.isfinite(judged.p_success).all()
    assert judged.figures["accuracy_cheapest"].value == pytest.approx(scores.iloc[1::2, 0].mean())


def test_other_models_are_used_only_where_allowed(table: OutcomeTable, judged: Evaluation) -> None:
    without = table.scores[list(PAIR)]
    nan = table.seconds[list(PAIR)]
    alone = judge(OutcomeTable(table.prompts, without, nan, nan, nan, ""))
    np.testing.assert_array_equal(judge(table, use_other_models=False).p_success, alone.p_success)
    assert (judged.p_success != alone.p_success).any()
