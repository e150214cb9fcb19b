"""Real processes: killed in the middle of their work, side by side in one folder, forked."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
from sqlalchemy import select

from turnout.history import History
from turnout.history.tables import feedback

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kill -9 and fork are of POSIX")

# Makes children that record for ever and write down the id of each record that was acknowledged; the parent kills them.
# They are forked from one process that has imported everything, so that hundreds take seconds.
NURSERY = """
import os, sys
import turnout.history.drainer, sqlalchemy.dialects.sqlite, sqlite3
from turnout.history import DecisionRecord, FeedbackRecord, History, JournalLimits

folder, url = sys.argv[1:]
while sys.stdin.readline():
    read, write = os.pipe()
    child = os.fork()
    if not child:
        history = History(url, folder=folder, interval_s=0.002, limits=JournalLimits(segment_bytes=20_000)).open()
        while True:
            made = DecisionRecord(candidate="local/small", confidence=0.5, prompt="x" * 300)
            said = FeedbackRecord(decision_id=made.id, kind="good")
            for record in (made, said):
                if history.record(record):
                    os.write(1, record.id.encode() + b"\\n")
    os.write(1, b"child %d\\n" % child)
    os.waitpid(child, 0)
    os.write(1, b"gone\\n")
"""

WRITER = """
import sys
from turnout.history import FeedbackRecord, History, JournalLimits

folder, url, count = sys.argv[1:]
limits = JournalLimits(segment_bytes=5_000)
with History(url, folder=folder, interval_s=0.01, limits=limits) as history:
    for number in range(int(count)):
        assert history.record(FeedbackRecord(decision_id="d", kind="good"))
    sys.exit(0 if history.close(60) else "not everything came in")
"""


def feedback_in(history: History) -> set[str]:
    with history.reader._database.reading() as connection:
        return set(connection.scalars(select(feedback.c.id)))


@contextmanager
def nursery(folder: Path, url: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", NURSERY, str(folder), url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
    )
    try:
        yield process
    finally:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.close()
        assert process.wait(30) == 0
        process.stdout.close()


def lines_of(stream: IO[bytes]) -> Callable[[], bytes]:
    """Reads a raw stream line by line."""
    rest = b""

    def line() -> bytes:
        nonlocal rest
        while b"\n" not in rest:
            block = os.read(stream.fileno(), 1 << 16)
            if not block:
                return b""
            rest += block
        first, _, rest = rest.partition(b"\n")
        return first

    return line


def kill_at_random_moments(folder: Path, url: str, times: int) -> list[str]:
    """The ids of all acknowledged records."""
    chance, acknowledged = random.Random(0), []
    with nursery(folder, url) as process:
        assert process.stdin is not None and process.stdout is not None
        line = lines_of(process.stdout)
        for _ in range(times):
            process.stdin.write(b"go\n")
            after, child, killed = chance.choice([0, 1, chance.randrange(1000)]), 0, False
            while (said := line()) != b"gone":
                if said.startswith(b"child"):
                    child = int(said.split()[1])
                else:
                    acknowledged.append(said.decode())
                    after -= 1
                if child and after <= 0 and not killed:
                    killed = True
                    time.sleep(chance.random() * 0.005)  # anywhere in a write, a commit or between
                    os.kill(child, signal.SIGKILL)
    return acknowledged


def check_everything_is_there_once(tmp_path: Path, url: str, acknowledged: list[str]) -> None:
    with History(url, folder=tmp_path / "state", interval_s=0.01) as history:
        journal = tmp_path / "state" / "journal"
        until = time.monotonic() + 60
        while len(list(journal.iterdir())) > 1 and time.monotonic() < until:
            assert history.flush(30)
        status = history.status()
        assert status.waiting == 0 and not status.problem
    with sqlite3.connect(tmp_path / "history.db") as connection:
        stored = [one for (one,) in connection.execute("SELECT id FROM decisions UNION ALL SELECT id FROM feedback")]
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    assert len(acknowledged) > 100 and set(acknowledged) <= set(stored)
    assert len(stored) == len(set(stored))


def test_a_process_killed_under_load_loses_no_acknowledged_record(tmp_path: Path, sqlite_url: str) -> None:
    acknowledged = kill_at_random_moments(tmp_path / "state", sqlite_url, 8)
    check_everything_is_there_once(tmp_path, sqlite_url, acknowledged)


@pytest.mark.slow
def test_two_hundred_kills_lose_no_acknowledged_record(tmp_path: Path, sqlite_url: str) -> None:
    acknowledged = kill_at_random_moments(tmp_path / "state", sqlite_url, 200)
    check_everything_is_there_once(tmp_path, sqlite_url, acknowledged)


def test_several_processes_share_folder_and_database(tmp_path: Path, url: str) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path / "state"), url, "400"]
    writers = [subprocess.Popen(command) for _ in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert not list((tmp_path / "state" / "journal").iterdir())
    with History(url, folder=tmp_path / "state") as history:
        assert len(feedback_in(history)) == 1200


FORK = """
import os, sys, time
from turnout.history import FeedbackRecord, History

folder, url = sys.argv[1:]
with History(url, folder=folder, interval_s=0.01) as history:
    history.record(FeedbackRecord(id="before", decision_id="d", kind="good"))
    child = os.fork()
    if not child:
        assert history.record(FeedbackRecord(id="child", decision_id="d", kind="good"))
        assert history.flush(20) and history.status().recorded == 1
        assert {row["id"] for row in history.reader.export(user="u")} == set()
        history.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert history.record(FeedbackRecord(id="after", decision_id="d", kind="good"))
    assert history.flush(20) and history.status().recorded == 2
"""


def test_a_forked_process_records_on_its_own(tmp_path: Path, url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK, str(tmp_path / "state"), url],
        timeout=60,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    with History(url, folder=tmp_path / "state") as history:
        assert feedback_in(history) == {"before", "child", "after"}
    assert not list((tmp_path / "state" / "journal").iterdir())


def test_a_parent_that_was_killed_is_dead_though_its_child_lives(tmp_path: Path, sqlite_url: str) -> None:
    script = FORK.split("    if not child:")[0] + (
        "    if not child:\n        time.sleep(60)\n    print(child, flush=True)\n    time.sleep(60)\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", script, str(tmp_path / "state"), sqlite_url]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
        try:
            with History(sqlite_url, folder=tmp_path / "state") as history:
                until = time.monotonic() + 10
                while len(list((tmp_path / "state" / "journal").glob("*.lock"))) > 1 and time.monotonic() < until:
                    history.flush()
                assert feedback_in(history) == {"before"}
                assert len(list((tmp_path / "state" / "journal").glob("*.lock"))) == 1
        finally:
            os.kill(child, signal.SIGKILL)
