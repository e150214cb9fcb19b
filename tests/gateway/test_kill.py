"""A gateway killed under load: what it acknowledged is in the history, whoever reads it afterwards."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError

import pytest
from tests.gateway.plain import ask, chat
from tests.gateway.worker import started
from tests.gateway.world import opened, until

from turnout.history.reader import HistoryReader

CLIENTS = 6
ENOUGH = 60


class Load:
    """Clients that ask and give feedback, and note what was acknowledged."""

    def __init__(self, url: str) -> None:
        self.answered: list[str] = []
        self.rated: list[str] = []
        self._url = url
        self._stop = threading.Event()
        self._clients = [threading.Thread(target=self._run, args=(number,)) for number in range(CLIENTS)]
        for client in self._clients:
            client.start()

    def _run(self, number: int) -> None:
        turn = 0
        while not self._stop.is_set():
            turn += 1
            with suppress(URLError, OSError, HTTPException):
                said = chat(self._url, f"write 5 words about queue {number}.{turn}", stream=bool(turn % 2))
                if said.status != 200 or (turn % 2 and "[DONE]" not in said.text):
                    continue
                self.answered.append(said.decision)
                if turn % 3 == 0:
                    rated = ask(f"{self._url}/turnout/feedback", {"decision": said.decision, "kind": "good"})
                    if rated.status == 200:
                        self.rated.append(said.decision)

    def stop(self) -> None:
        self._stop.set()
        for client in self._clients:
            client.join(60)


@pytest.mark.slow
def test_what_was_acknowledged_before_a_kill_is_in_the_history_after_a_restart(tmp_path: Path) -> None:
    state = tmp_path / "killed"
    environment = {**os.environ, "TURNOUT_STATE": str(state), "TURNOUT_MODELS": str(tmp_path / "models")}
    with opened(tmp_path) as world:
        file = tmp_path / "hybrid.yaml"
        answered: list[str] = []
        rated: list[str] = []
        for _ in range(3):
            with started(file, environment) as gateway:
                load = Load(gateway.url)
                until(lambda load=load: len(load.answered) >= ENOUGH and load.rated, 120)  # type: ignore[misc]
                gateway.die()
                load.stop()
            answered += load.answered
            rated += load.rated
        with started(file, environment) as gateway:
            assert ask(f"{gateway.url}/healthz").status == 200
            until(lambda: ask(f"{gateway.url}/turnout/status").json["history"]["waiting"] == 0, 60)
            with HistoryReader(f"sqlite:///{state}/history.db") as reader:

                def is_in(decision: str) -> bool:
                    stored = reader.decision(decision)
                    return stored is not None and any(each["chosen"] for each in stored["attempts"])

                def is_rated(decision: str) -> bool:
                    stored = reader.decision(decision)
                    return stored is not None and [each["kind"] for each in stored["feedback"]] == ["good"]

                # What the killed ones left is taken over in the background.
                until(lambda: all(map(is_in, answered)) and all(map(is_rated, rated)), 60)
        assert len(answered) >= 3 * ENOUGH and rated
        assert not world.generating
