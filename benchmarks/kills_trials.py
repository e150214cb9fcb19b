"""Processes killed with SIGKILL at random moments, and what has to be true afterwards.

Used by a test, which kills a few, and by `benchmarks/kills.py`, which kills hundreds.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from turnout.errors import ArtifactError
from turnout.history import History
from turnout.predictor import Predictor, load, read_manifest, save

NURSERY = Path(__file__).with_name("kills_nursery.py")
A_FOLDER = 20
"""Kills of logging in one folder: checking a database takes as long as it is large."""

WITHIN_S = 60.0
MOST_RECORDS = 300
WRITING = "writing the champion"


@dataclass
class Logged:
    """Kills of a process that records: what was acknowledged, and what of it was there afterwards."""

    kills: int = 0
    acknowledged: int = 0
    lost: int = 0
    twice: int = 0
    broken_databases: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass
class Promoted:
    """Kills of a process that promotes: where they fell, and what served afterwards.

    changed : kills after which the other version served. leftovers : files that no later promotion removed.
    """

    kills: int = 0
    promotions: int = 0
    served: int = 0
    changed: int = 0
    stages: dict[str, int] = field(default_factory=dict)
    leftovers: int = 0
    problems: list[str] = field(default_factory=list)


class Nursery:
    """The process that makes children; lines of theirs are read one by one."""

    def __init__(self, kind: str, folder: Path) -> None:
        temporary = folder / "temporary"
        temporary.mkdir(parents=True, exist_ok=True)
        own = {"TURNOUT_MODELS": str(folder / "models"), "TMPDIR": str(temporary), "MLFLOW_TRACKING_URI": ""}
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(NURSERY), kind, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env={**os.environ, **own},
        )
        self._rest = b""

    def line(self) -> str:
        """The next line; empty when nobody tells any more."""
        assert self._process.stdout is not None
        while b"\n" not in self._rest:
            block = os.read(self._process.stdout.fileno(), 1 << 16)
            if not block:
                return ""
            self._rest += block
        first, _, self._rest = self._rest.partition(b"\n")
        return first.decode()

    def child(self) -> None:
        """Make one more."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"go\n")

    def close(self) -> None:
        """No more children."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(WITHIN_S)
        self._process.stdout.close()


@contextmanager
def nursery(kind: str, folder: Path) -> Iterator[Nursery]:
    """A nursery that is closed at the end."""
    made = Nursery(kind, folder)
    try:
        yield made
    finally:
        made.close()


def kill_logging(folder: Path, times: int, *, seed: int = 0) -> Logged:
    """Kill a process that records, again and again; after each kill everything acknowledged has to be there once."""
    chance, found = random.Random(seed), Logged()
    for begins in range(0, times, A_FOLDER):
        own = folder / f"logging-{begins}"
        with nursery("logging", own) as processes:
            for _ in range(min(A_FOLDER, times - begins)):
                acknowledged = _killed_logging(processes, chance)
                found.kills += 1
                found.acknowledged += len(acknowledged)
                _check_history(own, acknowledged, found)
    return found


def _killed_logging(processes: Nursery, chance: random.Random) -> list[str]:
    """The ids that one process acknowledged before it died, anywhere in a write, a commit or between."""
    processes.child()
    acknowledged: list[str] = []
    after, child = chance.choice([0, 1, chance.randrange(MOST_RECORDS)]), 0
    while (said := processes.line()) not in ("gone", ""):
        if said.startswith("child "):
            child = int(said.split()[1])
        else:
            acknowledged.append(said)
        if child > 0 and len(acknowledged) >= after:
            time.sleep(chance.random() * 0.005)
            os.kill(child, signal.SIGKILL)
            child = -1
    return acknowledged


def _check_history(folder: Path, acknowledged: list[str], found: Logged) -> None:
    url, state = f"sqlite:///{folder}/history.db", folder / "state"
    with History(url, folder=state, interval_s=0.01) as history:
        until = time.monotonic() + WITHIN_S
        while len(list((state / "journal").iterdir())) > 1 and time.monotonic() < until:
            history.flush(WITHIN_S)
        problem = history.status().problem
    connection = sqlite3.connect(folder / "history.db")
    try:
        stored = [one for (one,) in connection.execute("SELECT id FROM decisions UNION ALL SELECT id FROM feedback")]
        sound = connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        connection.close()
    found.lost += len(set(acknowledged) - set(stored))
    found.twice += len(stored) - len(set(stored))
    found.broken_databases += not sound
    found.problems += [problem] if problem else []


def kill_promoting(folder: Path, versions: tuple[Predictor, Predictor], times: int, *, seed: int = 0) -> Promoted:
    """Kill a process that promotes two versions in turn; after each kill one of them has to serve, byte for byte."""
    chance, found = random.Random(seed), Promoted()
    contents = []
    for name, predictor in zip(("one", "two"), versions, strict=True):
        save(predictor, folder / name)
        contents.append(_content(folder / name))
    champion = folder / "models" / "champion"
    with nursery("promoting", folder) as processes:
        if (said := processes.line()) != "ready":
            raise RuntimeError(f"no versions to promote: {said}")
        serving = _content(champion)
        for number in range(times):
            stage, promotions, problem = _killed_promoting(processes, chance, aims=number % 2 == 1)
            found.kills += 1
            found.promotions += promotions
            found.stages[stage] = found.stages.get(stage, 0) + 1
            found.problems += [problem] if problem else []
            try:
                load(champion)
                now = _content(champion)
            except ArtifactError as error:
                found.problems.append(str(error))
                continue
            found.served += now in contents
            found.changed += now != serving
            serving = now
    found.leftovers = sum(file.name.startswith(".") for file in champion.iterdir())
    return found


def _killed_promoting(processes: Nursery, chance: random.Random, *, aims: bool) -> tuple[str, int, str]:
    """The stage in which one process died, how many promotions it finished, and what failed before.

    Every child finishes one promotion first: whatever the one before left behind is in nobody's way. Half of the kills
    come at any moment of the next promotions, half within the writing of the champion, which is short.
    """
    processes.child()
    stage, promotions, problem, child, aimed = "", 0, "", 0, False
    while (said := processes.line()) not in ("gone", ""):
        if said.startswith("failed "):
            problem = said
        elif said.startswith("child "):
            child = int(said.split()[1])
        else:
            stage, promotions = said, promotions + (said == "promoted")
        aimed = promotions > 0 and (said == WRITING if aims else True)
        if child > 0 and aimed:
            time.sleep(chance.random() * (0.004 if aims else 0.15))
            os.kill(child, signal.SIGKILL)
            child = -1
    return stage, promotions, problem


def _content(folder: Path) -> tuple[bytes, bytes]:
    """What a reader of a predictor's folder sees: the manifest, and the arrays that it names."""
    named: Any = read_manifest(folder)["arrays"]
    return (folder / "manifest.json").read_bytes(), (folder / named["file"]).read_bytes()
