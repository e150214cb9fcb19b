"""Several workers and one truth: whichever is asked, it answers for all of them, the dead ones included."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from tests.cli.emulated import configure, emulating
from tests.gateway.plain import Said, ask, chat
from tests.gateway.test_prometheus import read
from tests.gateway.worker import Worker, started
from tests.gateway.world import BUDGET_S, until

from turnout.gateway.siblings import Place, Siblings, can_talk

pytestmark = [
    pytest.mark.skipif(not can_talk(), reason="workers do not speak with each other here"),
    pytest.mark.slow,  # two processes for each test
]


class Team:
    """Workers 0 and 1 of two, each at an address of its own."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._stack = stack
        self.state = folder / "state"
        url, _ = stack.enter_context(emulating())
        self.file = configure(folder / "hybrid.yaml", ollama=url)
        self.environment = {**os.environ, "TURNOUT_STATE": str(self.state), "TURNOUT_MODELS": str(folder / "models")}
        # The address of a socket is 107 bytes at most: too few for pytest's folders.
        self.meeting = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="turnout-")))
        self.first, self.second = self.start(0), self.start(1)

    def start(self, number: int) -> Worker:
        return self._stack.enter_context(started(self.file, self.environment, self.meeting, number))

    @property
    def both(self) -> tuple[Worker, Worker]:
        return self.first, self.second


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    with ExitStack() as stack:
        yield Team(tmp_path, stack)


def answered(worker: Worker) -> float:
    """How many requests were answered, as it tells Prometheus."""
    samples = read(ask(f"{worker.url}/metrics").text)
    return samples[("turnout_requests_total", (("outcome", "answered"),))]


def feedback(worker: Worker, decision: str, kind: str = "good", **headers: str) -> Said:
    return ask(f"{worker.url}/turnout/feedback", {"decision": decision, "kind": kind}, **headers)


def rows(worker: Worker, limit: int = 50) -> list[dict[str, str]]:
    told: list[dict[str, str]] = ask(f"{worker.url}/turnout/decisions?limit={limit}").json["decisions"]
    return told


def test_both_tell_the_same_of_what_happened_at_either(team: Team) -> None:
    asked = [chat(worker.url, f"what is {at}?").decision for at, worker in enumerate((*team.both, team.first))]
    for worker in team.both:
        assert answered(worker) == 3
        status = ask(f"{worker.url}/turnout/status").json
        assert status["workers"] == 2
        for period in ("minute", "hour", "total"):
            assert status["metrics"][period]["requests"] == 3
        assert status["history"]["recorded"] >= 6, "decisions and attempts of both"
        assert [row["id"] for row in rows(worker)] == asked[::-1]
        assert [row["id"] for row in rows(worker, limit=2)] == asked[:0:-1]
        timeline = ask(f"{worker.url}/turnout/timeline").json["timeline"]
        assert sum(piece["requests"] for piece in timeline) == 3


def test_feedback_counts_once_whichever_worker_hears_it(team: Team) -> None:
    decision = chat(team.first.url).decision
    assert feedback(team.second, decision).status == 200
    for worker in team.both:
        samples = read(ask(f"{worker.url}/metrics").text)
        assert samples[("turnout_feedback_total", (("kind", "good"),))] == 1
        (row,) = rows(worker)
        assert row["feedback"] == "good"
    assert feedback(team.second, "nobody-said-this").status == 400


def test_feedback_on_what_a_cache_answered_finds_its_worker(team: Team) -> None:
    chat(team.first.url)
    cached = chat(team.first.url)
    assert "asked before" in cached.headers["x-turnout-reason"]
    assert feedback(team.second, cached.decision).status == 200


def test_feedback_on_an_answer_of_a_worker_that_died_is_found_in_the_history(team: Team) -> None:
    decision = chat(team.first.url).decision
    until(lambda: _is_kept(team.state, decision))
    team.first.die()
    assert feedback(team.second, decision).status == 200


def _is_kept(state: Path, decision: str) -> bool:
    """Whether the history's database has it."""
    with closing(sqlite3.connect(state / "history.db")) as database:
        return bool(database.execute("SELECT count(*) FROM decisions WHERE id = ?", (decision,)).fetchone()[0])


