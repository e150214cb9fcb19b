"""The note of drift: read when it changed, shown as far as it is one, never trusted."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.execution.drift_note import MOST_ALARMS, MOST_BYTES, Alarm, Drift, DriftNote

ALARM = {"kind": "success", "candidate": "ollama/large", "since": 90.0, "text": "it answers worse"}
NOTE = {"checked_at": 100.0, "alarms": [ALARM], "watched": {"decisions": 1200}}

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "drift.json"


def write(path: Path, content: Any) -> None:
    """As the job does: aside, then in one rename."""
    aside = path.with_suffix(".new")
    aside.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    aside.replace(path)


def test_a_note_is_read_as_it_was_written(path: Path) -> None:
    write(path, NOTE)
    note = DriftNote(path)
    note.look()
    assert note.drift == Drift(100.0, (Alarm("success", "ollama/large", 90.0, "it answers worse"),), 1200)


def test_without_a_note_nothing_is_known(path: Path) -> None:
    note = DriftNote(path)
    note.look()
    assert note.drift is None


def test_another_note_takes_the_place_of_the_first_and_goes_with_its_file(path: Path) -> None:
    note = DriftNote(path)
    write(path, NOTE)
    note.look()
    write(path, NOTE | {"alarms": []})
    note.look()
    assert note.drift == Drift(100.0, (), 1200)
    path.unlink()
    note.look()
    assert note.drift is None


def test_a_note_that_did_not_change_is_not_read_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note = DriftNote(path)
    write(path, NOTE)
    note.look()
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("read again"))
    note.look()


def test_an_alarm_of_all_candidates_names_none(path: Path) -> None:
    assert Drift.of_json(NOTE | {"alarms": [ALARM | {"candidate": None}]}).alarms[0].candidate == ""


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", '{"checked_at": NaN}', '{"checked_at": "now"}', '{"checked_at": true}', "[" * 100_000],
)
def test_what_is_no_note_is_told_once_and_changes_nothing(
    path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    note = DriftNote(path)
    write(path, NOTE)
    note.look()
    write(path, content)
    with caplog.at_level(logging.WARNING, "turnout"):
        note.look()
        note.look()
    assert note.drift is not None and note.drift.decisions == 1200
    assert len(caplog.records) == 1


def test_a_file_that_is_too_large_is_not_read_to_its_end(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(path, " " * (MOST_BYTES + 1))
    note = DriftNote(path)
    note.look()
    assert note.drift is None and "more than" in caplog.text


@pytest.mark.parametrize(
    "alarm",
    [
        None,
        "success",
        ALARM | {"kind": "weather"},
        ALARM | {"kind": ["success"]},
        ALARM | {"text": 7},
        ALARM | {"since": float("inf")},
        ALARM | {"since": -1},
        {},
    ],
)
def test_what_is_no_alarm_is_left_out(alarm: Any) -> None:
    assert Drift.of_json(NOTE | {"alarms": [alarm, ALARM]}).alarms == Drift.of_json(NOTE).alarms


def test_there_are_not_more_or_longer_alarms_than_can_be_shown() -> None:
    found = Drift.of_json(NOTE | {"alarms": [ALARM | {"text": "x" * 10_000, "candidate": "y" * 10_000}] * 1_000})
    assert len(found.alarms) == MOST_ALARMS
    assert max(len(alarm.text) + len(alarm.candidate) for alarm in found.alarms) <= 1_000


@given(checked_at=values, alarms=values | st.lists(values, max_size=4), watched=values)
def test_whatever_is_written_is_a_note_or_is_refused(checked_at: Any, alarms: Any, watched: Any) -> None:
    try:
        found = Drift.of_json({"checked_at": checked_at, "alarms": alarms, "watched": watched})
    except ValueError:
        return
    json.dumps([alarm.text for alarm in found.alarms], allow_nan=False).encode()
    assert found.decisions >= 0


@given(text=st.text(st.characters(codec=None)), candidate=values)
def test_texts_that_cannot_be_encoded_are_made_such_that_can(text: str, candidate: Any) -> None:
    (alarm,) = Drift.of_json(NOTE | {"alarms": [ALARM | {"text": text, "candidate": candidate}]}).alarms
    f"{alarm.text}{alarm.candidate}".encode()
