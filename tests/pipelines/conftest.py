"""A place of its own for every test's models and tracking store, and small slices of the bundled history."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pandas as pd
import pytest

Slice: TypeAlias = Callable[..., Path]

HISTORY = Path(__file__).parents[2] / "data" / "history.parquet"
CANDIDATES = ("lmstudio/qwen2.5-coder-1.5b", "lmstudio/qwen2.5-coder-7b", "ollama/llama-3.3-70b")


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def models(patch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models folder of a module: TURNOUT_MODELS points there, MLflow keeps its SQLite store in it."""
    folder = tmp_path_factory.mktemp("models of a test")
    patch.setenv("TURNOUT_MODELS", str(folder))
    patch.setenv("MLFLOW_TRACKING_URI", "")
    patch.setattr("turnout.predictor.fit_trees.TREES_PER_BAG", 10)
    return folder


@pytest.fixture(scope="session")
def history_slice(tmp_path_factory: pytest.TempPathFactory) -> Slice:
    """Writes the first prompts of the bundled history, with all five candidates, to a file."""
    folder, history = tmp_path_factory.mktemp("slices"), pd.read_parquet(HISTORY)

    def cut(n: int = 300, start: int = 0) -> Path:
        path = folder / f"history-{start}-{n}.parquet"
        ids = history["prompt_id"].unique()[start : start + n]
        history[history["prompt_id"].isin(ids)].to_parquet(path, index=False)
        return path

    return cut