def test_totals_do_not_fall_when_a_worker_dies_and_go_on_in_its_place(team: Team) -> None:
    for worker in (team.first, team.first, team.second):
        assert chat(worker.url, str(worker.url)).status == 200
    assert answered(team.second) == 3
    team.first.die()
    assert answered(team.second) == 3
    assert ask(f"{team.second.url}/turnout/status").json["workers"] == 1
    team.first = team.start(0)
    assert answered(team.first) == answered(team.second) == 3
    assert chat(team.first.url, "once more").status == 200
    assert answered(team.first) == answered(team.second) == 4
    team.first.die()
    assert answered(team.second) == 4


def test_a_worker_that_hangs_holds_nobody_up_and_still_counts(team: Team) -> None:
    assert chat(team.first.url).status == 200
    assert answered(team.second) == 1
    os.kill(team.first.process.pid, signal.SIGSTOP)
    try:
        assert answered(team.second) == 1
        assert rows(team.second) == []
        assert chat(team.second.url).status == 200
        assert answered(team.second) == 2
    finally:
        os.kill(team.first.process.pid, signal.SIGCONT)


def test_the_command_starts_workers_that_know_each_other(tmp_path: Path) -> None:
    with emulating() as (url, _), tempfile.TemporaryDirectory(prefix="t-") as short:
        file = configure(tmp_path / "hybrid.yaml", ollama=url)
        environment = {**os.environ, "TURNOUT_STATE": str(tmp_path / "state"), "TMPDIR": short}
        command = [sys.executable, "-m", "turnout.cli.main", "serve", "--config", str(file), "--workers", "2"]
        process = subprocess.Popen([*command, "--logs", "off"], stderr=subprocess.PIPE, text=True, env=environment)
        assert process.stderr is not None
        with process, process.stderr:
            try:
                told = next(line for line in process.stderr if line.startswith("turnout serves"))  # behind lines of log
                gateway = told.split()[-1]
                (folder,) = Path(short).glob("turnout-*")
                assert stat.S_IMODE(folder.stat().st_mode) == 0o700
                until(lambda: len(list(folder.glob("*.sock"))) == 2, 3 * BUDGET_S)
                for at in range(6):
                    assert chat(gateway, f"what is {at}?").status == 200
                for _ in range(4):
                    samples = read(ask(f"{gateway}/metrics").text)
                    assert samples[("turnout_requests_total", (("outcome", "answered"),))] == 6
            finally:
                process.terminate()
                process.wait(3 * BUDGET_S)
        assert process.returncode == 0
        assert not list(Path(short).glob("turnout-*"))


@pytest.mark.anyio
async def test_who_understands_nothing_or_says_nothing_is_left_out(tmp_path: Path) -> None:
    async def answer(question: dict[str, str]) -> object:
        return {"said": question["ask"]}

    async def fail(question: dict[str, str]) -> object:
        raise RuntimeError("nobody knows")

    with tempfile.TemporaryDirectory(prefix="turnout-") as name:
        places = [Place(Path(name), number, 4) for number in range(4)]
        asking = Siblings(places[0], answer)
        async with asking, Siblings(places[1], answer), Siblings(places[2], fail):
            places[3].socket.write_text("no socket")
            assert await asking.ask({"ask": "x"}) == {places[1]: {"said": "x"}}
        assert not places[1].socket.exists()


def test_a_place_that_cannot_be_listened_at_is_no_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    import asyncio

    async def nothing(_: object) -> None: ...

    async def life() -> None:
        long = tmp_path / ("far" * 40)
        long.mkdir()
        async with Siblings(Place(long, 0, 2), nothing) as siblings:
            assert await siblings.ask({"ask": "x"}) == {}

    asyncio.run(life())
    assert "cannot ask this one" in caplog.text


def test_a_record_that_was_damaged_is_no_end(team: Team) -> None:
    assert chat(team.second.url).status == 200
    team.first.die()
    (team.meeting / "0.json").write_text(json.dumps({"windows": 7}))
    assert answered(team.second) == 1
