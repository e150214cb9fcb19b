"""Fitting from a base predictor on: near it with few outcomes, near what the outcomes alone say with many."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.learning.base.world import SETTINGS, World, training_data

from turnout.descriptors import describe
from turnout.errors import ArtifactCorruptError
from turnout.features import extract
from turnout.learning.dataset import FeatureTable
from turnout.learning.evaluation import predict_table
from turnout.predictor import Predictor, load, save
from turnout.predictor.adapt import adapt
from turnout.predictor.fit import TrainingData, fit
from turnout.predictor.fit_blend import fit_blend_over
from turnout.predictor.fit_prior import design_rows, fit_prior

Matrix = NDArray[np.float64]

NAMES = ("qwen2.5:0.5b", "qwen2.5:7b", "qwen2.5:72b")
TEXTS = ("in the function please prove the quorum", "rename the field", "", "日本語 \ud800 🐛")


def expected(world: World, data: TrainingData) -> Matrix:
    """Before any outcome."""
    rows = design_rows(world.base.traits, data.dense, data.ngrams)
    return world.base.lines([describe(name) for name in data.candidates]).p_success(rows)


def fitted(world: World, data: TrainingData, *, base: bool = True) -> Predictor:
    return fit(data, settings=SETTINGS, base=world.base if base else None).predictor


def predictions(predictor: Predictor, data: TrainingData) -> Matrix:
    return predict_table(predictor, FeatureTable(data.dense, data.ngrams))


def error(predicted: Matrix, truth: Matrix) -> float:
    return float(np.abs(predicted - truth).mean())


@pytest.fixture(scope="module")
def few(world: World) -> Predictor:
    """Fitted on six prompts in two groups."""
    data, _ = training_data(6, NAMES)
    return fitted(world, replace(data, groups=np.array([0, 0, 0, 1, 1, 1])))


@pytest.fixture(scope="module")
def many(world: World) -> Predictor:
    """Fitted on 400 prompts on which the names mislead."""
    return fitted(world, training_data(400, NAMES, reverse=True)[0])


# Few outcomes and many


def test_with_a_handful_of_prompts_the_fit_stays_near_what_was_believed(world: World, few: Predictor) -> None:
    new, truth = training_data(200, NAMES, seed=2)
    before, after = expected(world, new), predictions(few, new)
    assert error(after, before) < 0.12
    assert error(after, truth) < 0.15


def test_a_handful_of_prompts_is_worth_more_with_a_base_predictor(world: World) -> None:
    data, _ = training_data(20, NAMES)
    new, truth = training_data(200, NAMES, seed=2)
    with_base, alone = (error(predictions(fitted(world, data, base=base), new), truth) for base in (True, False))
    assert with_base < alone - 0.1


def test_many_outcomes_correct_names_that_mislead(world: World, many: Predictor) -> None:
    new, truth = training_data(200, NAMES, seed=2, reverse=True)
    after = predictions(many, new)
    alone = predictions(fitted(world, training_data(400, NAMES, reverse=True)[0], base=False), new)
    assert error(expected(world, new), truth) > 0.2
    assert error(after, truth) < error(alone, truth) + 0.02
    assert error(after, truth) < 0.1


def test_what_was_only_expected_is_no_outcome_for_the_prior(world: World) -> None:
    data, _ = training_data(40, NAMES)
    wrong = data.scores.copy()
    wrong[:, 2] = 0.0  # filled in by somebody who knew no better
    known = data.scores.copy()
    known[:, 2] = np.nan
    believed, told = (
        fit(replace(data, scores=wrong, known=each), settings=SETTINGS, base=world.base).predictor.prior
        for each in (known, None)
    )
    assert believed is not None and told is not None
    rows = design_rows(world.base.traits, data.dense, data.ngrams)
    assert believed.p_success(rows)[:, 2].mean() > told.p_success(rows)[:, 2].mean() + 0.2


def test_known_outcomes_go_wherever_their_rows_go(world: World) -> None:
    data, _ = training_data(5, NAMES)
    taken = replace(data, known=data.scores * 2).take(np.array([3, 1]))
    assert taken.known is not None
    np.testing.assert_array_equal(taken.known, data.scores[[3, 1]] * 2)
    assert data.take(np.array([0])).known is None


@pytest.mark.parametrize("names", [("qwen2.5:0.5b", "nobody"), ("a", "b", "c", "d", "e")], ids=len)
def test_any_candidates_can_start_from_a_base_predictor(world: World, names: tuple[str, ...]) -> None:
    data, _ = training_data(30, ("qwen2.5:0.5b", "qwen2.5:7b", "qwen2.5:72b", "gemma2:2b", "gemma2:9b")[: len(names)])
    predicted = predictions(fitted(world, replace(data, candidates=names)), data)
    assert predicted.shape == (30, len(names)) and ((predicted > 0) & (predicted < 1)).all()


def test_a_fit_without_a_base_predictor_has_no_prior(world: World, few: Predictor) -> None:
    data, _ = training_data(12, NAMES)
    assert fitted(world, data, base=False).prior is None
    assert few.prior is not None


# The prior itself


def test_the_prior_is_the_base_predictors_lines_after_the_outcomes(world: World) -> None:
    data, _ = training_data(30, NAMES)
    rows = design_rows(world.base.traits, data.dense, data.ngrams)
    weights = np.linspace(0, 1, 30, dtype=np.float32)
    prior = fit_prior(world.base, NAMES, rows, data.scores, weights)
    lines = world.base.lines([describe(name) for name in NAMES])
    after = adapt(lines, rows, data.scores.astype(np.float64), weights.astype(np.float64))
    np.testing.assert_allclose(prior.p_success(rows), after.p_success(rows))
    again = fit_prior(world.base, NAMES, rows, data.scores, np.ones(30, np.float32))
    np.testing.assert_allclose(again.mean, fit_prior(world.base, NAMES, rows, data.scores).mean, atol=1e-9)


# How much of it


def parts(n: int, seed: int = 0) -> tuple[NDArray[np.float32], ...]:
    """N-grams, trees, a prior and targets of two outputs; the prior is right, the others are noise."""
    rng = np.random.default_rng(seed)
    prior = rng.random((n, 2))
    noise = rng.normal(0, 0.1, (3, n, 2))
    return tuple(each.astype(np.float32) for each in (noise[0], noise[1], prior, prior + noise[2]))


@pytest.mark.parametrize("n", [1, 2, 5, 400])
def test_a_prior_that_is_right_is_kept(n: int) -> None:
    blend, gain = fit_blend_over(*parts(n))
    np.testing.assert_allclose(gain, 1.0, atol=0.2)
    np.testing.assert_allclose(blend.offset, 0.0, atol=0.1)


def test_a_prior_that_is_wrong_is_dropped_and_never_turned_around() -> None:
    ngrams, trees, prior, _ = parts(600)
    targets = 1 - prior
    _, gain = fit_blend_over(ngrams, trees, prior, targets)
    assert (gain >= 0).all() and (gain < 0.2).all()


def test_own_parts_that_are_right_take_over_with_many_rows() -> None:
    _, _, prior, targets = parts(600, seed=1)
    rng = np.random.default_rng(2)
    noise = rng.random(prior.shape).astype(np.float32)
    blend, gain = fit_blend_over(prior, prior, noise, targets)
    few, gain_of_few = fit_blend_over(prior[:20], prior[:20], noise[:20], targets[:20])
    assert (blend.ngram_gain > few.ngram_gain).all() and (gain < gain_of_few).all()
    fitted = blend.offset + (blend.ngram_gain + blend.tree_gain) * prior + gain * noise
    assert np.abs(fitted - targets).mean() < 0.15


def test_rows_that_weigh_nothing_do_not_tell_how_much() -> None:
    ngrams, trees, prior, targets = parts(40)
    wrong = targets.copy()
    wrong[20:] = 5.0
    weights = np.repeat(np.array([1.0, 0.0], np.float32), 20)
    _, gain = fit_blend_over(ngrams, trees, prior, wrong, weights)
    np.testing.assert_allclose(gain, 1.0, atol=0.2)


def test_parts_that_never_move_get_no_gain() -> None:
    _, _, prior, targets = parts(30)
    still = np.full_like(prior, 0.25)
    blend, gain = fit_blend_over(still, still, prior, targets)
    assert not blend.ngram_gain.any() and not blend.tree_gain.any() and np.isfinite(gain).all()


# What serves


def test_one_prompt_gets_what_it_gets_in_a_table(many: Predictor) -> None:
    from turnout.learning.dataset import extract_all

    in_table = predict_table(many, extract_all(TEXTS, quiet=True))
    one_by_one = [many.predict(extract(text)).p_success for text in TEXTS]
    np.testing.assert_allclose(one_by_one, in_table, atol=1e-4)


def test_out_of_its_depth_is_what_neither_has_seen(few: Predictor) -> None:
    assert few.prior is not None
    text = extract("in the function please schedule the value again")
    alone = replace(few, prior=None).predict(text).novelty
    assert few.predict(text).novelty < alone, "the base predictor knows words that six prompts did not hold"
    foreign = few.predict(extract("Kräuterbutter schmeckt vorzüglich zu gegrilltem Maiskolben"))
    assert foreign.novelty > few.novelty_limit


def test_a_predictor_with_a_prior_is_loaded_as_it_was_saved(few: Predictor, many: Predictor, tmp_path: Path) -> None:
    for number, predictor in enumerate((few, many)):
        save(predictor, tmp_path / str(number))
        loaded = load(tmp_path / str(number))
        assert loaded.prior is not None
        for text in TEXTS:
            one, other = (each.predict(extract(text)) for each in (loaded, predictor))
            np.testing.assert_array_equal(one.p_success, other.p_success)
            assert one.novelty == other.novelty


def test_a_predictor_without_a_prior_is_loaded_without(few: Predictor, tmp_path: Path) -> None:
    save(replace(few, prior=None), tmp_path)
    assert load(tmp_path).prior is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda prior: replace(prior, mean=prior.mean[:-1]),
        lambda prior: replace(prior, mean=prior.mean * np.nan),
        lambda prior: replace(prior, covariance=prior.covariance[:, :, :-1]),
        lambda prior: replace(prior, to_scores=prior.to_scores.astype(int)),
        lambda prior: replace(prior, traits=replace(prior.traits, novelty_limit=np.inf)),
    ],
    ids=["fewer lines", "no numbers", "narrower", "whole numbers", "no limit"],
)
def test_a_damaged_prior_is_a_damaged_predictor(few: Predictor, tmp_path: Path, damage: Callable[..., object]) -> None:
    save(replace(few, prior=damage(few.prior)), tmp_path)  # type: ignore[arg-type]
    with pytest.raises(ArtifactCorruptError, match="prior"):
        load(tmp_path)
