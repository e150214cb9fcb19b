"""One models folder with its own MLflow store for each test process, and small slices of the bundled history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd
import pytest
from turnout_pipelines import train

from turnout.predictor.settings import FitSettings

Slice: TypeAlias = Callable[..., Path]

HISTORY = Path(__file__).parents[2] / "data" / "history.parquet"
THREE = ("lmstudio/qwen2.5-coder-1.5b", "lmstudio/qwen2.5-coder-7b", "ollama/llama-3.3-70b")


def use(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Let models and runs live in `folder`, and fits take a sixth of their trees."""
    patch.setenv("TURNOUT_MODELS", str(folder))
    patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
    patch.setattr("turnout.predictor.fit.FitSettings", partial(FitSettings, trees_per_bag=10))


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models of the tests")


@pytest.fixture
def models(workshop: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The models folder: TURNOUT_MODELS points there, MLflow keeps its SQLite store in it."""
    use(workshop, monkeypatch)
    return workshop


@pytest.fixture(scope="session")
def history_slice(tmp_path_factory: pytest.TempPathFactory) -> Slice:
    """Writes some prompts of the bundled history, with all five candidates, to a file."""
    folder, history = tmp_path_factory.mktemp("slices"), pd.read_parquet(HISTORY)

    def cut(n: int, start: int = 0, models: Sequence[str] = ()) -> Path:
        path = folder / f"history-{start}-{n}{'-chosen' if models else ''}.parquet"
        part = history[history["prompt_id"].isin(history["prompt_id"].unique()[start : start + n])]
        (part[part["model"].isin(models)] if models else part).to_parquet(path, index=False)
        return path

    return cut


@pytest.fixture(scope="session")
def trained(workshop: Path, history_slice: Slice) -> dict[str, Any]:
    """What the first training returned: 300 prompts, three candidates, promoted."""
    with pytest.MonkeyPatch.context() as patch:
        use(workshop, patch)
        return train.run(outcomes=[history_slice(300)], candidates=THREE, n_folds=2, promote_if_better=True)


@pytest.fixture(scope="session")
def pair(workshop: Path, trained: dict[str, Any], history_slice: Slice) -> dict[str, Any]:
    """What a second training returned: 60 prompts, two candidates, registered only."""
    with pytest.MonkeyPatch.context() as patch:
        use(workshop, patch)
        return train.run(outcomes=[history_slice(60)], candidates=(THREE[0], THREE[2]), n_folds=2)
