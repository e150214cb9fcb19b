"""Counts, n-grams and tasks: compiled, integers are the same and floats differ by rounding at most."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from tests.kernel.both import ANY_TEXT, TEXTS, both, compiled_only, python_code

from turnout.features import Features, extract
from turnout.features.ngrams import ngram_buckets
from turnout.features.surface import surface_vector
from turnout.features.task import CHAR_BUCKETS, OUTPUTS, TaskModel, load_task_model
from turnout.features.text import read_prompt
from turnout.types import Message, Request

pytestmark = compiled_only


def same(compiled: Features, defined: Features) -> None:
    assert compiled.vector.dtype == defined.vector.dtype == np.float32
    np.testing.assert_allclose(compiled.vector, defined.vector, rtol=1e-5, atol=1e-9)
    for one, other in ((compiled.buckets, defined.buckets), (compiled.counts, defined.counts)):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    task, other_task = compiled.task, defined.task
    assert (task.type, task.complexity, task.tier) == (other_task.type, other_task.complexity, other_task.tier)
    assert task.type_scores == pytest.approx(other_task.type_scores, rel=1e-5)
    assert task.complexity_scores == pytest.approx(other_task.complexity_scores, rel=1e-5, abs=1e-9)
    assert task.complexity_score == pytest.approx(other_task.complexity_score, rel=1e-5)
    assert task.tier_score == pytest.approx(other_task.tier_score, rel=1e-5)


@given(TEXTS)
@example("")
@example("a")
@example("How? Why! So. e.g. this.that 3.5. http://a.b://c :// end。次！？\n.")
@settings(max_examples=300)
def test_any_text_has_the_same_features(text: str) -> None:
    same(*both(extract, text))


def test_real_and_hostile_prompts_have_the_same_features(
    prompts: tuple[str, ...], hostile_prompts: dict[str, str]
) -> None:
    for prompt in (*prompts, *hostile_prompts.values()):
        same(*both(extract, prompt))


def test_trees_see_the_same_scores(prompts: tuple[str, ...]) -> None:
    """Not nearly the same: a threshold of a tree lies on a value that some prompt had."""
    moved = 0
    for prompt in prompts:
        compiled, defined = both(extract, prompt)
        moved += int(np.count_nonzero(compiled.vector != defined.vector))
    assert moved <= 1


@given(ANY_TEXT, ANY_TEXT)
def test_a_conversation_has_the_same_features(first: str, second: str) -> None:
    request = Request((Message("system", first), Message("user", second)))
    same(*both(extract, request))


@given(TEXTS)
def test_the_surface_is_the_same_to_the_last_bit_but_for_logarithms(text: str) -> None:
    compiled = surface_vector(read_prompt(text), Request.of(text))
    with python_code():
        defined = surface_vector(read_prompt(text), Request.of(text))
    np.testing.assert_allclose(compiled, defined, rtol=2e-7, atol=0)


@given(arrays.arrays(np.uint32, st.integers(0, 900)))
@example(np.zeros(700, np.uint32))
@settings(max_examples=200)
def test_any_hashes_fall_into_the_same_buckets(hashes: NDArray[np.uint32]) -> None:
    for given_hashes in (hashes, hashes[::2], hashes[::-1], np.ascontiguousarray(hashes)):
        for one, other in zip(*both(ngram_buckets, given_hashes), strict=True):
            assert one.dtype == other.dtype == np.int64
            np.testing.assert_array_equal(one, other)


def test_buckets_can_be_changed_like_any_array() -> None:
    features = extract("sort the imports")
    assert features.buckets.flags.writeable and features.counts.flags.writeable and features.vector.flags.writeable


def test_a_task_model_that_knows_no_term_gives_its_bias() -> None:
    model = load_task_model()
    blank = TaskModel.of(
        {
            "words": np.zeros((len(model.words), len(OUTPUTS)), np.int8),
            "chars": np.zeros((CHAR_BUCKETS, len(OUTPUTS)), np.int8),
            "word_idf": np.zeros(len(model.words), np.float16),
            "char_idf": np.zeros(CHAR_BUCKETS, np.float16),
            "scale": model.scale,
            "surface": np.zeros(model.surface.shape, np.float32),
            "surface_mean": model.surface_mean,
            "surface_std": model.surface_std,
            "bias": model.bias,
        }
    )
    text = read_prompt("sort the imports")
    surface = surface_vector(text, Request.of("sort the imports"))
    for outputs in both(blank.outputs, text, surface):
        np.testing.assert_array_equal(outputs, model.bias)
