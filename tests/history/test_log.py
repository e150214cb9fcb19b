"""The history as those who execute requests see it."""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.history.conftest import MakeHistory
from tests.history.examples import attempt, decision, family, feedback, strange_records

from turnout.config.records import History as Settings
from turnout.errors import ConfigurationError, HistoryError
from turnout.history import History, JournalLimits, PromptMode, Record

SECRET = "correct horse battery staple"


def files_with(folder: Path, words: bytes) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and words in path.read_bytes()]


def test_what_is_recorded_can_be_read_a_moment_later(url: str, tmp_path: Path) -> None:
    with History(url, folder=tmp_path / "state") as history:
        made = family(user="me", conversation="c")
        assert all(history.record(record) for record in made)
        assert history.flush()
        found = history.reader.decision(made[0].id)
        assert found is not None and found["attempts"][0]["id"] == made[1].id
        status = history.status()
    assert (status.recorded, status.committed, status.waiting, status.dropped, status.skipped) == (4, 4, 0, 0, 0)
    assert (status.buffered, status.journal_bytes, status.problem) == (0, 0, "")


def test_what_belongs_together_is_written_at_once(opened: MakeHistory, tmp_path: Path) -> None:
    written: list[bytes] = []

    def write(handle: int, lines: bytes) -> int:
        written.append(lines)
        return os.write(handle, lines)

    history = opened(interval_s=1000, write=write)
    made = family()
    assert history.record_all(made)
    assert [lines.count(b"\n") for lines in written] == [4]
    assert (history.status().recorded, history.flush(), history.status().committed) == (4, True, 4)
    assert history.record_all([]) and len(written) == 1, "nothing is nothing to be written"


def test_one_record_that_cannot_be_written_down_does_not_keep_the_others_out(opened: MakeHistory) -> None:
    history = opened(interval_s=1000)
    first = decision()
    assert not history.record_all([first, attempt(first.id, signals={"x": object()}), feedback(first.id)])
    assert (history.status().recorded, history.status().dropped) == (2, 1)
    assert history.flush() and history.reader.decision(first.id) is not None


def test_without_a_flush_it_comes_in_by_itself(opened: MakeHistory) -> None:
    history = opened(interval_s=0.01)
    history.record(decision())
    until = time.monotonic() + 10
    while history.status().waiting and time.monotonic() < until:
        time.sleep(0.01)
    assert history.status().committed == 1


def test_many_records_do_not_wait_for_the_interval(opened: MakeHistory) -> None:
    history = opened(interval_s=1000)
    assert history.flush()
    for _ in range(600):
        history.record(feedback("d"))
    until = time.monotonic() + 10
    while not history.status().committed and time.monotonic() < until:
        time.sleep(0.01)
    assert history.status().committed >= 500


def test_closing_brings_in_what_waits_and_leaves_no_journal(opened: MakeHistory, tmp_path: Path) -> None:
    history = opened(interval_s=1000)
    for record in family():
        history.record(record)
    assert history.close()
    assert not list((tmp_path / "state" / "journal").iterdir())
    again = opened()
    assert len(again.reader.recent()) == 1


def test_closed_it_drops_and_tells(opened: MakeHistory) -> None:
    history = opened()
    history.close()
    assert history.close()
    assert not history.record(decision()) and history.status().dropped == 1
    assert not history.flush(0.1)
    with pytest.raises(HistoryError, match="does not open again"):
        history.open()


def test_not_open_it_says_so(tmp_path: Path) -> None:
    history = History(f"sqlite:///{tmp_path}/h.db", folder=tmp_path)
    with pytest.raises(HistoryError, match="not open"):
        history.record(decision())
    with pytest.raises(HistoryError, match="not open"):
        _ = history.reader
    assert history.status().problem == "not open" and not history.flush(0) and history.close()


def test_opening_twice_is_opening_once(opened: MakeHistory) -> None:
    history = opened()
    assert history.open() is history
    assert history.record(decision()) and history.flush()


@pytest.mark.parametrize("url", ["mysql://x/y", "nonsense", "sqlite://"])
def test_a_wrong_address_is_told_at_the_start(tmp_path: Path, url: str) -> None:
    with pytest.raises(HistoryError):
        History(url, folder=tmp_path).open()


# Trouble


