"""Tuning: what is written when, what a run shows, and who uses it afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from mlflow.entities import Run
from tests.pipelines.conftest import use
from tests.pipelines.logs import BOTH, records, write
from turnout_pipelines import tracking, train, tune
from turnout_pipelines.tuned import settings_path, tuned_settings

from turnout.errors import ConfigurationError, DataError
from turnout.learning.metrics import Interval
from turnout.learning.search import Score, Verdict
from turnout.predictor.settings import FitSettings

Slice = Callable[..., Path]


class Pretended:
    """A judge to whom a larger ridge penalty is better, by as much as it is told to be."""

    train_groups = 900

    def __init__(self, *, surely: bool = True, interrupted_after: int = 1000) -> None:
        self.surely, self.left = surely, interrupted_after

    def score(self, settings: FitSettings, share: float) -> Score:
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        value = settings.ridge_penalty / 100
        return Score(Interval(value, value - 0.01, value + 0.01), round(900 * share), 0.5)

    def verdict(self, settings: FitSettings, defaults: FitSettings) -> Verdict:
        return Verdict(Interval(0.05, 0.01 if self.surely else -0.01, 0.1))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models of the tunings")


@pytest.fixture(autouse=True)
def models(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A models folder of these tests' own, because what is tuned counts for every later training in it."""
    use(folder, monkeypatch)
    yield folder
    settings_path().unlink(missing_ok=True)


@pytest.fixture
def judged_by(monkeypatch: pytest.MonkeyPatch) -> Callable[[Pretended], None]:
    """Let a pretended judge judge."""

    def put(judge: Pretended) -> None:
        monkeypatch.setattr(tune, "_on_table", lambda *_: (judge, {"outcomes": "made up", "judged_by": "apgr"}))

    return put


def children(run_id: str) -> list[Run]:
    """Nested runs, oldest first."""
    client = tracking.start()
    experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
    found = client.search_runs([experiment.experiment_id], f"tags.mlflow.parentRunId = '{run_id}'")
    return sorted(found, key=lambda run: run.info.start_time)


# What comes of it


def test_what_is_better_is_written_and_used(
    judged_by: Callable[[Pretended], None],
    folder: Path,
    history_slice: Slice,
    capsys: pytest.CaptureFixture[str],
) -> None:
    judged_by(Pretended())
    result = tune.run(outcomes=[Path("any")], n_settings=9)
    assert result["better"] and result["file"] == str(folder / "settings.json")
    assert json.loads(json.dumps(result)) == result
    content = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    assert content["settings"] == result["settings"] == result["best_tried"]
    assert content["found"]["gain"] == [0.05, 0.01, 0.1] and content["found"]["run_id"] == result["run_id"]

    (folder / "settings.json").write_text('{"settings": {"trees_per_bag": 7}}', encoding="utf-8")
    capsys.readouterr()
    trained = train.run(outcomes=[history_slice(60)], candidates=BOTH, n_folds=2)
    assert f"settings of {folder / 'settings.json'}: trees_per_bag 7" in capsys.readouterr().err
    run = tracking.start().get_run(trained["run_id"])
    assert run.data.params["trees_per_bag"] == "7"
    _, where = tracking.download(tracking.start(), trained["version"], folder)
    manifest = json.loads((where / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["settings"]["trees_per_bag"] == 7


def test_what_may_be_noise_leaves_the_defaults(judged_by: Callable[[Pretended], None], folder: Path) -> None:
    judged_by(Pretended(surely=False))
    result = tune.run(outcomes=[Path("any")], n_settings=9)
    assert not result["better"] and result["file"] is None
    assert result["why"].startswith("the defaults stay: +0.050 [-0.010, +0.100]")
    assert result["settings"] == FitSettings().to_json() != result["best_tried"]
    assert not (folder / "settings.json").exists() and tuned_settings() is None


def test_tuned_settings_stay_where_a_later_search_finds_nothing(
    judged_by: Callable[[Pretended], None], folder: Path
) -> None:
    before = '{"settings": {"trees_per_bag": 7}}'
    (folder / "settings.json").write_text(before, encoding="utf-8")
    judged_by(Pretended(surely=False))
    tune.run(outcomes=[Path("any")], n_settings=9)
    assert (folder / "settings.json").read_text(encoding="utf-8") == before


def test_each_trial_is_a_run_inside_the_search_s(judged_by: Callable[[Pretended], None]) -> None:
    judged_by(Pretended())
    result = tune.run(outcomes=[Path("any")], n_settings=9)
    runs = children(result["run_id"])
    assert len(runs) == result["trials"] and result["tried"] == 9
    assert all(run.info.status == "FINISHED" for run in runs)
    assert runs[0].info.run_name == "defaults on 33%"
    assert runs[0].data.params["ridge_penalty"] == "3.0" and runs[0].data.params["number"] == "0"
    assert runs[0].data.metrics == {
        "score": 0.03,
        "score_low": pytest.approx(0.02),
        "score_high": 0.04,
        "train_rows": 300,
        "seconds": 0.5,
    }
    parent = tracking.start().get_run(result["run_id"])
    assert parent.data.tags["verdict"] == "better" and parent.data.metrics["gain_low"] == 0.01


def test_an_interruption_keeps_its_trials_and_the_settings(
    judged_by: Callable[[Pretended], None], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    judged_by(Pretended(interrupted_after=4))
    with pytest.raises(KeyboardInterrupt):
        tune.run(outcomes=[Path("any")], n_settings=9)
    assert "interrupted; 4 trials are kept" in capsys.readouterr().err
    assert mlflow.active_run() is None and not (folder / "settings.json").exists()
    client = tracking.start()
    experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
    (parent,) = client.search_runs([experiment.experiment_id], "tags.verdict = 'interrupted'")
    assert len(children(parent.info.run_id)) == 4


# The real judges


@pytest.mark.slow
def test_a_table_is_tuned_on(history_slice: Slice) -> None:
    result = tune.run(outcomes=[history_slice(150)], candidates=BOTH, n_settings=3)
    assert result["trials"] == 3 and result["judged_by"] == "apgr"
    for run in children(result["run_id"]):
        assert 0 < run.data.metrics["score"] < 1.5 and run.data.metrics["seconds"] > 0
    assert np.isfinite(result["gain"]).all()


@pytest.mark.slow
def test_a_history_is_tuned_on(tmp_path: Path) -> None:
    url = write(tmp_path / "history.db", records(600, exploration=1.0))
    result = tune.run(history=url, n_settings=3)
    assert result["trials"] == 3 and result["judged_by"] == "mean score"
    assert all(0 < run.data.metrics["score"] < 1 for run in children(result["run_id"]))


# What does not work


@pytest.mark.parametrize("budget", [{"n_settings": 0}, {"n_settings": 1}, {"seconds": 0.0}, {"seconds": float("nan")}])
def test_a_budget_for_nothing_is_refused(budget: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="budget of 2 settings or more"):
        tune.run(outcomes=[Path("any")], **budget)


@pytest.mark.parametrize("content", ["", "{", '{"settings": {"depth": 4}}', '{"settings": {"trees_per_bag": -1}}'])
def test_damaged_settings_stop_a_training_before_it_begins(folder: Path, content: str) -> None:
    (folder / "settings.json").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"settings\.json does not hold settings.*turnout tune"):
        train.run(outcomes=[Path("missing.parquet")])
