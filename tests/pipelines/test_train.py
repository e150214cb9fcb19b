"""One training: what its run shows, what is registered, what serves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.entities import Run
from turnout_pipelines import tracking, train

from turnout import Router
from turnout.errors import DataError, TooFewRowsError
from turnout.features import FEATURE_NAMES, extract, schema_hash
from turnout.learning.outcomes import read_outcomes
from turnout.predictor import load, read_manifest

Slice = Callable[..., Path]

THREE = ("lmstudio/qwen2.5-coder-1.5b", "lmstudio/qwen2.5-coder-7b", "ollama/llama-3.3-70b")


@pytest.fixture
def client(models: Path) -> mlflow.MlflowClient:
    return tracking.start()


@pytest.fixture
def run(client: mlflow.MlflowClient, trained: dict[str, Any]) -> Run:
    return client.get_run(trained["run_id"])


def runs(client: mlflow.MlflowClient) -> list[Run]:
    experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
    return list(client.search_runs([experiment.experiment_id]))


# The run


def test_the_run_says_what_was_trained_on_what(run: Run, history_slice: Slice) -> None:
    assert run.info.status == "FINISHED"
    expected = {
        "outcomes": "history-0-300.parquet",
        "datasets": "all",
        "candidates": "|".join(THREE),
        "data_fingerprint": read_outcomes([history_slice(300)]).fingerprint,
        "prompts": "300",
        "schema_hash": schema_hash(),
        "seed": "0",
        "n_folds": "2",
        "use_other_models": "True",
        "base": "False",
    }
    assert run.data.params == expected


def test_the_run_shows_every_figure_with_its_interval(run: Run, trained: dict[str, Any]) -> None:
    for name, (value, low, high) in trained["figures"].items():
        logged = [run.data.metrics[key] for key in (name, f"{name}_low", f"{name}_high")]
        np.testing.assert_allclose(logged, [value, low, high])
    assert run.data.metrics["fit_seconds"] > 0
    assert run.data.tags["alarm"] == (trained["alarm"] or "none")


def test_the_run_holds_the_pictures_the_importance_and_the_predictor(
    client: mlflow.MlflowClient, trained: dict[str, Any], tmp_path: Path
) -> None:
    files = {file.path for file in client.list_artifacts(trained["run_id"])}
    assert files >= {"quality.png", "reliability.png", "importance.png", "importance.json", "predictor"}
    importance = json.loads(Path(client.download_artifacts(trained["run_id"], "importance.json", tmp_path)).read_text())
    assert set(importance) == set(FEATURE_NAMES)
    assert sum(importance.values()) == pytest.approx(1)
    picture = Path(client.download_artifacts(trained["run_id"], "quality.png", tmp_path)).read_bytes()
    assert picture.startswith(b"\x89PNG")


def test_held_out_figures_beat_random_and_stay_under_the_oracle(trained: dict[str, Any]) -> None:
    figures = {name: value for name, (value, _, _) in trained["figures"].items()}
    assert figures["apgr_random"] < figures["apgr"] < figures["apgr_oracle"]
    assert figures["accuracy_cheapest"] < figures["accuracy_best_single"] <= figures["accuracy_oracle"]


def test_the_result_is_json(trained: dict[str, Any], models: Path) -> None:
    assert json.loads(json.dumps(trained)) == trained
    assert trained["prompts"] == 300 and trained["candidates"] == list(THREE)
    assert trained["champion"] == str(models / "champion")
    assert trained["tracking_uri"] == f"sqlite:///{models / 'mlflow.db'}"


# The registry and what serves


def test_the_first_predictor_is_promoted(trained: dict[str, Any]) -> None:
    assert trained["promoted"] and trained["why"] == "there was no champion that can be served"
    assert trained["version"] == "1"


def test_the_registered_version_is_the_runs_predictor(
    client: mlflow.MlflowClient, trained: dict[str, Any], tmp_path: Path
) -> None:
    version = client.get_model_version(tracking.REGISTERED_MODEL, trained["version"])
    assert version.run_id == trained["run_id"]
    number, folder = tracking.download(client, trained["version"], tmp_path)
    assert number == trained["version"]
    predictor = load(folder)
    assert predictor.candidates == THREE
    assert predictor.predict(extract("why does the lock deadlock?")).seconds is not None


def test_the_manifest_tells_where_the_predictor_comes_from(
    client: mlflow.MlflowClient, trained: dict[str, Any], run: Run, tmp_path: Path
) -> None:
    manifest = read_manifest(tracking.download(client, trained["version"], tmp_path)[1])
    assert manifest["training"]["data_fingerprint"] == run.data.params["data_fingerprint"]
    assert manifest["training"]["prompts"] == 300
    assert set(manifest["training"]["mean_score"]) == set(THREE)
    assert manifest["metrics"]["apgr"] == pytest.approx(trained["figures"]["apgr"][0], abs=1e-4)
    assert {"python", "numpy", "scikit-learn", "turnout"} <= manifest["versions"].keys()
    assert manifest["created"].endswith("+00:00")


def test_the_champion_serves(trained: dict[str, Any], models: Path) -> None:
    decision = Router.load().route("quick question: why does our lock deadlock under failover?")
    assert decision.candidate in THREE
    assert 0 < decision.confidence < 1


# What does not work


def test_a_failed_training_is_marked_and_registers_nothing(
    client: mlflow.MlflowClient, trained: dict[str, Any], history_slice: Slice
) -> None:
    before = client.get_model_version_by_alias(tracking.REGISTERED_MODEL, "challenger").version
    with pytest.raises(TooFewRowsError, match="301 folds"):
        train.run(outcomes=[history_slice(300)], candidates=THREE, n_folds=301)
    assert runs(client)[0].info.status == "FAILED"
    assert client.get_model_version_by_alias(tracking.REGISTERED_MODEL, "challenger").version == before
    assert mlflow.active_run() is None


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"candidates": ("nobody", "noone")}, DataError, "nobody"),
        ({"candidates": THREE[:1]}, TooFewRowsError, "two candidates"),
        ({"datasets": ["nothing"]}, TooFewRowsError, "nothing"),
        ({"candidates": (THREE[0], THREE[0])}, DataError, "twice"),
    ],
)
def test_a_wrong_choice_is_said_before_a_run_begins(
    client: mlflow.MlflowClient, history_slice: Slice, options: dict[str, Any], kind: type[Exception], message: str
) -> None:
    before = len(runs(client))
    with pytest.raises(kind, match=message):
        train.run(outcomes=[history_slice(300)], **options)
    assert len(runs(client)) == before


def test_a_table_that_is_too_small_is_refused(models: Path, tmp_path: Path, history_slice: Slice) -> None:
    with pytest.raises(TooFewRowsError, match="at least 50 prompts, the table has 49"):
        train.run(outcomes=[history_slice(49)], candidates=THREE)
    pd.DataFrame().to_csv(tmp_path / "empty.csv")
    with pytest.raises(DataError, match=r"empty\.csv"):
        train.run(outcomes=[tmp_path / "empty.csv"])
