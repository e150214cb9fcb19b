"""The laboratory's outcome table: every prompt answered by every model on the real engine, as the contract wants it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

pytest.importorskip("gguf", reason="GGUF files need the extra lab-train: gguf")
pytest.importorskip("xllamacpp", reason="the real engine needs xllamacpp")

from tests.pipelines.lab.models import random_weights
from turnout_pipelines.lab import gguf_file, outcomes
from turnout_pipelines.lab.sizes import SIZES

from turnout.lab.laboratory import candidate_of
from turnout.learning.outcomes import read_outcomes

TASKS = 3


@pytest.fixture
def random_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The three files, with random weights that say nothing of use."""
    monkeypatch.setenv("TURNOUT_MODELS", str(tmp_path))
    for name, size in SIZES.items():
        gguf_file.write(tmp_path / "lab" / f"{name}.gguf", size, random_weights(size))
    return tmp_path


def test_all_models_answer_all_prompts(random_models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = random_models / "outcomes.parquet"
    assert outcomes.main(["--tasks", str(TASKS), "--output", str(output)]) == 0
    assert f"{TASKS * len(SIZES)} rows, {TASKS} prompts" in capsys.readouterr().out
    table = pd.read_parquet(output)
    assert set(table["model"]) == {candidate_of(size) for size in SIZES}
    assert table["latency_s"].gt(0).all() and table["mean_logprob"].le(0).all()
    assert table["min_logprob"].le(table["mean_logprob"]).all()
    assert read_outcomes([output]).prompts["dataset"].isin(table["dataset"]).all()


def test_prompts_are_distinct_and_repeat_with_the_seed() -> None:
    tasks = outcomes.distinct(400, 0)
    assert len({task.prompt for task in tasks}) == len(tasks) == 400
    assert tasks == outcomes.distinct(400, 0) != outcomes.distinct(400, 1)


def test_without_models_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TURNOUT_MODELS", str(tmp_path))
    output = tmp_path / "outcomes.parquet"
    assert outcomes.main(["--tasks", "2", "--output", str(output)]) == 1
    assert "no language models of the laboratory" in capsys.readouterr().err and not output.exists()
