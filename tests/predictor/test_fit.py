"""What a fit learns, what it must not learn, and what it does with odd tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from turnout.errors import TooFewRowsError
from turnout.features import FEATURE_NAMES, Features, extract
from turnout.learning.dataset import FeatureTable, extract_all
from turnout.learning.evaluation import predict_table
from turnout.learning.metrics import apgr
from turnout.predictor import Predictor, save
from turnout.predictor.fit import TrainingData, contrasts, fit
from turnout.predictor.folds import assign_folds
from turnout.predictor.settings import FitSettings

Plant = Callable[..., tuple[TrainingData, NDArray[np.bool_]]]


def predictions(predictor: Predictor, data: TrainingData) -> NDArray[np.float64]:
    return predict_table(predictor, FeatureTable(data.dense, data.ngrams))


def gap_recovered(data: TrainingData, p_success: NDArray[np.float64]) -> float:
    scores = data.scores.astype(np.float64)
    return apgr(scores, p_success[:, -1] - p_success[:, 0], np.zeros(len(scores)))


# Contrasts and folds


@pytest.mark.parametrize("n", range(2, 9))
def test_scores_survive_the_way_to_contrasts_and_back(n: int) -> None:
    to_outputs, to_scores = contrasts(n)
    np.testing.assert_allclose(to_outputs @ to_scores, np.eye(n), atol=1e-6)


@pytest.mark.parametrize("n", range(2, 9))
def test_the_first_output_is_the_level_and_the_others_ignore_it(n: int) -> None:
    to_outputs, _ = contrasts(n)
    scores = np.random.default_rng(n).random((5, n)).astype(np.float32)
    np.testing.assert_allclose((scores @ to_outputs)[:, 0], scores.mean(1), atol=1e-6)
    np.testing.assert_allclose((scores + 0.2) @ to_outputs[:, 1:], scores @ to_outputs[:, 1:], atol=1e-6)


@given(
    groups=st.lists(st.integers(-5, 60), min_size=1, max_size=200),
    n_folds=st.integers(2, 6),
    seed=st.integers(0, 50),
)
def test_folds_keep_groups_together_and_are_all_used(groups: list[int], n_folds: int, seed: int) -> None:
    labels = np.array(groups)
    folds = assign_folds(labels, n_folds, seed)
    assert folds.shape == labels.shape
    assert all(len(set(folds[labels == label])) == 1 for label in set(groups))
    assert set(folds) == set(range(min(n_folds, len(set(groups)))))
    np.testing.assert_array_equal(folds, assign_folds(labels, n_folds, seed))


def test_another_seed_deals_other_folds() -> None:
    assert (assign_folds(np.arange(100), 5, 0) != assign_folds(np.arange(100), 5, 1)).any()


# What is learned


@pytest.fixture(scope="module")
def planted(plant: Plant) -> Predictor:
    """A predictor that had 300 prompts to find the planted signal in."""
    return fit(plant(300, measured=False)[0]).predictor


def test_a_planted_signal_is_recovered_on_prompts_never_seen(planted: Predictor, plant: Plant) -> None:
    held_out, hard = plant(300, seed=1, measured=False)
    p_success = predictions(planted, held_out)
    assert gap_recovered(held_out, p_success) > 0.65
    gain = p_success[:, 1] - p_success[:, 0]
    assert gain[hard].mean() > gain[~hard].mean() + 0.4


def test_probabilities_are_near_the_planted_ones(planted: Predictor, plant: Plant) -> None:
    held_out, hard = plant(300, seed=2, measured=False)
    p_success = predictions(planted, held_out)
    np.testing.assert_allclose(p_success[hard].mean(0), (0.1, 0.85), atol=0.12)
    np.testing.assert_allclose(p_success[~hard].mean(0), (0.92, 0.92), atol=0.12)


def test_one_prompt_gets_what_it_gets_in_a_table(planted: Predictor) -> None:
    prompts = ["fix the deadlock in our quorum", "sort imports", "", "x", "words nobody planted", "déjà vu 日本語 🐛"]
    in_table = predict_table(planted, extract_all(prompts, quiet=True))
    one_by_one = [planted.predict(extract(prompt)).p_success for prompt in prompts]
    np.testing.assert_allclose(one_by_one, in_table, atol=1e-6)
    assert (in_table > 0).all() and (in_table < 1).all()


def test_novelty_tells_known_words_from_new_ones(planted: Predictor) -> None:
    known = planted.predict(extract("please rename the deadlock variable"))
    foreign = planted.predict(extract("Kräuterbutter schmeckt vorzüglich zu gegrilltem Maiskolben"))
    assert known.novelty < 0.7 < foreign.novelty <= 1
    assert 0 <= planted.novelty_limit <= 1


def test_out_of_fold_predictions_know_nothing_of_their_own_group() -> None:
    # Every group of four prompts has words of its own and one outcome, drawn by lot: only a leak can know it.
    rng = np.random.default_rng(5)
    groups = np.repeat(np.arange(40), 4)
    words = ["".join(rng.choice(list("bcdfghjklmnpqrstvwxz"), 9)) for _ in range(80)]
    features = extract_all([f"{words[group]} {words[40 + group]}" for group in groups], quiet=True)
    label = (rng.random(40) < 0.5).astype(np.float32)[groups]
    scores = np.stack([label, 1 - label], axis=1)

    def knows(units: NDArray[np.int64]) -> float:
        fitted = fit(TrainingData(("a", "b"), features.dense, features.ngrams, scores, units))
        return float(fitted.out_of_fold[label == 1, 0].mean() - fitted.out_of_fold[label == 0, 0].mean())

    assert knows(np.arange(160)) > 0.6, "the words give the outcome away to folds that split groups"
    assert abs(knows(groups)) < 0.1


def test_the_gain_of_features_is_a_share(plant: Plant) -> None:
    gain = fit(plant(100, measured=False)[0]).feature_gain
    assert gain.shape == (len(FEATURE_NAMES),)
    assert (gain >= 0).all() and gain.sum() == pytest.approx(1)


# The same again


def test_the_same_seed_gives_the_same_bytes(plant: Plant, tmp_path: Path) -> None:
    for name in ("first", "second"):
        save(fit(plant(80, seed=3)[0], seed=7).predictor, tmp_path / name)
    first, second = (
        {file.name: file.read_bytes() for file in (tmp_path / name).iterdir()} for name in ("first", "second")
    )
    assert first == second


def test_another_seed_gives_another_predictor(plant: Plant) -> None:
    data, _ = plant(80, seed=3, measured=False)
    first, second = (fit(data, seed=seed).predictor.forest.leaves for seed in (0, 1))
    assert first.shape != second.shape or (first != second).any()


# Odd tables


@pytest.mark.parametrize("constant", [(0,), (1,), (0, 1)], ids=["the first", "the second", "both"])
def test_a_candidate_with_one_score_for_everything_gets_it(plant: Plant, constant: tuple[int, ...]) -> None:
    data, _ = plant(100, measured=False)
    scores = data.scores.copy()
    for candidate in constant:
        scores[:, candidate] = float(candidate)
    p_success = predictions(fit(replace(data, scores=scores)).predictor, data)
    assert np.isfinite(p_success).all()
    for candidate in constant:
        np.testing.assert_allclose(p_success[:, candidate], candidate, atol=0.15)


@pytest.mark.parametrize("n_candidates", [2, 3, 5])
def test_any_number_of_candidates_is_fitted(plant: Plant, n_candidates: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("turnout.predictor.fit.FitSettings", partial(FitSettings, trees_per_bag=10))
    names = tuple(f"provider/model-{number}" for number in range(n_candidates))
    data, hard = plant(150, candidates=names, measured=False)
    predictor = fit(data).predictor
    assert predictor.candidates == names
    p_success = predictions(predictor, data)
    assert p_success.shape == (150, n_candidates)
    assert p_success[hard, -1].mean() > p_success[hard, 0].mean() + 0.4


@pytest.mark.parametrize("n", [2, 3, 9])
def test_a_handful_of_prompts_is_enough_to_fit(plant: Plant, n: int) -> None:
    data, _ = plant(n)
    assert np.isfinite(predictions(fit(data).predictor, data)).all()


def test_prompts_of_one_group_alone_are_too_few(plant: Plant) -> None:
    data, _ = plant(30)
    with pytest.raises(TooFewRowsError, match="two groups"):
        fit(replace(data, groups=np.zeros(30, np.int64)))


# Expected seconds and cost


def extreme(predictor: Predictor, factor: float) -> Features:
    """A request like none: every dense feature `factor` standard deviations off."""
    vector = (predictor.feature_mean + factor * predictor.feature_std).astype(np.float32)
    return replace(extract("deadlock"), vector=vector)


@pytest.mark.parametrize("factor", [-1e6, -50.0, 0.0, 50.0, 1e6])
def test_expected_expense_stays_within_what_was_measured(plant: Plant, predictor: Predictor, factor: float) -> None:
    data, _ = plant()
    found = predictor.predict(extreme(predictor, factor))
    for name in ("seconds", "cost_usd", "answer_tokens"):
        values, measured = getattr(found, name), getattr(data, name)
        assert values is not None and measured is not None and np.isfinite(values).all()
        assert (values >= measured.min(0) * 0.9999).all() and (values <= measured.max(0) * 1.0001).all()


@pytest.mark.parametrize("what", ["seconds", "answer_tokens"])
def test_what_is_expected_is_near_the_mean_of_what_was_measured(plant: Plant, predictor: Predictor, what: str) -> None:
    data, hard = plant()
    measured = getattr(data, what)
    prompts = ["deadlock consensus failover the thing", "rename variable json please the file"]
    on_hard, on_easy = (getattr(predictor.predict(extract(prompt)), what) for prompt in prompts)
    np.testing.assert_allclose(on_hard, measured[hard].mean(0), rtol=0.3)
    np.testing.assert_allclose(on_easy, measured[~hard].mean(0), rtol=0.3)


@pytest.mark.parametrize("seconds", ["none", "all missing", "all free"])
def test_expense_that_was_never_measured_is_not_made_up(plant: Plant, seconds: str) -> None:
    data, _ = plant(40, measured=False)
    empty = {
        "none": None,
        "all missing": np.full((40, 2), np.nan, np.float32),
        "all free": np.zeros((40, 2), np.float32),
    }
    found = fit(
        replace(data, seconds=empty[seconds], cost_usd=empty[seconds], answer_tokens=empty[seconds])
    ).predictor.predict(extract("deadlock"))
    assert found.seconds is None and found.cost_usd is None and found.answer_tokens is None


def test_history_speaks_of_whom_it_measured_and_within_what_it_measured(plant: Plant) -> None:
    data, _ = plant()
    seconds = data.seconds.copy()
    seconds[:, 1] = np.nan
    predictor = fit(replace(data, seconds=seconds)).predictor
    first, second = predictor.candidates
    known = predictor.learned_seconds(predictor.predict(extract("rename variable json please the file")))
    assert set(known) == {first}, "of the second there is only the first one's mean"
    assert predictor.seconds is not None and predictor.seconds.measured == (True, False)
    beyond = replace(predictor.seconds, intercept=predictor.seconds.intercept + 10)
    far = replace(predictor, seconds=beyond)
    assert far.learned_seconds(far.predict(extract("deadlock"))) == {}
    both = predictor.learned_tokens(predictor.predict(extract("rename variable json please the file")))
    assert set(both) == {first, second}
    assert replace(predictor, answer_tokens=None).learned_tokens(predictor.predict(extract("x"))) == {}


def test_a_free_candidate_beside_a_paid_one_costs_nothing(plant: Plant) -> None:
    data, _ = plant(40)
    cost = data.cost_usd.copy()
    cost[:, 0] = 0
    found = fit(replace(data, cost_usd=cost)).predictor.predict(extract("deadlock in the quorum"))
    assert found.cost_usd[0] == 0 < found.cost_usd[1]


def test_a_candidate_without_measurements_gets_the_others_level(plant: Plant) -> None:
    data, _ = plant(60, candidates=("a", "b", "c"))
    seconds = data.seconds.copy()
    seconds[:, 1] = np.nan
    seconds[::2, 0] = np.nan
    found = fit(replace(data, seconds=seconds)).predictor.predict(extract("deadlock in the quorum")).seconds
    assert np.isfinite(found).all()
    assert found[0] < found[1] < found[2]
