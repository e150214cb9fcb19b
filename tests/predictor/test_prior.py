"""Lines over what a prompt's text tells: their probabilities, their intervals, and the arrays they are kept in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.kernel.both import both, compiled_only
from tests.learning.base.world import EASY, HARD, MIDDLING, World, prompt

from turnout.descriptors import describe
from turnout.features import FEATURE_NAMES, extract
from turnout.features.ngrams import BUCKETS
from turnout.predictor.calibration import CEILING, FLOOR
from turnout.predictor.prior import DOMAINS, TRAITS, WIDTH, Prior, Traits, chances, design
from turnout.predictor.prior_arrays import Arrays, prior_arrays, read_prior, read_traits, rounded, traits_arrays

THREE = ("qwen2.5:0.5b", "qwen2.5:7b", "qwen2.5:72b")
LOG_ODDS = st.floats(-30, 30)
TRAIT_ROWS = st.lists(st.floats(-1e3, 1e3), min_size=len(TRAITS), max_size=len(TRAITS))


@pytest.fixture(scope="module")
def prior(world: World) -> Prior:
    return world.base.lines([describe(name) for name in THREE]).serve(world.base.traits)


# Design rows and chances


@given(TRAIT_ROWS)
def test_a_design_row_is_a_constant_the_levels_log_odds_and_the_slopes(traits: list[float]) -> None:
    row = design(np.array(traits))
    assert row.shape == (WIDTH,) and row[0] == 1 and abs(row[1]) < 4
    np.testing.assert_array_equal(row[2:], traits[1:])


def test_a_middling_level_has_even_odds_and_a_higher_one_better() -> None:
    rows = design(np.array([[level, 0.0, 0.0, 0.0] for level in (-5.0, 0.0, 0.25, 0.5, 0.9, 1.0, 5.0)]))
    assert rows[3, 1] == pytest.approx(0)
    assert (np.diff(rows[:, 1]) >= 0).all()
    assert rows[0, 1] == rows[1, 1] == pytest.approx(-rows[-1, 1])


def test_design_rows_keep_the_shape_of_what_they_are_made_of() -> None:
    assert design(np.zeros((2, 3, len(TRAITS)), np.float32)).shape == (2, 3, WIDTH)


@given(LOG_ODDS, st.floats(0, 1e4))
def test_doubt_moves_a_chance_towards_even_odds_and_never_past_them(log_odds: float, variance: float) -> None:
    sure, doubted = (float(chances(np.array(log_odds), each)) for each in (0.0, variance))
    assert 0 <= sure <= 1
    assert abs(doubted - 0.5) <= abs(sure - 0.5) + 1e-12
    assert (doubted - 0.5) * (sure - 0.5) >= 0


@given(st.floats(-1, 2), st.floats(-2, 2), st.lists(st.floats(-0.3, 0.3), min_size=2, max_size=2))
def test_an_interval_contains_its_middle(prior: Prior, level: float, own: float, others: list[float]) -> None:
    row = design(np.array([level, own, *others]))
    low, high = prior.interval(row)
    p = np.clip(prior.p_success(row), FLOOR, CEILING)
    assert (low > 0).all() and (low <= p).all() and (p <= high).all() and (high < 1).all()
    assert (low < high).all()


def test_a_wider_covariance_is_a_wider_interval(prior: Prior) -> None:
    row = design(np.array([0.5, 1.0, 0.0, 0.0]))
    narrow, wide = (prior.interval(row), replace(prior, covariance=prior.covariance * 4).interval(row))
    assert (wide[0] < narrow[0]).all() and (wide[1] > narrow[1]).all()


def test_certain_lines_have_no_interval(prior: Prior) -> None:
    row = design(np.array([0.5, 1.0, 0.0, 0.0]))
    certain = replace(prior, covariance=prior.covariance * 0)
    for end in certain.interval(row):
        np.testing.assert_allclose(end, certain.p_success(row))


# What a text tells


def test_what_is_expected_of_a_prompt_follows_its_words(prior: Prior) -> None:
    rng = np.random.default_rng(3)
    easy, middling, hard = (
        np.mean([prior.expect(extract(prompt(rng, words))).p_success for _ in range(5)], axis=0)
        for words in (EASY, MIDDLING, HARD)
    )
    assert (easy > middling).all() and (middling > hard).all()
    assert (np.diff(middling) > 0).all(), "where the words leave it open, the abler are expected to do better"


@pytest.mark.parametrize("text", ["", "x", "words nobody planted", "déjà vu 日本語 \ud800 🐛", "sort " * 5000])
def test_any_text_gets_probabilities_with_an_interval_around_them(prior: Prior, text: str) -> None:
    found = prior.expect(extract(text))
    assert (found.low > 0).all() and (found.low <= found.p_success).all()
    assert (found.p_success <= found.high).all() and (found.high < 1).all()
    assert 0 <= found.novelty <= 1


def test_many_rows_at_once_are_the_same_rows_one_by_one(prior: Prior) -> None:
    rows = design(np.random.default_rng(0).random((6, len(TRAITS))))
    np.testing.assert_allclose(prior.p_success(rows), [prior.p_success(row) for row in rows])
    np.testing.assert_allclose(prior.interval(rows)[0], [prior.interval(row)[0] for row in rows])
    np.testing.assert_allclose(prior.scores(rows), [prior.scores(row) for row in rows], atol=1e-6)


def test_scores_are_probabilities_through_what_the_fit_made_of_them(prior: Prior) -> None:
    row = design(np.array([0.5, 1.0, 0.0, 0.0]))
    np.testing.assert_allclose(prior.scores(row), prior.p_success(row), atol=1e-6)
    swapped = replace(prior, to_scores=np.eye(3, dtype=np.float32)[::-1])
    np.testing.assert_allclose(swapped.scores(row), prior.p_success(row)[::-1], atol=1e-6)


@compiled_only
@pytest.mark.parametrize(
    "text", ["", "x", "in the function please prove the quorum", "日本語 \ud800 🐛", "sort " * 500]
)
def test_compiled_and_in_python_a_text_tells_the_same(world: World, text: str) -> None:
    (compiled, new), (expected, also_new) = both(world.base.traits.of, extract(text))
    np.testing.assert_allclose(compiled, expected, atol=1e-5)
    assert new == pytest.approx(also_new)


# Arrays


@pytest.fixture(scope="module")
def arrays(prior: Prior) -> Arrays:
    """Of a whole prior. Not to be changed."""
    return prior_arrays(prior)


def test_a_prior_survives_the_way_through_its_arrays(prior: Prior, arrays: Arrays) -> None:
    again = read_prior(arrays, 3)
    assert again is not None
    for text in ("please prove the quorum", "", "rename 日本語"):
        for one, other in zip(again.expect(extract(text)), prior.expect(extract(text)), strict=True):
            np.testing.assert_array_equal(one, other)


def test_what_was_fitted_is_rounded_to_what_its_file_holds(world: World) -> None:
    traits = world.base.traits
    again = read_traits(traits_arrays(traits))
    np.testing.assert_array_equal(again.ngrams.weights, traits.ngrams.weights)
    np.testing.assert_array_equal(again.ngrams.idf, rounded(traits.ngrams).idf)


def test_without_a_prior_there_is_nothing_to_read() -> None:
    assert read_prior({}, 3) is None
    assert read_prior({"blend_offset": np.zeros(3)}, 3) is None


CHANGES: dict[str, Callable[[NDArray[np.generic]], NDArray[np.generic]]] = {
    "longer": lambda array: np.concatenate([array, array[:1]]),
    "flatter": lambda array: array.reshape(-1)[:-1],
    "deeper": lambda array: array[None],
    "empty": lambda array: array[:0],
    "text": lambda array: np.full(array.shape, "x"),
    "complex": lambda array: array.astype(np.complex64),
    "not a number": lambda array: np.full(array.shape, np.nan, np.float32),
    "infinite": lambda array: np.full(array.shape, np.inf),
}


@pytest.mark.parametrize("damage", CHANGES)
def test_arrays_of_another_shape_or_kind_are_refused(arrays: Arrays, damage: str) -> None:
    for name, array in arrays.items():
        if name == "prior_tree_threshold" and damage in ("not a number", "infinite"):
            continue  # infinite on purpose
        with pytest.raises(ValueError, match="prior"):
            read_prior(arrays | {name: CHANGES[damage](array)}, 3)
            pytest.fail(f"{name}, {damage}: read")


def test_every_missing_array_is_noticed(arrays: Arrays) -> None:
    for name in arrays.keys() - {"prior_mean"}:  # without it there is no prior
        with pytest.raises(KeyError, match=name):
            read_prior({other: array for other, array in arrays.items() if other != name}, 3)


@pytest.mark.parametrize("n_candidates", [0, 1, 2, 4])
def test_lines_of_another_number_of_candidates_are_refused(arrays: Arrays, n_candidates: int) -> None:
    with pytest.raises(ValueError, match="prior_mean"):
        read_prior(arrays, n_candidates)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("prior_tree_feature", -1, "trees"),
        ("prior_tree_feature", len(FEATURE_NAMES), "trees"),
        ("prior_ngram_buckets", BUCKETS, "out of range"),
        ("prior_ngram_buckets", 2**32 - 1, "out of range"),
    ],
)
def test_numbers_that_point_outside_are_refused(arrays: Arrays, name: str, value: int, message: str) -> None:
    changed = arrays[name].copy()
    changed.flat[-1] = value
    with pytest.raises(ValueError, match=message):
        read_prior(arrays | {name: changed}, 3)


def test_trees_that_cannot_be_dealt_to_the_traits_are_refused(arrays: Arrays) -> None:
    parts = ("feature", "threshold", "leaves")
    fewer = {f"prior_tree_{part}": arrays[f"prior_tree_{part}"][:-1] for part in parts}
    none = {f"prior_tree_{part}": arrays[f"prior_tree_{part}"][:0] for part in parts}
    for damaged in (fewer, none):
        with pytest.raises(ValueError, match="trees"):
            read_prior(arrays | damaged, 3)


def test_traits_that_no_word_tells_are_still_traits(world: World) -> None:
    arrays = traits_arrays(world.base.traits)
    wordless = {f"prior_ngram_{part}": arrays[f"prior_ngram_{part}"][:0] for part in ("buckets", "idf", "weights")}
    traits: Traits = read_traits(arrays | wordless)
    row, novelty = traits.of(extract("rename the field"))
    assert np.isfinite(row).all() and row.shape == (2 + len(DOMAINS),) and novelty == 1
