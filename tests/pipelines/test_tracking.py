"""Where runs go."""

from __future__ import annotations

from pathlib import Path

import mlflow
import pytest
from turnout_pipelines import tracking


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty models folder of an awkward name, and no other store configured."""
    folder = tmp_path / "50%25 of my models?"
    monkeypatch.setenv("TURNOUT_MODELS", str(folder))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    return folder


def test_without_a_store_named_runs_and_their_files_stay_beside_the_models(elsewhere: Path) -> None:
    client = tracking.start()
    with tracking.run("a try", {"seed": 0}) as run_id:
        mlflow.log_text("content", "note.txt")
    assert (elsewhere / "mlflow.db").is_file()
    assert [file.read_text() for file in elsewhere.rglob("note.txt")] == ["content"]
    assert client.get_run(run_id).data.params == {"seed": "0"}
    again = tracking.start()
    assert [run.info.run_id for run in again.search_runs([client.get_run(run_id).info.experiment_id])] == [run_id]


def test_a_store_that_is_named_is_used(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNOUT_MODELS", str(tmp_path / "other"))
    tracking.start()
    assert mlflow.get_tracking_uri() == f"sqlite:///{models / 'mlflow.db'}"
    assert not (tmp_path / "other" / "mlflow.db").exists()


def test_a_run_that_raises_is_marked_as_failed(models: Path) -> None:
    client = tracking.start()
    started = []
    with pytest.raises(ZeroDivisionError), tracking.run("a try", {}) as run_id:
        started.append(run_id)
        raise ZeroDivisionError
    assert client.get_run(started[0]).info.status == "FAILED"
