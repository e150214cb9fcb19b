"""Records brought into the database by a process of their own."""

from __future__ import annotations

import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.history.conftest import MakeHistory
from tests.history.examples import attempt, decision

from turnout.history import History
from turnout.history.apart import work


def helpers_of(process: int) -> list[psutil.Process]:
    """Processes that bring in records for another."""
    return [
        child
        for child in psutil.Process(process).children(recursive=True)
        if "turnout.history.apart" in child.cmdline()
    ]


def test_what_is_recorded_comes_in_on_either_database(url: str, tmp_path: Path) -> None:
    with History(url, folder=tmp_path / "state", apart=True) as history:
        for _ in range(50):
            made = decision()
            assert history.record_all([made, attempt(made.id)])
        assert history.flush(30)
        assert (history.status().committed, history.status().waiting) == (100, 0)
        assert history.reader.decision(made.id) is not None
    assert not helpers_of(os.getpid())


def test_a_helper_that_was_killed_is_replaced_and_nothing_is_lost(opened: MakeHistory) -> None:
    history = opened(apart=True)
    history.record(decision())
    assert history.flush(30)
    (helper,) = helpers_of(os.getpid())
    helper.kill()
    helper.wait(10)
    last = decision()
    history.record(last)
    until = time.monotonic() + 60
    while history.reader.decision(last.id) is None and time.monotonic() < until:
        history.flush(5)
    assert history.status().committed == 2
    assert history.flush(30) and not history.status().problem


def test_a_database_that_cannot_be_written_is_told_and_tried_again(opened: MakeHistory, tmp_path: Path) -> None:
    history = opened(apart=True)
    history.record(decision())
    assert history.flush(30)
    blocker = sqlite3.connect(tmp_path / "history.db", isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    history.record(decision())
    until = time.monotonic() + 60
    while not history.status().problem and time.monotonic() < until:
        time.sleep(0.05)
    assert "lock" in history.status().problem
    blocker.execute("ROLLBACK")
    blocker.close()
    until = time.monotonic() + 60
    while (history.status().waiting or history.status().problem) and time.monotonic() < until:
        history.flush(5)
    assert (history.status().committed, history.status().problem) == (2, "")


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_signal_to_everybody_does_not_stop_it_before_its_last_job(tmp_path: Path) -> None:
    script = """
import os, signal, sys
from turnout.history import DecisionRecord, History
signal.signal(signal.SIGTERM, signal.SIG_IGN)
history = History(sys.argv[1], folder=sys.argv[2], apart=True).open()
history.record(DecisionRecord(candidate="a/b", confidence=0.5))
assert history.flush(30)
os.killpg(0, signal.SIGTERM)
for _ in range(20):
    history.record(DecisionRecord(candidate="a/b", confidence=0.5))
assert history.close(30)
print(history.status().committed)
"""
    url = f"sqlite:///{tmp_path}/history.db"
    done = subprocess.run(
        [sys.executable, "-c", script, url, str(tmp_path / "state")],
        capture_output=True,
        text=True,
        timeout=120,
        start_new_session=True,
    )
    assert done.stdout.strip() == "21", done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_it_does_not_outlive_who_wants_it(tmp_path: Path) -> None:
    script = """
import sys, time
from turnout.history import DecisionRecord, History
history = History(sys.argv[1], folder=sys.argv[2], apart=True).open()
history.record(DecisionRecord(candidate="a/b", confidence=0.5))
history.flush(30)
print("ready", flush=True)
time.sleep(600)
"""
    url = f"sqlite:///{tmp_path}/history.db"
    with subprocess.Popen(
        [sys.executable, "-c", script, url, str(tmp_path / "state")], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline().strip() == "ready"
        helpers = helpers_of(process.pid)
        process.send_signal(signal.SIGKILL)
    gone, alive = psutil.wait_procs(helpers, timeout=60)
    assert len(gone) == 1 and not alive


def told_of(*jobs: Any) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    work(io.BytesIO(b"".join(json.dumps(job).encode() + b"\n" for job in jobs)), told.append)
    return told


def test_a_file_that_is_gone_is_told(sqlite_url: str, tmp_path: Path) -> None:
    assert told_of(sqlite_url, {"path": str(tmp_path / "none"), "start": 0, "end": None}) == [{"gone": True}]


def test_lines_that_are_none_are_counted(sqlite_url: str, tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"nonsense\n\xff\xfe\n")
    told = told_of(sqlite_url, {"path": str(path), "start": 0, "end": 12})
    assert sum(news["skipped"] for news in told) == 2
    assert sum(news["committed"] for news in told) == 0
    assert told[0]["upto"] == 12


def test_a_database_nobody_can_open_is_told(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"nonsense\n")
    made = decision()
    with History(f"sqlite:///{tmp_path}/other.db", folder=tmp_path / "state", interval_s=1000) as history:
        history.record(made)
        (segment,) = (tmp_path / "state" / "journal").glob("*.jsonl")
        told = told_of(f"sqlite:///{path}/below/a/file.db", {"path": str(segment), "start": 0, "end": None})
    assert list(told[0]) == ["failed"]
