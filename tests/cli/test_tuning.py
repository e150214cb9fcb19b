"""`turnout tune` and `--dask` from the command line: budgets, sources, what is printed, what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from turnout.cli import jobs, learning, tuning

Turnout = Callable[..., Any]

FOUND = {
    "better": True,
    "why": "+0.020 [+0.005, +0.040] against the defaults on rows kept back",
    "best_tried": {"trees_per_bag": 90, "leaf_penalty": 2.5},
    "judged_by": "apgr",
    "tried": 20,
    "trials": 30,
    "file": "models/settings.json",
    "tracking_uri": "sqlite:///mlflow.db",
    "seconds": 12.0,
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the job was called with; it returns `FOUND`."""
    known: dict[str, Any] = {}

    def job(**options: Any) -> dict[str, Any]:
        known.update(options)
        return FOUND

    monkeypatch.setattr(tuning, "find_job", lambda name: job)
    return known


def test_a_table_is_tuned_on_with_twenty_settings(turnout: Turnout, asked: dict[str, Any]) -> None:
    ran = turnout("tune", "--outcomes", "a.parquet", "b.csv", "--candidates", "x,y", "--seed", 3)
    assert ran.code == 0
    assert [path.name for path in asked["outcomes"]] == ["a.parquet", "b.csv"]
    assert asked["candidates"] == ["x", "y"] and asked["n_settings"] == 20 and asked["seed"] == 3
    assert asked["history"] is None and asked["dask"] == ""
    assert "trees_per_bag        90\n" in ran.out
    assert "written to models/settings.json: the next training uses them" in ran.out


@pytest.mark.parametrize(
    ("text", "expected"), [("2", {"n_settings": 2}), ("30m", {"seconds": 1800.0}), ("1.5h", {"seconds": 5400.0})]
)
def test_a_budget_is_settings_or_time(
    turnout: Turnout, asked: dict[str, Any], text: str, expected: dict[str, float]
) -> None:
    assert turnout("tune", "--history", "--budget", text, "--dask", "tcp://there:8786").code == 0
    assert expected.items() <= asked.items()
    assert asked["history"] == "" and asked["dask"] == "tcp://there:8786"


def test_json_is_what_the_job_returned(turnout: Turnout, asked: dict[str, Any]) -> None:
    assert json.loads(turnout("tune", "--outcomes", "a.csv", "--json").out) == FOUND


@pytest.mark.parametrize("budget", ["0", "1", "abc", "-5", "", "20x", "0m", "1e3", "99999999", "nan", "²"])
def test_a_budget_that_is_none_is_explained(turnout: Turnout, asked: dict[str, Any], budget: str) -> None:
    ran = turnout("tune", "--outcomes", "a.parquet", f"--budget={budget}")
    assert ran.code == 2 and not asked
    assert repr(budget) in ran.err.splitlines()[-1] and "settings" in ran.err.splitlines()[-1]


@pytest.mark.parametrize(
    "arguments", [("tune",), ("tune", "--outcomes", "a.csv", "--history"), ("tune", "--outcomes")], ids=" ".join
)
def test_one_source_is_needed(turnout: Turnout, arguments: tuple[str, ...]) -> None:
    assert turnout(*arguments).code == 2


# --dask


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        (jobs, ("train", "--outcomes", "a.csv")),
        (jobs, ("train", "--history")),
        (jobs, ("evaluate", "--outcomes", "a.csv")),
        (learning, ("retrain",)),
    ],
    ids=["train", "train on a history", "evaluate", "retrain"],
)
def test_who_fits_takes_a_cluster(
    turnout: Turnout, monkeypatch: pytest.MonkeyPatch, module: Any, arguments: tuple[str, ...]
) -> None:
    asked: dict[str, Any] = {}

    class EnoughError(Exception):
        pass

    def job(**options: Any) -> dict[str, Any]:
        asked.update(options)
        raise EnoughError

    monkeypatch.setattr(module, "find_job", lambda name: job)
    with pytest.raises(EnoughError):
        turnout(*arguments, "--dask", "tcp://there:8786")
    assert asked["dask"] == "tcp://there:8786"


def test_evaluating_a_history_fits_nothing(turnout: Turnout) -> None:
    ran = turnout("evaluate", "--history", "--dask", "tcp://there:8786")
    assert ran.code == 1 and "fits no predictor" in ran.err
