"""The look for drift: alarms where the world moved, none where it did not, and the note that gateways read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.pipelines.logs import BEGINNING, BOTH, STRONG, WEAK, changing, mostly_strong, records, write
from turnout_pipelines import drift

from turnout.errors import HistoryError, TooFewRowsError
from turnout.execution.drift_note import DriftNote
from turnout.execution.recorder import version
from turnout.history import LanguageModelRecord
from turnout.predictor import Predictor, save
from turnout.predictor.fit import Fitted

LONG = 1_000
LEARNED_UNTIL = BEGINNING + 600.0
IDENTITIES = ("aaaaaaaa.-.-.-.-", "bbbbbbbb.-.-.-.-")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TURNOUT_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("TURNOUT_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def champion(site: Path, small_fitted: Fitted) -> Predictor:
    """It serves, and learned from decisions until shortly after the beginning."""
    info = {"created": "2024-01-01T00:00:00+00:00", "training": {"until": LEARNED_UNTIL, "data_fingerprint": "f"}}
    names = (*BOTH, "cloud/huge")[: len(small_fitted.predictor.candidates)]
    made = replace(small_fitted.predictor, candidates=names, info=info)
    save(made, site / "models" / "champion")
    return made


def seen(candidate: str, identity: str, at: float) -> LanguageModelRecord:
    return LanguageModelRecord(candidate=candidate, identity=identity, first_seen_at=at)


def kinds(found: dict) -> list[tuple[str, str | None]]:  # type: ignore[type-arg]
    return [(alarm["kind"], alarm["candidate"]) for alarm in found["alarms"]]


def test_where_nothing_changes_there_is_no_alarm(site: Path) -> None:
    found = drift.run(history=write(site / "history.db", records(LONG, chooses=mostly_strong)))
    assert found["alarms"] == [] and found["watched"]["decisions"] > 600


def test_a_candidate_that_gets_worse_is_noted_where_gateways_look(site: Path) -> None:
    fails = changing(600, after=lambda number, scores: scores * [1.0, 0.3])
    found = drift.run(history=write(site / "history.db", records(LONG, chooses=mostly_strong, answers=fails)))
    assert ("success", STRONG) in kinds(found)
    since = next(alarm["since"] for alarm in found["alarms"] if alarm["kind"] == "success")
    assert abs(since - (BEGINNING + 60.0 * 600)) < 60.0 * 120
    note = DriftNote(site / "state" / "drift.json")
    note.look()
    assert found["note"] == str(site / "state" / "drift.json") and note.drift is not None
    assert [(each.kind, each.candidate or None) for each in note.drift.alarms] == kinds(found)
    assert note.drift.decisions == found["watched"]["decisions"]
    assert any(STRONG in each.text for each in note.drift.alarms)


def test_only_decisions_of_the_champion_are_watched_where_it_made_some(site: Path, champion: Predictor) -> None:
    others = records(60, predictor="another")
    own = records(120, predictor=version(champion), beginning=BEGINNING + 86_400.0)
    found = drift.run(history=write(site / "history.db", [*others, *own]))
    assert found["watched"]["decisions"] == 80, "the first third is what the rest is held against"


def test_another_language_model_under_a_name_is_an_alarm_of_its_kind(site: Path, champion: Predictor) -> None:
    changed_at = BEGINNING + 3_600.0
    looks = [seen(STRONG, IDENTITIES[0], BEGINNING), seen(STRONG, IDENTITIES[1], changed_at)]
    found = drift.run(history=write(site / "history.db", [*records(200), *looks]))
    assert kinds(found) == [("language_model", STRONG)]
    assert found["alarms"][0]["since"] == changed_at
    assert "another language model answers under this name" in found["alarms"][0]["text"]


def test_a_language_model_that_is_seen_again_is_no_alarm(site: Path, champion: Predictor) -> None:
    looks = [seen(STRONG, IDENTITIES[0], BEGINNING + hours * 3_600.0) for hours in range(4)]
    looks.append(seen(STRONG, "aaaaaaaa.cccccccc.-.-.-", BEGINNING + 20_000.0))  # more is known of the same one
    assert drift.run(history=write(site / "history.db", [*records(200), *looks]))["alarms"] == []


def test_a_candidate_that_came_after_the_training_is_an_alarm(site: Path, champion: Predictor) -> None:
    looks = [seen("local/new", IDENTITIES[0], BEGINNING + 3_600.0), seen(WEAK, IDENTITIES[0], BEGINNING + 3_600.0)]
    found = drift.run(history=write(site / "history.db", [*records(200), *looks]))
    assert kinds(found) == [("language_model", "local/new")] and "a new candidate" in found["alarms"][0]["text"]


def test_what_changed_before_the_training_is_no_alarm(site: Path, champion: Predictor) -> None:
    looks = [seen(STRONG, IDENTITIES[0], BEGINNING), seen(STRONG, IDENTITIES[1], LEARNED_UNTIL)]
    assert drift.run(history=write(site / "history.db", [*records(200), *looks]))["alarms"] == []


@pytest.mark.parametrize(
    ("info", "alarms"),
    [
        ({"created": "2023-11-14T23:00:00+00:00", "training": {"prompts": 300}}, 1),
        ({"created": "2025-01-01T00:00:00+00:00", "training": {"prompts": 300}}, 0),
        ({"created": "yesterday"}, 0),
        ({}, 0),
    ],
    ids=["made before", "made after", "made nobody knows when", "nothing known"],
)
def test_of_a_champion_learned_from_tables_it_counts_when_it_was_made(
    site: Path, champion: Predictor, info: dict[str, object], alarms: int
) -> None:
    save(replace(champion, info=info), site / "models" / "champion")
    looks = [seen(STRONG, IDENTITIES[0], BEGINNING), seen(STRONG, IDENTITIES[1], BEGINNING + 86_400.0)]
    assert len(drift.run(history=write(site / "history.db", [*records(200), *looks]))["alarms"]) == alarms


def test_a_history_with_nothing_to_look_at_leaves_the_note_as_it_was(site: Path) -> None:
    note = site / "state" / "drift.json"
    note.parent.mkdir()
    note.write_text('{"checked_at": 1.0, "alarms": [], "watched": {"decisions": 7}}', encoding="utf-8")
    before = note.read_bytes()
    with pytest.raises(TooFewRowsError, match="nothing to learn from"):
        drift.run(history=write(site / "history.db", records(20)))
    with pytest.raises(HistoryError, match="there is no history"):
        drift.run(history=f"sqlite:///{site}/none.db")
    assert note.read_bytes() == before
