"""The simulated history and the prompts it is made from."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from turnout.errors import DataError
from turnout.learning.simulation import (
    CANDIDATES,
    CEILING,
    COLUMNS,
    DeveloperPrompt,
    SimulatedCandidate,
    count_tokens,
    read_prompts,
    simulate_history,
    success_probability,
)
from turnout.types import TASK_TYPES, TIERS

DATA = Path(__file__).parents[2] / "data"
SMALL, CODER_7B, GENERALIST_8B, CODER_32B, GENERALIST_70B = CANDIDATES
EASY = DeveloperPrompt("x-001", "train", "edit", "fast", 2, "en", "plain", "rename usr to user in load()")


@pytest.fixture(scope="module")
def prompts() -> list[DeveloperPrompt]:
    return read_prompts(DATA / "prompts.jsonl")


@pytest.fixture(scope="module")
def training(prompts: list[DeveloperPrompt]) -> list[DeveloperPrompt]:
    return [prompt for prompt in prompts if prompt.part == "train"]


@pytest.fixture(scope="module")
def history(training: list[DeveloperPrompt]) -> pd.DataFrame:
    return simulate_history(training, seed=0)


def write_lines(path: Path, *lines: object) -> Path:
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), encoding="utf-8")
    return path


# The simulation


def test_the_same_seed_gives_the_same_bytes(training: list[DeveloperPrompt]) -> None:
    first, second = (simulate_history(training[:200], seed=7).to_csv() for _ in range(2))
    assert first == second


def test_another_seed_gives_other_draws(training: list[DeveloperPrompt]) -> None:
    assert not simulate_history(training[:200], seed=1).equals(simulate_history(training[:200], seed=2))


def test_a_prompts_rows_do_not_depend_on_the_other_prompts(training: list[DeveloperPrompt]) -> None:
    alone = simulate_history(training[40:41])
    among_others = simulate_history(training[:80][::-1])
    picked = among_others[among_others["prompt_id"] == training[40].id].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, picked)


def test_the_table_keeps_the_outcome_contract(history: pd.DataFrame, training: list[DeveloperPrompt]) -> None:
    assert tuple(history.columns) == COLUMNS
    assert len(history) == len(training) * len(CANDIDATES)
    assert not history.isna().any(axis=None)
    assert not history.duplicated(["prompt_id", "model"]).any()
    assert (history["group"] == history["prompt_id"]).all()
    assert set(history["dataset"]) == {"developer"}
    assert list(history["model"][: len(CANDIDATES)]) == [candidate.name for candidate in CANDIDATES]


def test_every_figure_is_in_its_range(history: pd.DataFrame) -> None:
    assert set(history["score"]) == {0.0, 1.0}
    assert history["latency_s"].between(0.01, 600).all()
    assert (history["cost_usd"] == 0.0).all()
    assert history["prompt_tokens"].between(1, 2000).all()
    assert history["completion_tokens"].between(1, 4000).all()


def test_no_prompts_give_an_empty_table_with_the_same_columns() -> None:
    assert tuple(simulate_history([]).columns) == COLUMNS


def test_fast_prompts_are_for_everyone_and_strong_ones_for_the_large(
    history: pd.DataFrame, training: list[DeveloperPrompt]
) -> None:
    tier = history["prompt_id"].map({prompt.id: prompt.tier for prompt in training})
    mean = history.groupby(["model", tier])["score"].mean()
    for candidate, fast, strong in (
        (SMALL, (0.60, 0.72), (0.04, 0.12)),
        (CODER_7B, (0.88, 0.94), (0.25, 0.40)),
        (GENERALIST_8B, (0.88, 0.94), (0.25, 0.40)),
        (CODER_32B, (0.93, 0.98), (0.80, 0.88)),
        (GENERALIST_70B, (0.93, 0.98), (0.80, 0.88)),
    ):
        assert fast[0] < mean[candidate.name, "fast"] < fast[1], candidate.name
        assert strong[0] < mean[candidate.name, "strong"] < strong[1], candidate.name


def test_larger_candidates_take_longer(history: pd.DataFrame) -> None:
    seconds = history.groupby("model")["latency_s"].median()
    assert seconds[[candidate.name for candidate in CANDIDATES]].is_monotonic_increasing


@pytest.mark.parametrize("candidate", CANDIDATES, ids=lambda candidate: candidate.name)
def test_harder_prompts_succeed_less_often(candidate: SimulatedCandidate) -> None:
    by_complexity = [success_probability(candidate, replace(EASY, complexity=level)) for level in range(11)]
    assert all(0.0 < p < CEILING for p in by_complexity)
    assert by_complexity == sorted(by_complexity, reverse=True)
    assert success_probability(candidate, replace(EASY, tier="strong")) < success_probability(candidate, EASY)
    assert success_probability(candidate, EASY, noise=1.0) < success_probability(candidate, EASY)


def test_small_candidates_lose_more_in_other_languages_and_on_long_prompts() -> None:
    hard = replace(EASY, tier="strong", complexity=5)
    for changed in (replace(hard, language="pl"), replace(hard, prompt="x = 1\n" * 500)):
        kept = [success_probability(each, changed) / success_probability(each, hard) for each in CANDIDATES]
        assert kept[0] < kept[-1] <= 1.0


def test_coders_are_better_at_code_and_generalists_at_prose() -> None:
    debugging, general = replace(EASY, task_type="debugging"), replace(EASY, task_type="general")
    assert success_probability(CODER_7B, debugging) > success_probability(GENERALIST_8B, debugging)
    assert success_probability(CODER_7B, general) < success_probability(GENERALIST_8B, general)


def test_four_characters_are_a_token() -> None:
    assert [count_tokens(text) for text in ("", "a", "abcd", "abcde")] == [0, 1, 1, 2]


# Reading prompts


def test_a_prompt_survives_the_way_to_the_file_and_back(tmp_path: Path) -> None:
    odd = replace(EASY, id="x-002", language="ja", prompt="変数名を\u2028直して\n\n```py\nx = 1\n```")
    path = tmp_path / "prompts.jsonl"
    path.write_text("\n".join(json.dumps(asdict(each), ensure_ascii=False) for each in (EASY, odd)), encoding="utf-8")
    assert read_prompts(path) == [EASY, odd]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('{"id": "x-002",', "not JSON"),
        ('["x-002"]', "expected an object, found list"),
        ({"id": "x-002"}, "expected the fields id, part"),
        ({**asdict(EASY), "id": "x-002", "author": "me"}, "author"),
        ({**asdict(EASY), "id": "x-002", "tier": "medium"}, "tier is 'medium', expected one of fast, strong"),
        ({**asdict(EASY), "id": "x-002", "task_type": "poetry"}, "task_type is 'poetry'"),
        ({**asdict(EASY), "id": "x-002", "part": "test"}, "part is 'test'"),
        ({**asdict(EASY), "id": "x-002", "cue": None}, "cue is None"),
        ({**asdict(EASY), "id": "x-002", "complexity": 11}, "complexity is 11"),
        ({**asdict(EASY), "id": "x-002", "complexity": True}, "complexity is True"),
        ({**asdict(EASY), "id": "x-002", "prompt": "  "}, "prompt is '  ', expected text"),
        (asdict(EASY), "the id 'x-001' stands on line 1 already"),
    ],
)
def test_a_bad_line_is_named_with_its_file(tmp_path: Path, line: object, complaint: str) -> None:
    path = write_lines(tmp_path / "broken.jsonl", asdict(EASY), "", line)
    with pytest.raises(DataError) as caught:
        read_prompts(path)
    assert str(path) in str(caught.value)
    assert "line 3" in str(caught.value)
    assert complaint in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.jsonl"):
        read_prompts(tmp_path / "nowhere.jsonl")


# The files that ship


def test_the_prompts_are_many_and_their_ids_unique(prompts: list[DeveloperPrompt]) -> None:
    assert len(prompts) >= 1200
    assert len({prompt.id for prompt in prompts}) == len(prompts)
    assert {prompt.id[0] for prompt in prompts if prompt.part == "heldout"} == {"g", "h"}
    assert not {prompt.id[0] for prompt in prompts if prompt.part == "train"} & {"g", "h"}


@pytest.mark.parametrize("part", ["train", "heldout"])
def test_every_task_type_has_both_tiers(prompts: list[DeveloperPrompt], part: str) -> None:
    counts = Counter((prompt.task_type, prompt.tier) for prompt in prompts if prompt.part == part)
    assert all(counts[pair] >= 3 for pair in product(TASK_TYPES, TIERS))


def test_no_two_prompts_are_the_same_but_for_case_and_punctuation(prompts: list[DeveloperPrompt]) -> None:
    bare = Counter("".join(filter(str.isalnum, prompt.prompt.lower())) for prompt in prompts)
    assert [text for text, times in bare.items() if times > 1] == []


@pytest.mark.parametrize("part", ["train", "heldout"])
def test_length_does_not_give_the_tier_away(prompts: list[DeveloperPrompt], part: str) -> None:
    chosen = [prompt for prompt in prompts if prompt.part == part]
    words = pd.Series([len(prompt.prompt.split()) for prompt in chosen])
    strong = np.array([prompt.tier == "strong" for prompt in chosen])
    n_strong = strong.sum()
    wins = words.rank()[strong].sum() - n_strong * (n_strong + 1) / 2  # Mann-Whitney: AUC without a curve
    assert wins / (n_strong * (len(chosen) - n_strong)) == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize("part", ["train", "heldout"])
def test_a_tenth_is_not_in_english(prompts: list[DeveloperPrompt], part: str) -> None:
    assert np.mean([prompt.language != "en" for prompt in prompts if prompt.part == part]) >= 0.10


def test_the_bundled_history_is_the_simulation_of_the_training_prompts(history: pd.DataFrame) -> None:
    bundled = pd.read_parquet(DATA / "history.parquet")
    pd.testing.assert_frame_equal(bundled, history, check_dtype=False)
