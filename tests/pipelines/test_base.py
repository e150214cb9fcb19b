"""The job that fits the base predictor, and what trainings make of the one there is."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import mlflow
import pytest
from tests.learning.base.world import PROMPTS, SEEN, SETTINGS, World, outcome_table
from tests.pipelines.conftest import use
from turnout_pipelines import base, evaluate, tracking, train

from turnout.descriptors import describe
from turnout.predictor import load, read_manifest
from turnout.predictor.base_artifact import MANIFEST, load_base
from turnout.predictor.settings import FitSettings

NAMES = ("qwen2.5:0.5b", "qwen2.5:7b", "qwen2.5:72b")
BROKEN = "gemma2:27b"


@pytest.fixture(scope="module")
def own_workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models of the base predictor")


@pytest.fixture
def models(own_workshop: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A models folder of this file's own: elsewhere versions are counted."""
    use(own_workshop, monkeypatch)
    return own_workshop


@pytest.fixture
def made(
    world: World, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[Path, str]:
    """Where the command put a base predictor, and what it printed."""
    few = partial(FitSettings, trees_per_bag=SETTINGS.trees_per_bag)
    monkeypatch.setattr("turnout.learning.base.fit.FitSettings", few)
    sources = [f"{domain}:{path}" for domain, path in world.sources]
    assert base.main([*sources, "--output", str(tmp_path / "base"), "--leave-out", BROKEN]) == 0
    return tmp_path / "base", capsys.readouterr().out


@pytest.fixture
def outcomes(tmp_path: Path) -> Path:
    """New prompts of the world as a file."""
    table = outcome_table(60, NAMES)
    long = table.scores.stack().rename("score").reset_index()
    long["prompt"] = long["prompt_id"].map(table.prompts["prompt"])
    long.to_parquet(tmp_path / "outcomes.parquet", index=False)
    return tmp_path / "outcomes.parquet"


def parameters(name: str) -> dict[str, str]:
    """Of the newest run of this name."""
    client = tracking.start()
    experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
    runs = client.search_runs([experiment.experiment_id], f"tags.mlflow.runName = '{name}'")
    return dict(runs[0].data.params)


# The job


def test_tables_become_a_base_predictor_with_its_figures_and_its_run(world: World, made: tuple[Path, str]) -> None:
    folder, out = made
    loaded = load_base(folder)
    large, small = loaded.abilities.of([describe("qwen2.5:72b"), describe("qwen2.5:0.5b")])[0]
    assert (large > small).all()
    # On standard output: the Brier score of every block, better than a coin.
    blocks = {line.partition(": Brier ")[0]: float(line.partition(": Brier ")[2]) for line in out.splitlines()}
    assert blocks.keys() == {block.name for block in world.tables.blocks}
    assert all(value < 0.25 for value in blocks.values())
    # In the manifest: what it was made of.
    info = json.loads((folder / MANIFEST).read_bytes())["info"]
    assert info["tables"] == {"code_table": "code", "tools_table": "tools", "knowledge_table": "knowledge"}
    assert (info["prompts"], info["left_out"]) == (3 * PROMPTS, [BROKEN])
    assert info["language_models"] == len(SEEN) - 1
    # Tracked.
    assert parameters("base")["tables"] == "code_table.parquet, tools_table.parquet, knowledge_table.parquet"
    assert mlflow.active_run() is None


def test_the_number_of_outcomes_is_told(made: tuple[Path, str]) -> None:
    without_broken = len(SEEN) - 1
    outcomes = load_base(made[0]).info["outcomes"]
    assert outcomes == 2 * PROMPTS * without_broken + PROMPTS // 2 * (2 * without_broken - 1)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("nocolon", "'nocolon': expected DOMAIN:FILE"),
        ("poetry:FILE", "domain 'poetry' is unknown"),
        ("code:nowhere.parquet", "nowhere.parquet"),
        (":FILE", "domain '' is unknown"),
    ],
)
def test_what_cannot_be_read_is_one_line_and_nothing_is_written(
    world: World, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], table: str, message: str
) -> None:
    table = table.replace("FILE", str(world.sources[0][1]))
    assert base.main([table, "--output", str(tmp_path / "base")]) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("error: ") and message in last
    assert not (tmp_path / "base").exists()


# What trainings make of it


def test_a_training_starts_from_the_base_predictor_and_says_so(
    models: Path, base_at: Path, outcomes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TURNOUT_BASE", str(base_at))
    result = train.run(outcomes=[outcomes], candidates=NAMES, n_folds=2)
    assert parameters("train")["base"] == "True"
    client = tracking.start()
    _, folder = tracking.download(client, result["version"], outcomes.parent)
    assert load(folder).prior is not None and read_manifest(folder)["training"]["prompts"] == 60


def judged(outcomes: Path, **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = evaluate.run(outcomes=[outcomes], candidates=NAMES, n_folds=2, **options)
    return found


def test_an_evaluation_starts_from_it_unless_told_not_to(
    models: Path, base_at: Path, outcomes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TURNOUT_BASE", str(base_at))
    with_base = judged(outcomes)
    assert parameters("evaluate")["base"] == "True"
    assert judged(outcomes, use_base=False, track=False)["figures"] != with_base["figures"]


def test_prompts_that_it_was_made_of_are_judged_without_it(
    world: World, models: Path, base_at: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TURNOUT_BASE", str(base_at))
    judged(world.sources[0][1])
    assert parameters("evaluate")["base"] == "False"
    assert "it was made of 100% of these prompts" in capsys.readouterr().err
