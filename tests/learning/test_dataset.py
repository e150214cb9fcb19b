"""From a table to training arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from turnout.features import FEATURE_NAMES, extract
from turnout.features.ngrams import BUCKETS
from turnout.learning import dataset
from turnout.learning.dataset import extract_all, training_data
from turnout.learning.outcomes import OutcomeTable

MakeTable = Callable[..., OutcomeTable]
PROMPTS = ["sort imports", "", "why does the quorum deadlock? " * 40, "日本語 🐛", "sort imports", "x"]


def test_rows_are_the_features_of_the_prompts_in_order() -> None:
    table = extract_all(PROMPTS, quiet=True)
    assert table.dense.shape == (len(PROMPTS), len(FEATURE_NAMES)) and table.dense.dtype == np.float32
    assert table.ngrams.shape == (len(PROMPTS), BUCKETS)
    for row, prompt in enumerate(PROMPTS):
        features = extract(prompt)
        np.testing.assert_array_equal(table.dense[row], features.vector)
        at = slice(table.ngrams.indptr[row], table.ngrams.indptr[row + 1])
        np.testing.assert_array_equal(table.ngrams.indices[at], features.buckets)
        np.testing.assert_array_equal(table.ngrams.data[at], features.counts)


@pytest.mark.parametrize("chunk", [1, 2, 6, 100])
def test_the_size_of_chunks_changes_nothing(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    whole = extract_all(PROMPTS, quiet=True)
    monkeypatch.setattr(dataset, "_CHUNK", chunk)
    parts = extract_all(PROMPTS, quiet=True)
    np.testing.assert_array_equal(parts.dense, whole.dense)
    assert (parts.ngrams != whole.ngrams).nnz == 0


def test_rows_can_be_taken_in_any_order() -> None:
    taken = extract_all(PROMPTS, quiet=True).take(np.array([2, 0]))
    np.testing.assert_array_equal(taken.dense, [extract(PROMPTS[row]).vector for row in (2, 0)])
    assert taken.ngrams.shape == (2, BUCKETS)


def test_training_arrays_follow_the_order_of_the_candidates(make_table: MakeTable) -> None:
    scores = np.random.default_rng(0).random((6, 3))
    table = make_table(PROMPTS, scores, groups=list("aabbcc"))
    data = training_data(table, ["model-2", "model-0"], extract_all(PROMPTS, quiet=True))
    assert data.candidates == ("model-2", "model-0")
    np.testing.assert_array_equal(data.scores, scores[:, [2, 0]].astype(np.float32))
    assert data.groups.tolist() == [0, 0, 1, 1, 2, 2]
    assert data.seconds is None and data.cost_usd is None and data.answer_tokens is None


def test_lengths_that_nobody_counted_are_not_known(make_table: MakeTable) -> None:
    table = make_table(PROMPTS, np.random.default_rng(0).random((6, 2)))
    lengths = table.answer_tokens.copy()
    lengths.iloc[:, 0], lengths.iloc[:2, 1] = 0.0, 40.0
    data = training_data(
        replace(table, answer_tokens=lengths), ["model-0", "model-1"], extract_all(PROMPTS, quiet=True)
    )
    assert data.answer_tokens is not None and np.isnan(data.answer_tokens[:, 0]).all()
    np.testing.assert_array_equal(data.answer_tokens[:, 1], np.array([40, 40, *[np.nan] * 4], np.float32))


def test_missing_scores_are_filled_for_training(make_table: MakeTable) -> None:
    scores = np.array([[1, 0], [np.nan, 1], [0, np.nan], [1, 1], [0, 0], [1, 0]])
    data = training_data(make_table(PROMPTS, scores), ["model-0", "model-1"], extract_all(PROMPTS, quiet=True))
    assert np.isfinite(data.scores).all()
    known = np.isfinite(scores)
    np.testing.assert_array_equal(data.scores[known], scores[known])


def test_other_models_are_left_alone_on_request(make_table: MakeTable) -> None:
    rng = np.random.default_rng(0)
    ability, difficulty = np.linspace(-1, 1, 8), rng.standard_normal((80, 1))
    prompts = [f"task {number}" for number in range(80)]
    table = make_table(prompts, rng.random((80, 8)) < 1 / (1 + np.exp(difficulty - ability)))
    features = extract_all(prompts, quiet=True)
    names = ["model-0", "model-1"]
    with_others, alone = (training_data(table, names, features, use_other_models=use).scores for use in (True, False))
    np.testing.assert_array_equal(alone, table.scores[names].to_numpy())
    assert (with_others != alone).any()
