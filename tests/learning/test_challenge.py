"""A challenger is trained on what is older and judged on what is newer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from tests.learning.partial_logs import NAMES, World

from turnout.errors import TooFewRowsError
from turnout.learning.challenge import Challenge, challenge, split_by_time
from turnout.learning.gate_page import gate_page


@pytest.fixture(scope="module")
def challenged() -> Iterator[Challenge]:
    yield challenge(World(1200).log, None)


def test_without_a_champion_it_is_held_against_what_was_done(challenged: Challenge) -> None:
    assert list(challenged.estimates) == [
        "challenger",
        "champion",
        "what was done",
        *(f"always {name}" for name in NAMES),
        "random",
    ]
    assert challenged.estimates["champion"] == challenged.estimates["what was done"]
    assert challenged.predictor.candidates == NAMES


def test_what_judges_is_newer_than_all_that_trained(challenged: Challenge) -> None:
    assert len(challenged.judged) == 360 and challenged.trained_on == 840
    assert challenged.judged.created_at.min() >= 840


def test_a_prompt_that_judges_has_not_trained() -> None:
    log = replace(World(400).log, groups=np.arange(400) % 300)
    older, newer = split_by_time(log)
    assert not set(older.groups) & set(newer.groups) and len(newer) == 120


def test_a_candidate_whose_results_are_all_new_has_half_of_them_to_train_on() -> None:
    log = World(1000).log
    scores = np.where(np.arange(1000)[:, None] < 800, log.scores * np.array([1.0, np.nan]), log.scores)
    older, newer = split_by_time(replace(log, scores=scores.astype(np.float32)))
    known = np.isfinite(scores[:, 1]).sum()
    assert known // 2 <= np.isfinite(older.scores[:, 1]).sum() <= known // 2 + 1 and len(newer) < 300


def test_few_results_are_not_enough() -> None:
    with pytest.raises(TooFewRowsError, match="150 decisions have a known result; 200"):
        split_by_time(World(150).log)


def test_one_prompt_again_and_again_leaves_nothing_to_train_on() -> None:
    log = replace(World(300).log, groups=np.zeros(300, np.int64))
    with pytest.raises(TooFewRowsError, match="nothing to train on"):
        split_by_time(log)


def test_the_page_says_why_and_loads_nothing(challenged: Challenge) -> None:
    page = gate_page(challenged, title="A <new> one", facts={"decisions": 1200, "support": {"a": 1}})
    assert "A &lt;new&gt; one" in page and challenged.judgement.checks[0].name in page
    assert page.count("data:image/png;base64,") == 3
    assert "http://" not in page and "https://" not in page and "<script" not in page
