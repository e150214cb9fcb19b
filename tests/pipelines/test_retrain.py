"""Retraining: history in, challenger out, held against the champion; only what is shown to be better serves."""

from __future__ import annotations

import json
import re
import shutil
import threading
from dataclasses import dataclass, replace
from html import unescape
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from tests.history.conftest import postgres  # noqa: F401
from tests.history.postgres import PostgresServer
from tests.pipelines.conftest import use
from tests.pipelines.logs import (
    BEGINNING,
    BOTH,
    STRONG,
    TABLE,
    WEAK,
    changing,
    files,
    keep,
    mostly_strong,
    records,
    renamed,
    settle,
    upside_down,
    write,
)
from turnout_pipelines import retrain, tracking

from turnout import Router
from turnout.config.paths import confidence_file
from turnout.errors import HistoryError, TooFewRowsError, TrainingBusyError
from turnout.execution.judging import DEFAULT_CONFIDENCE, Judge, Signals
from turnout.features import extract
from turnout.history import AttemptRecord, OutcomeRecord
from turnout.learning.challenge import Challenge
from turnout.learning.logged import LoggedDecisions
from turnout.predictor import load, read_manifest, save

ENOUGH = 400


@dataclass(frozen=True)
class First:
    """The first retraining of a history, without a champion, and what it left behind."""

    result: dict[str, Any]
    found: Challenge
    models: Path
    url: str


