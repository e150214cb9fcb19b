"""Judging a pool: predictions by the contract, figures that the judge confirms, a run where one is wanted."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from turnout_pipelines import evaluate, tracking

from turnout.errors import DataError
from turnout.predictor.settings import FitSettings

Slice = Callable[..., Path]

PAIR = ("lmstudio/qwen2.5-coder-1.5b", "ollama/llama-3.3-70b")
JUDGE = Path(__file__).parents[3] / "shared" / "tools" / "score_routing.py"


@pytest.fixture(scope="module")
def judged(history_slice: Slice, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path, Path]:
    """What the job returned, the table it judged, and the predictions it wrote."""
    table, predictions = history_slice(120), tmp_path_factory.mktemp("judged") / "out" / "predictions.parquet"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("turnout.predictor.fit.FitSettings", partial(FitSettings, trees_per_bag=10))
        result = evaluate.run(outcomes=[table], candidates=PAIR, n_folds=3, predictions=predictions, track=False)
    return result, table, predictions


def test_the_predictions_keep_the_contract(judged: tuple[dict[str, Any], Path, Path]) -> None:
    result, table, predictions = judged
    frame, outcomes = pd.read_parquet(predictions), pd.read_parquet(table)
    assert frame.columns.tolist() == ["prompt_id", "candidate", "p_success", "fold"]
    assert set(frame["prompt_id"]) == set(outcomes["prompt_id"])
    assert set(frame["candidate"]) == set(PAIR)
    assert frame["p_success"].between(0, 1).all()
    assert set(frame["fold"]) == {0, 1, 2}
    assert result["predictions"] == str(predictions)
    assert result["prompts"] == 120 and result["candidates"] == list(PAIR)


def test_the_judge_finds_the_same_figures(judged: tuple[dict[str, Any], Path, Path]) -> None:
    if not JUDGE.is_file():
        pytest.skip("the judge, ../shared/tools/score_routing.py, is not beside this checkout")
    spec = importlib.util.spec_from_file_location("score_routing", JUDGE)
    assert spec is not None and spec.loader is not None
    judge = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(judge)
    result, table, predictions = judged
    scores, guess, dataset = judge.load(str(table), str(predictions), list(PAIR))
    expected = judge.measure(scores, guess, dataset, np.random.default_rng(0).random(len(scores)))
    for own, theirs in (("apgr", "apgr"), ("accuracy", "accuracy"), ("calibration_error", "ece"), ("brier", "brier")):
        assert result["figures"][own][0] == pytest.approx(expected[theirs], abs=1e-6), own


def test_without_tracking_no_store_is_needed(
    history_slice: Slice, tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TURNOUT_MODELS", str(tmp_path / "untouched"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nonsense://nowhere")
    result = evaluate.run(outcomes=[history_slice(60)], candidates=PAIR, train_size=40, track=False)
    assert result["prompts"] == 20 and result["predictions"] is None
    assert not (tmp_path / "untouched").exists()


def test_a_tracked_evaluation_is_a_run_with_figures_and_pictures(models: Path, history_slice: Slice) -> None:
    result = evaluate.run(outcomes=[history_slice(60, models=PAIR)], n_folds=2, split="group", datasets=["dev"])
    assert result["candidates"] == list(PAIR), "without a choice all models of the table, cheapest first"
    client = tracking.start()
    experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
    run = client.search_runs([experiment.experiment_id], "attributes.run_name = 'evaluate'")[0]
    assert run.data.params["candidates"] == "|".join(result["candidates"])
    assert run.data.params["split"] == "group" and run.data.params["datasets"] == "dev"
    assert run.data.metrics["apgr"] == pytest.approx(result["figures"]["apgr"][0], nan_ok=True)
    assert {file.path for file in client.list_artifacts(run.info.run_id)} >= {"quality.png", "reliability.png"}
    assert mlflow.active_run() is None


def test_a_wrong_choice_writes_no_predictions(models: Path, history_slice: Slice, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nobody"):
        evaluate.run(
            outcomes=[history_slice(60)],
            candidates=("nobody", PAIR[0]),
            predictions=tmp_path / "p.parquet",
            track=False,
        )
    assert not list(tmp_path.iterdir())
