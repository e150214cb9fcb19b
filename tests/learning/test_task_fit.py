"""Task weights fitted on a handful of prompts: they serve, they know their prompts, they are the same each time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from turnout.features import task
from turnout.features.surface import SURFACE_NAMES, surface_vector
from turnout.features.text import read_prompt
from turnout.learning.simulation import DeveloperPrompt, read_prompts
from turnout.learning.task_fit import fit_task_weights, save_task_weights
from turnout.types import TASK_TYPES, Request

PROMPTS = Path(__file__).parents[2] / "data" / "prompts.jsonl"


@pytest.fixture(scope="module")
def rows() -> list[DeveloperPrompt]:
    """Two prompts of each task type and tier."""
    every = [row for row in read_prompts(PROMPTS) if row.part == "train" and row.cue == "plain"]
    return [
        row
        for kind in TASK_TYPES
        for tier in ("fast", "strong")
        for row in [row for row in every if (row.task_type, row.tier) == (kind, tier)][:2]
    ]


@pytest.mark.slow
def test_fitted_weights_are_saved_whole_and_judge_their_own_prompts(
    rows: list[DeveloperPrompt], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = fit_task_weights(rows)
    again = fit_task_weights(rows)
    assert all((weights[name] == again[name]).all() for name in weights)
    assert weights["surface"].shape == (len(SURFACE_NAMES), len(task.OUTPUTS))
    assert weights["words"].dtype == weights["chars"].dtype == np.int8

    save_task_weights(weights, tmp_path / task.WEIGHTS_FILE)
    monkeypatch.setattr(task, "files", lambda package: tmp_path)
    model = task.load_task_model.__wrapped__()
    judged = []
    for row in rows:
        text = read_prompt(row.prompt)
        judged.append(model.judge(text, surface_vector(text, Request.of(row.prompt)))[0])
    assert np.mean([found.tier == row.tier for found, row in zip(judged, rows, strict=True)]) > 0.9
    assert np.mean([found.type == row.task_type for found, row in zip(judged, rows, strict=True)]) > 0.9