def test_a_locked_database_costs_neither_time_nor_records(opened: MakeHistory, tmp_path: Path, impatient: None) -> None:
    history = opened(interval_s=0.001)
    assert history.flush()
    with sqlite3.connect(tmp_path / "history.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        begun = time.monotonic()
        made = [decision() for _ in range(200)]
        assert all(history.record(record) for record in made)
        assert time.monotonic() - begun < 2
        assert not history.flush(0.2)
        assert history.status().waiting == 200 and "locked" in history.status().problem
        other.execute("ROLLBACK")
    other.close()
    assert history.flush(20)
    assert len(history.reader.recent(1000)) == 200 and not history.status().problem


def test_a_database_that_is_away_at_the_start_is_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    blocked = tmp_path / "folder"
    blocked.write_text("in the way")
    with History(f"sqlite:///{blocked}/history.db", folder=tmp_path / "state", interval_s=0.01) as history:
        assert history.record(decision())
        assert not history.flush(0.05)
        blocked.unlink()
        assert history.flush(10)
    assert "is not there yet" in caplog.text


def test_what_a_database_never_took_is_brought_in_by_the_next(tmp_path: Path) -> None:
    blocked = tmp_path / "folder"
    blocked.write_text("in the way")
    url, made = f"sqlite:///{blocked}/history.db", family()
    with History(url, folder=tmp_path / "state") as history:
        for record in made:
            history.record(record)
    assert len(list((tmp_path / "state" / "journal").iterdir())) == 1
    blocked.unlink()
    with History(url, folder=tmp_path / "state") as history:
        until = time.monotonic() + 10
        while history.status().committed < 4 and time.monotonic() < until:
            history.flush()
        assert history.reader.decision(made[0].id) is not None


def test_a_full_disk_is_survived_and_told(opened: MakeHistory, impatient: None) -> None:
    full = False

    def disk(handle: int, line: bytes) -> int:
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return os.write(handle, line)

    history = opened(write=disk, interval_s=1000, limits=JournalLimits(buffered_records=3))
    assert history.flush()
    full = True
    assert not any(history.record(decision()) for _ in range(5))
    status = history.status()
    assert (status.buffered, status.waiting, status.dropped) == (3, 3, 2) and "No space" in status.problem
    assert history.flush(10), "the database may be elsewhere and have room"
    assert history.status().committed == 3
    full = False
    history.flush(10)
    assert history.record(decision()) and not history.status().problem


@settings(max_examples=30)
@given(st.lists(strange_records, min_size=1, max_size=6))
def test_no_record_whatever_it_holds_raises_or_blocks_others(opened: MakeHistory, records: list[Record]) -> None:
    history = opened()
    before = history.status()
    taken = [history.record(record) for record in records]
    good = decision()
    assert history.record(good) and history.flush(10)
    assert history.reader.decision(good.id) is not None
    status = history.status()
    assert status.dropped - before.dropped == taken.count(False)
    assert status.skipped == before.skipped and status.waiting == 0


def circle() -> dict[str, Any]:
    made: dict[str, Any] = {}
    made["again"] = made
    return made


@pytest.mark.parametrize(
    "entry",
    [
        attempt("d", signals={"x": object()}),
        attempt("d", signals=circle()),
        attempt("d", prompt_tokens=10**400),
        attempt("d", message=None),
        attempt("d", total_s="soon"),
        decision(ranking=("nobody",)),
        decision(prompt=b"bytes"),
        "no record",
    ],
    ids=["an object", "a circle", "a huge number", "no text", "no number", "no ranking", "bytes", "no record"],
)
def test_what_cannot_be_written_down_is_dropped_and_told(
    opened: MakeHistory, entry: Any, caplog: pytest.LogCaptureFixture
) -> None:
    history = opened()
    assert not history.record(entry)
    assert history.status().dropped == 1
    assert "cannot be written down" in caplog.text


def test_a_record_that_is_too_large_is_dropped_and_told(
    opened: MakeHistory, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("turnout.history.log.MAX_LINE_BYTES", 10_000)
    history = opened()
    assert not history.record(attempt("d", signals={"x": "y" * 10_000}))
    assert history.status().dropped == 1 and "more than the 10,000" in caplog.text


# Prompts


@pytest.mark.parametrize(("mode", "kept"), [("full", True), ("features", False), ("none", False)])
def test_the_prompt_reaches_the_disk_only_in_full_mode(
    opened: MakeHistory, tmp_path: Path, mode: PromptMode, kept: bool
) -> None:
    history = opened(prompts=mode, interval_s=1000)
    assert history.flush()
    made = decision(prompt=SECRET)
    history.record(made)
    history.record(attempt(made.id, message=SECRET, signals={"said": SECRET}, answer=SECRET))
    history.record(feedback(made.id, comment=SECRET))
    assert bool(files_with(tmp_path, b"horse")) == kept, "in the journal"
    history.flush()
    assert bool(files_with(tmp_path, b"horse")) == kept, "in the database"
    found = history.reader.decision(made.id)
    assert found is not None
    assert (found["prompt"], bool(found["prompt_hash"])) == (SECRET if kept else None, mode != "none")


def test_one_prompt_has_one_fingerprint_over_restarts(opened: MakeHistory) -> None:
    hashes = set()
    for _ in range(2):
        history = opened()
        history.record(decision(prompt=SECRET))
        history.flush()
        hashes |= {one["prompt_hash"] for one in history.reader.recent()}
        history.close()
    assert len(hashes) == 1


# Export and erasure


def test_an_export_holds_what_was_just_recorded(opened: MakeHistory) -> None:
    history = opened(interval_s=1000)
    for record in family(user="me"):
        history.record(record)
    assert [one["table"] for one in history.export(user="me")] == ["decisions", "attempts", "outcomes", "feedback"]


def test_an_erasure_leaves_nothing_in_database_or_journal(opened: MakeHistory, tmp_path: Path) -> None:
    history = opened(interval_s=1000)
    for name in ("me", "you"):
        for record in family(user=name, prompt=f"{name}: {SECRET}"):
            history.record(record)
    assert files_with(tmp_path, b"me: correct")
    assert history.erase(user="me") == {"attempts": 1, "outcomes": 1, "feedback": 1, "decisions": 1}
    assert not files_with(tmp_path, b"me: correct") and files_with(tmp_path, b"you: correct")
    assert [one["user"] for one in history.reader.recent()] == ["you"]


def test_an_erasure_holds_for_what_another_process_has_in_its_journal(opened: MakeHistory, tmp_path: Path) -> None:
    history, other = opened(interval_s=1000), opened(interval_s=1000)
    assert other.flush()
    for record in family(conversation="c", prompt=SECRET):
        other.record(record)
    assert history.erase(conversation="c")["decisions"] == 0
    other.flush()
    assert not history.reader.recent() and not files_with(tmp_path, b"horse")


def test_an_erasure_says_when_it_could_not_be_done(opened: MakeHistory, tmp_path: Path, impatient: None) -> None:
    history = opened(interval_s=1000)
    history.record(decision(user="me"))
    assert history.flush()
    with sqlite3.connect(tmp_path / "history.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(HistoryError, match=r"nothing was erased: .*locked"):
            history.erase(user="me")
        history.record(decision(user="me"))
        with pytest.raises(HistoryError, match="could not be brought into"):
            history.erase(user="me", timeout_s=0.2)
        other.execute("ROLLBACK")
    other.close()
    assert history.erase(user="me")["decisions"] == 2


def test_nobody_is_erased_by_no_name(opened: MakeHistory) -> None:
    history = opened()
    history.record(decision())
    for scope in ({}, {"user": ""}, {"user": "a", "conversation": "b"}):
        with pytest.raises(HistoryError, match="name one"):
            history.erase(**scope)
        with pytest.raises(HistoryError, match="name one"):
            history.export(**scope)
    history.flush()
    assert len(history.reader.recent()) == 1


# Configuration


def test_a_configuration_makes_a_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Settings(url=f"sqlite:///{tmp_path}/h.db", prompts="none", retention_days=1)
    with History.from_settings(made, folder=tmp_path / "state") as history:
        old = decision(prompt=SECRET, created_at=time.time() - 2 * 86_400)
        history.record(old)
        history.record(decision(prompt=SECRET))
        history.flush()
        assert [one["prompt_hash"] for one in history.reader.recent()] == [None, None]
    with History.from_settings(made, folder=tmp_path / "state") as history:
        until = time.monotonic() + 10
        while len(history.reader.recent()) > 1 and time.monotonic() < until:
            history.flush()
        assert history.reader.decision(old.id) is None


def test_the_address_may_come_from_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_HISTORY", f"sqlite:///{tmp_path}/variable.db")
    with History.from_settings(Settings(url_variable="THE_HISTORY"), folder=tmp_path / "state"):
        assert (tmp_path / "variable.db").exists()
    monkeypatch.delenv("THE_HISTORY")
    with pytest.raises(ConfigurationError, match="THE_HISTORY is not set"):
        History.from_settings(Settings(url_variable="THE_HISTORY"), folder=tmp_path / "state")