@pytest.fixture(scope="session")
def first(workshop: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> First:
    folder = tmp_path_factory.mktemp("first")
    url = write(folder / "history.db", records(ENOUGH, exploration=0.8))
    caught: list[Challenge] = []
    real = retrain.challenge

    def challenge(*arguments: Any, **options: Any) -> Challenge:
        caught.append(real(*arguments, **options))
        return caught[-1]

    with pytest.MonkeyPatch.context() as patch:
        use(workshop, patch)
        settle(folder / "models", patch)
        patch.setattr(retrain, "challenge", challenge)
        return First(retrain.run(history=url), caught[0], folder / "models", url)


@pytest.fixture
def empty(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A models folder with nothing in it; runs and versions go where all tests keep them."""
    settle(tmp_path / "models", monkeypatch)
    return tmp_path / "models"


@pytest.fixture
def site(first: First, empty: Path) -> Path:
    """A models folder in which the champion of the first retraining serves."""
    shutil.copytree(first.models / "champion", empty / "champion")
    return empty


@pytest.fixture
def judged(first: First, monkeypatch: pytest.MonkeyPatch) -> Challenge:
    """Training and judging come to what the first retraining came to, at once."""
    monkeypatch.setattr(retrain, "challenge", lambda *arguments, **options: first.found)
    return first.found


# Without a champion


def test_a_first_retraining_is_held_against_what_was_done_and_serves(first: First) -> None:
    result = first.result
    assert result["promoted"] and result["verdict"] == "promote"
    assert result["why"].startswith("promoted: mean score +") and result["why"].endswith(
        "no champion knew these candidates"
    )
    assert result["estimates"]["champion"] == result["estimates"]["what was done"]
    assert result["estimates"]["challenger"][0] > result["estimates"]["what was done"][0]
    assert result["candidates"] == list(BOTH)
    assert Router.load(first.models / "champion").candidates == BOTH
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_the_challenger_lies_in_its_folder_and_says_what_it_was_made_of(first: First) -> None:
    manifest = read_manifest(first.models / "challenger")
    assert manifest == read_manifest(first.models / "champion")
    training = manifest["training"]
    assert training["decisions"] == ENOUGH and training["outcomes"] == "none"
    assert training["until"] == first.result["history"]["last_at"]


def test_the_page_says_why_and_opens_without_a_network(first: First) -> None:
    page = Path(first.result["report"]).read_text(encoding="utf-8")
    shown = unescape(re.sub(r"data:image/png;base64,[A-Za-z0-9+/=]+", "", page))
    assert page.count("data:image/png;base64,") == 3
    assert "Promoted." in shown and first.found.judgement.why in shown
    assert not re.search(r"https?:|href=|<script|<link|<iframe|@import|url\(", shown)
    for check in first.found.judgement.checks:
        assert check.text in shown
    for name in ("what was done", f"always {WEAK}", f"always {STRONG}", "random"):
        assert f"<td>{name}</td>" in shown


def test_the_run_is_tracked_with_figures_verdict_and_page(first: First, models: Path) -> None:
    client = tracking.start()
    run = client.get_run(first.result["run_id"])
    assert run.info.status == "FINISHED"
    assert run.data.metrics["gain_low"] <= run.data.metrics["gain"] <= run.data.metrics["gain_high"]
    assert {"value_challenger", "value_champion", "value_random", "effective_rows"} <= run.data.metrics.keys()
    assert run.data.tags["verdict"] == "promote" and run.data.tags["why"] == first.found.judgement.why
    assert run.data.params["candidates"] == "|".join(BOTH) and run.data.params["decisions"] == str(ENOUGH)
    kept = {each.path for each in client.list_artifacts(first.result["run_id"])}
    assert kept == {"gate.html", "gate.json", "predictor"}


# Against a champion


def test_what_chooses_just_the_same_is_not_promoted(first: First, site: Path) -> None:
    before = files(site / "champion")
    again = retrain.run(history=first.url)
    assert not again["promoted"] and again["verdict"] == "inconclusive"
    assert "cannot tell yet: it chooses exactly as the champion does" in again["why"]
    assert files(site / "champion") == before
    assert load(site / "challenger").candidates == BOTH
    assert "Not promoted yet." in Path(again["report"]).read_text(encoding="utf-8")


def test_what_is_better_in_a_changed_world_takes_over(site: Path, tmp_path: Path) -> None:
    before = files(site / "champion")
    changed = write(tmp_path / "history.db", records(ENOUGH, exploration=0.8, answers=upside_down, seed=1))
    result = retrain.run(history=changed)
    assert result["promoted"] and result["why"].endswith("has not collapsed")
    assert result["estimates"]["challenger"][0] > result["estimates"]["champion"][0]
    assert files(site / "champion") != before
    assert files(site / "champion").items() >= files(site / "challenger").items()


def test_what_learned_from_another_world_than_it_is_judged_in_is_refused(site: Path, tmp_path: Path) -> None:
    before = files(site / "champion")
    first_part = records(int(ENOUGH * 0.7), exploration=0.8, answers=upside_down)
    rest = records(ENOUGH, exploration=0.8, seed=2)[len(first_part) :]
    result = retrain.run(history=write(tmp_path / "history.db", [*first_part, *rest]))
    assert not result["promoted"] and result["verdict"] == "keep"
    assert re.fullmatch(r"not promoted: mean score -.* against the champion's: worse", result["why"])
    assert files(site / "champion") == before
    assert "Not promoted." in Path(result["report"]).read_text(encoding="utf-8")


def test_a_candidate_that_others_answer_for_is_learned_anew_whatever_its_provider_says(
    site: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = 600
    fails = changing(before, after=lambda number, scores: scores * [1.0, 0.1])
    history = write(tmp_path / "history.db", records(1_000, chooses=mostly_strong, answers=fails))
    retrain.run(history=history)
    training = load(site / "challenger").info["training"]
    assert training["since"].keys() == {STRONG}
    assert abs(training["since"][STRONG] - (BEGINNING + 60.0 * before)) < 60.0 * 100
    assert "results since then alone" in capfd.readouterr().err
    assert load(site / "challenger").predict(extract("write a parser")).p_success[BOTH.index(STRONG)] < 0.4


def test_what_the_champion_did_not_learn_from_its_successor_does_not_either(
    first: First, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    champion, moment = load(site / "champion"), BEGINNING + 60.0 * 100
    training = {**champion.info["training"], "since": {WEAK: moment, STRONG: "yesterday"}}
    save(replace(champion, info={**champion.info, "training": training}), site / "champion")
    seen: list[LoggedDecisions] = []

    def challenge(logged: LoggedDecisions, *_: Any, **__: Any) -> Challenge:
        seen.append(logged)
        return first.found

    monkeypatch.setattr(retrain, "challenge", challenge)
    retrain.run(history=first.url)
    (logged,) = seen
    old = logged.created_at < moment
    known = np.isfinite(logged.scores)
    assert not known[old, BOTH.index(WEAK)].any() and known[old, BOTH.index(STRONG)].any()
    assert known[~old, BOTH.index(WEAK)].any()


def test_nothing_is_promoted_where_it_is_not_wanted(first: First, empty: Path, judged: Challenge) -> None:
    result = retrain.run(history=first.url, promote_if_better=False)
    assert not result["promoted"] and result["verdict"] == "promote"
    assert result["why"].startswith("it would be promoted: ") and result["why"].endswith("; not asked for")
    assert not (empty / "champion").exists() and (empty / "challenger" / "manifest.json").exists()


def test_a_champion_of_other_candidates_does_not_stand_in_the_way(
    first: First, site: Path, trained: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = records(250, exploration=0.8)
    url = write(tmp_path / "history.db", [renamed(entry) for entry in entries])
    result = retrain.run(history=url)
    assert result["candidates"] == ["local/a", "local/b"]
    assert "the champion knows none of these candidates" in capsys.readouterr().err


# What it reads


def test_a_history_without_prompts_is_learned_from(empty: Path, tmp_path: Path) -> None:
    url = write(tmp_path / "history.db", records(250, exploration=0.8, prompts=False))
    result = retrain.run(history=url)
    assert result["history"]["kept"] == 250
    assert load(empty / "challenger").candidates == BOTH


def test_tables_are_learned_from_beside_the_history(empty: Path, tmp_path: Path) -> None:
    table = pd.read_parquet(TABLE)
    table = table[table["prompt_id"].isin(table["prompt_id"].unique()[-50:]) & table["model"].isin(BOTH)]
    table.to_csv(tmp_path / "more.csv", index=False)
    url = write(tmp_path / "history.db", records(250, exploration=0.8))
    result = retrain.run(history=url, outcomes=[tmp_path / "more.csv"])
    assert read_manifest(empty / "challenger")["training"]["outcomes"] == "more.csv"
    assert mlflow.get_run(result["run_id"]).data.params["outcomes"] == "more.csv"


def test_a_history_in_postgresql_is_read_and_its_password_told_to_nobody(
    first: First, empty: Path, judged: Challenge, request: pytest.FixtureRequest
) -> None:
    server: PostgresServer = request.getfixturevalue("postgres")
    url = keep(server.new_database(), records(250, exploration=0.8))
    told = f"{url}{'&' if '?' in url else '?'}application_name=secret"
    result = retrain.run(history=told)
    assert result["history"]["scored"] == 250
    run = mlflow.get_run(result["run_id"])
    assert run.data.params["history"].startswith("postgresql") and "secret" not in run.data.params["history"]
    assert "secret" not in Path(result["report"]).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("count", "told"),
    [(0, "nothing to learn from: 0 decisions read"), (40, "needed are 50"), (190, "190 decisions have a known result")],
)
def test_too_little_is_explained_and_changes_nothing(site: Path, tmp_path: Path, count: int, told: str) -> None:
    before = files(site / "champion")
    url = write(tmp_path / "history.db", records(count, exploration=0.8) if count else [])
    with pytest.raises(TooFewRowsError, match=told):
        retrain.run(history=url)
    assert files(site / "champion") == before and not (site / "challenger").exists()


def test_no_history_at_all_is_an_error_of_one_line(site: Path, tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="there is no history at sqlite"):
        retrain.run(history=f"sqlite:///{tmp_path}/none.db")
    assert not (tmp_path / "none.db").exists()


# The confidence model


def test_the_confidence_model_is_fitted_whatever_becomes_of_the_challenger(
    first: First, empty: Path, judged: Challenge, tmp_path: Path
) -> None:
    told = retrain.run(history=first.url)["confidence"]
    assert "the default stays, because 0 answers" in told and not confidence_file().exists()
    cut = Signals(cut=True)  # the default takes it for a bad sign; in this history nothing comes of it
    entries = records(250, exploration=0.8)
    seen = [
        AttemptRecord(decision_id=entry.decision_id, candidate=entry.candidate, chosen=True, signals=cut.to_json())
        for entry in entries
        if isinstance(entry, OutcomeRecord)
    ]
    result = retrain.run(history=write(tmp_path / "history.db", [*entries, *seen]))
    assert result["confidence"].startswith("fitted to 250 answers, log loss 0.")
    metrics = mlflow.get_run(result["run_id"]).data.metrics
    assert metrics["confidence_rows"] == 250
    assert metrics["confidence_log_loss"] < metrics["confidence_default_log_loss"]
    model = Judge.load(confidence_file()).model
    assert model.confidence(cut, 0.5) > DEFAULT_CONFIDENCE.confidence(cut, 0.5) + 0.2
    retrain.run(history=first.url, promote_if_better=False)
    assert Judge.load(confidence_file()).model.fitted == model.fitted, (
        "nothing that serves is touched where nothing was asked for"
    )
    retrain.run(history=first.url)
    assert Judge.load(confidence_file()).model.fitted == DEFAULT_CONFIDENCE.fitted


# Interruptions


def test_a_second_retraining_is_refused_while_one_runs(
    first: First, site: Path, judged: Challenge, monkeypatch: pytest.MonkeyPatch
) -> None:
    trains, may_end = threading.Event(), threading.Event()

    def slowly(*arguments: Any, **options: Any) -> Challenge:
        trains.set()
        assert may_end.wait(60)
        return judged

    monkeypatch.setattr(retrain, "challenge", slowly)
    done: list[dict[str, Any]] = []
    one = threading.Thread(target=lambda: done.append(retrain.run(history=first.url, promote_if_better=False)))
    one.start()
    try:
        assert trains.wait(60)
        before = files(site / "champion"), sorted(site.iterdir())
        with pytest.raises(TrainingBusyError, match=r"another training is under way in .*models; wait"):
            retrain.run(history=first.url)
        assert (files(site / "champion"), sorted(site.iterdir())) == before
    finally:
        may_end.set()
        one.join()
    assert [result["verdict"] for result in done] == ["promote"]


STAGES = {
    "reading": (retrain, "from_history"),
    "training": (retrain, "challenge"),
    "the page": (retrain, "gate_page"),
    "logging": (tracking, "log_predictor"),
    "registering": (tracking, "register"),
    "the challenger's folder": (retrain, "save"),
    "the report": (retrain, "write_aside"),
    "fetching": (tracking, "download"),
    "checking": (retrain.promote, "load"),
    "the champion's folder": (retrain.promote, "save"),
}


ERRORS = [OSError("no space left on device"), KeyboardInterrupt(), TimeoutError("the server is too late")]


@pytest.mark.parametrize(("stage", "error"), list(zip(STAGES, ERRORS * 4, strict=False)), ids=list(STAGES))
def test_an_error_at_any_stage_leaves_the_champion(
    first: First, site: Path, judged: Challenge, stage: str, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(site / "champion")
    monkeypatch.setattr(retrain, "gate_page", lambda *arguments, **options: "")  # pictures take their time

    def fail(*arguments: Any, **options: Any) -> Any:
        raise error

    monkeypatch.setattr(*STAGES[stage], fail)
    with pytest.raises(type(error)):
        retrain.run(history=first.url)
    assert files(site / "champion") == before
    assert mlflow.active_run() is None


def test_after_an_error_the_next_retraining_works(
    first: First, site: Path, judged: Challenge, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retrain.promote, "save", lambda *arguments: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            retrain.run(history=first.url)
    assert retrain.run(history=first.url)["promoted"]
