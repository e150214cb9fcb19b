"""The job that makes the bundled history."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from turnout_pipelines import simulate

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    """The first 40 training prompts and one that is held out."""
    lines = (DATA / "prompts.jsonl").read_text(encoding="utf-8").split("\n")
    held_out = next(line for line in lines if '"heldout"' in line)
    path = tmp_path / "prompts.jsonl"
    path.write_text("\n".join([*[line for line in lines if '"train"' in line][:40], held_out]), encoding="utf-8")
    return path


def test_only_training_prompts_are_answered(prompts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate.main(["--prompts", str(prompts), "--output", str(tmp_path / "h.parquet")]) == 0
    table = pd.read_parquet(tmp_path / "h.parquet")
    assert len(table) == 200 and table["prompt_id"].nunique() == 40
    assert "200 rows, 40 prompts, 5 candidates" in capsys.readouterr().out


def test_the_same_seed_gives_the_same_file(prompts: Path, tmp_path: Path) -> None:
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        simulate.main(["--prompts", str(prompts), "--output", str(tmp_path / name), "--seed", seed])
    first, second, other = ((tmp_path / name).read_bytes() for name in "abc")
    assert first == second != other


@pytest.mark.parametrize("content", ["", "not json", '{"id": "x"}'], ids=["no prompts", "no JSON", "no labels"])
def test_unusable_prompts_are_explained_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text(content, encoding="utf-8")
    assert simulate.main(["--prompts", str(path), "--output", str(tmp_path / "h.parquet")]) == 1
    assert str(path) in capsys.readouterr().err
    assert not (tmp_path / "h.parquet").exists()


def test_a_negative_seed_is_wrong_usage(prompts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        simulate.main(["--prompts", str(prompts), "--output", str(tmp_path / "h.parquet"), "--seed", "-1"])
    assert caught.value.code == 2
    assert "--seed must not be negative" in capsys.readouterr().err
