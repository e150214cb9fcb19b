"""Which predictor serves: the gate after training, promotion by hand, rolling back, and what never touches the champion."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import pytest
from turnout_pipelines import promote, tracking, train

from turnout import Router
from turnout.errors import ArtifactCorruptError, ArtifactMissingError
from turnout.predictor import load, read_manifest, save

Slice = Callable[..., Path]
Learn = Callable[..., dict[str, Any]]

PAIR = ("lmstudio/qwen2.5-coder-1.5b", "ollama/llama-3.3-70b")


@pytest.fixture
def client(models: Path) -> mlflow.MlflowClient:
    return tracking.start()


@pytest.fixture
def learn(models: Path, history_slice: Slice) -> Learn:
    """Trains on few prompts of the history and promotes if that is no worse."""

    def run(start: int = 0, candidates: tuple[str, ...] = PAIR) -> dict[str, Any]:
        outcomes = [history_slice(60, start)]
        return train.run(outcomes=outcomes, candidates=candidates, n_folds=2, promote_if_better=True)

    return run


@pytest.fixture
def serving(client: mlflow.MlflowClient, pair: dict[str, Any]) -> dict[str, Any]:
    """What the training of the champion returned: it serves two candidates, whatever served before."""
    promote.run(version=pair["version"])
    return pair


def alias(client: mlflow.MlflowClient, name: str) -> str:
    return str(client.get_model_version_by_alias(tracking.REGISTERED_MODEL, name).version)


def files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def arrays_of(client: mlflow.MlflowClient, version: str, folder: Path) -> str:
    """The digest of the arrays of a registered version."""
    return str(read_manifest(tracking.download(client, version, folder)[1])["arrays"]["sha256"])


# The gate


def test_an_equally_good_successor_on_the_same_data_is_promoted(
    client: mlflow.MlflowClient, serving: dict[str, Any], learn: Learn
) -> None:
    again = learn()
    assert again["promoted"] and "is not below the champion's" in again["why"]
    assert int(again["version"]) > int(serving["version"])
    assert alias(client, "champion") == alias(client, "challenger") == again["version"]


def test_a_worse_successor_stays_challenger(
    client: mlflow.MlflowClient, models: Path, serving: dict[str, Any], learn: Learn
) -> None:
    champion = load(models / "champion")
    info = {**champion.info, "metrics": {**champion.info["metrics"], "apgr": 0.999}}
    save(replace(champion, info=info), models / "champion")
    before = files(models / "champion")
    again = learn()
    assert not again["promoted"] and "is below the champion's 0.999 on the same data" in again["why"]
    assert files(models / "champion") == before
    assert alias(client, "champion") == serving["version"]
    assert alias(client, "challenger") == again["version"]


@pytest.mark.parametrize(
    ("options", "why"),
    [({"start": 60}, "other data"), ({"candidates": PAIR[::-1]}, "other candidates")],
    ids=["other data", "other candidates"],
)
def test_what_cannot_be_compared_is_not_promoted(
    client: mlflow.MlflowClient, models: Path, serving: dict[str, Any], learn: Learn, options: dict[str, Any], why: str
) -> None:
    before = files(models / "champion")
    other = learn(**options)
    assert not other["promoted"] and why in other["why"]
    assert files(models / "champion") == before
    assert alias(client, "champion") == serving["version"]


def test_nothing_is_promoted_unless_asked_for(pair: dict[str, Any]) -> None:
    assert not pair["promoted"] and "not asked for" in pair["why"]


def test_a_champion_that_cannot_be_served_is_replaced(models: Path, serving: dict[str, Any], learn: Learn) -> None:
    for file in (models / "champion").glob("arrays-*.npz"):
        file.write_bytes(b"damaged")
    again = learn(start=60)
    assert again["promoted"] and "no champion that can be served" in again["why"]
    assert load(models / "champion").candidates == PAIR


# By hand


def test_promoting_an_earlier_version_rolls_back(
    client: mlflow.MlflowClient, models: Path, trained: dict[str, Any], serving: dict[str, Any], tmp_path: Path
) -> None:
    result = promote.run(version=trained["version"])
    assert result == {
        "version": trained["version"],
        "champion": str(models / "champion"),
        "candidates": trained["candidates"],
    }
    assert alias(client, "champion") == trained["version"]
    assert read_manifest(models / "champion")["arrays"]["sha256"] == arrays_of(client, trained["version"], tmp_path)
    assert Router.load().candidates == tuple(trained["candidates"])


def test_the_challenger_is_promoted_unless_another_is_named(
    client: mlflow.MlflowClient, models: Path, trained: dict[str, Any], pair: dict[str, Any], tmp_path: Path
) -> None:
    promote.run(version=trained["version"])
    challenger = alias(client, "challenger")
    assert challenger != trained["version"]
    assert promote.run()["version"] == challenger == alias(client, "champion")
    assert read_manifest(models / "champion")["arrays"]["sha256"] == arrays_of(client, challenger, tmp_path)


def test_a_router_that_serves_takes_the_promoted_predictor(
    client: mlflow.MlflowClient, trained: dict[str, Any], serving: dict[str, Any]
) -> None:
    router = Router.load()
    assert router.candidates == PAIR
    promote.run(version=trained["version"])
    assert router.reload()
    assert router.candidates == tuple(trained["candidates"])


@pytest.mark.parametrize("version", ["99", "0", "-1", "1.5", "nobody", "v1", "", "²", "a b", "x/y"])
def test_an_unknown_version_is_an_error_and_changes_nothing(
    client: mlflow.MlflowClient, models: Path, trained: dict[str, Any], version: str
) -> None:
    promote.run(version=trained["version"])
    before = files(models / "champion")
    with pytest.raises(ArtifactMissingError, match="the registry has no predictor"):
        promote.run(version=version)
    assert files(models / "champion") == before
    assert alias(client, "champion") == trained["version"]


@pytest.mark.parametrize(
    ("damage", "error"),
    [("changed", ArtifactCorruptError), ("gone", ArtifactMissingError)],
)
def test_a_damaged_version_is_refused_and_the_champion_kept(
    client: mlflow.MlflowClient,
    models: Path,
    trained: dict[str, Any],
    serving: dict[str, Any],
    damage: str,
    error: type[Exception],
) -> None:
    before = files(models / "champion")
    stored = models / "mlartifacts" / trained["run_id"] / "artifacts" / tracking.PREDICTOR
    kept = stored.rename(stored.with_name("kept"))
    try:
        if damage == "changed":
            shutil.copytree(kept, stored)
            next(stored.glob("arrays-*.npz")).write_bytes(b"damaged")
        with pytest.raises(error):
            promote.run(version=trained["version"])
    finally:
        shutil.rmtree(stored, ignore_errors=True)
        kept.rename(stored)
    assert files(models / "champion") == before
    assert alias(client, "champion") == serving["version"]


def test_a_promotion_that_cannot_write_leaves_the_alias(
    client: mlflow.MlflowClient,
    models: Path,
    trained: dict[str, Any],
    serving: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = Path.replace

    def full(self: Path, target: Path) -> Path:
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="no space"):
        promote.run(version=trained["version"])
    monkeypatch.setattr(Path, "replace", real)
    assert alias(client, "champion") == serving["version"]
    assert load(models / "champion").candidates == PAIR
