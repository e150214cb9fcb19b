"""The operator of a life: runs the real jobs on its history and writes down what came of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from turnout_pipelines import drift, retrain, rollback
from turnout_pipelines.lab.story_log import Event
from turnout_pipelines.lab.story_plan import Job

from turnout.errors import ArtifactMissingError, TooFewRowsError


class Operator:
    """Runs jobs while the traffic waits, so that nobody's seconds are measured beside a training.

    Args:
        history: its address.
        config: the configuration file.
        seed: of the retrainings.
    """

    def __init__(self, history: str, config: Path, seed: int) -> None:
        self._history = history
        self._config = config
        self._seed = seed

    def work(self, job: Job, at: int) -> list[Event]:
        """Run a job after so many requests; returns what happened, alarms and verdicts."""
        if job == "retrain":
            return [self._retrained(at)]
        return self._looked(at) if job == "drift" else []

    def roll_back(self, at: int) -> Event:
        """The champion before, back in its place, if there was one."""
        try:
            done, took_s = _timed(rollback.run)
        except ArtifactMissingError as error:
            return Event(at=at, kind="refused", told=f"not rolled back: {error}")
        return Event(at=at, kind="rolled back", told=f"version {done['version']} serves again", took_s=took_s)

    def _retrained(self, at: int) -> Event:
        try:
            found, took_s = _timed(lambda: retrain.run(history=self._history, config=self._config, seed=self._seed))
        except TooFewRowsError as error:
            return Event(at=at, kind="refused", told=f"not retrained: {error}")
        kept = ("version", "promoted", "verdict", "why", "checks", "estimates", "history")
        details = {name: found[name] for name in kept}
        kind = "promoted" if found["promoted"] else "inconclusive" if found["verdict"] == "inconclusive" else "refused"
        return Event(at=at, kind=kind, told=found["why"], took_s=took_s, details=details)

    def _looked(self, at: int) -> list[Event]:
        try:
            found, took_s = _timed(lambda: drift.run(history=self._history, config=self._config))
        except TooFewRowsError as error:
            return [Event(at=at, kind="refused", told=f"not looked for drift: {error}")]
        return [
            Event(at=at, kind="alarm", told=alarm["text"], took_s=took_s, details=alarm) for alarm in found["alarms"]
        ]


def _timed(job: Callable[[], dict[str, Any]]) -> tuple[dict[str, Any], float]:
    began = time.perf_counter()
    return job(), round(time.perf_counter() - began, 3)
