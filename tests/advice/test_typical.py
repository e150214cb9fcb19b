"""Typical prompts: the sample that comes along, and files of users with all that can be wrong with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from turnout.advice.typical import MOST_PROMPTS, bundled, read_prompts
from turnout.errors import DataError
from turnout.features import extract


def written(path: Path, *lines: object) -> Path:
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), encoding="utf-8")
    return path


def test_the_sample_is_of_many_kinds_and_of_both_tiers() -> None:
    prompts = bundled()
    assert len(prompts) == len(set(prompts)) >= 55
    tasks = [extract(prompt).task for prompt in prompts]
    assert {task.tier for task in tasks} == {"fast", "strong"}
    assert len({task.type for task in tasks}) >= 5
    assert not any(prompt.startswith("#") or not prompt.strip() for prompt in prompts)


def test_a_file_gives_its_prompts_in_order(tmp_path: Path) -> None:
    path = written(tmp_path / "mine.jsonl", {"id": 1, "prompt": "sort this"}, "", {"prompt": "und dies", "more": 1})
    assert read_prompts(path) == ("sort this", "und dies")


def test_of_a_long_file_evenly_spaced_ones_are_taken(tmp_path: Path) -> None:
    path = written(tmp_path / "long.jsonl", *({"prompt": str(number)} for number in range(3 * MOST_PROMPTS)))
    assert read_prompts(path) == tuple(str(3 * number) for number in range(MOST_PROMPTS))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "holds no prompts"),
        ("sort this", "line 1: not JSON"),
        ('{"prompt": "a"}\n{"text": "b"}', "line 2: expected an object with 'prompt'"),
        ('{"prompt": 7}', "line 1: expected"),
        ('["a"]', "line 1: expected"),
        ("[" * 100_000, "line 1: not JSON"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_line(tmp_path: Path, content: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        read_prompts(written(tmp_path / "wrong.jsonl", content))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_prompts(tmp_path / "none.jsonl")
