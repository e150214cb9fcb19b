"""Retraining again and again: turns, drift that was answered and drift that was not, failures that are not the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from turnout_pipelines import drift, retrain, schedule

from turnout.errors import ConfigurationError, HistoryError, TooFewRowsError, TrainingBusyError

Jobs = Callable[..., None]


class Clock:
    """Time that passes where it is slept away."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


class World:
    """What a look finds and what a retraining comes to, turn by turn; the last of each goes on."""

    def __init__(self) -> None:
        self.alarms: list[list[float] | Exception] = [[]]
        self.results: list[dict[str, Any] | Exception] = [result()]
        self.decisions = [1_000]
        self.looked: list[dict[str, Any]] = []
        self.retrained: list[dict[str, Any]] = []

    def look(self, **options: Any) -> dict[str, Any]:
        self.looked.append(options)
        found = self.alarms[min(len(self.looked), len(self.alarms)) - 1]
        if isinstance(found, Exception):
            raise found
        decisions = self.decisions[min(len(self.looked), len(self.decisions)) - 1]
        return {"alarms": [{"since": since} for since in found], "decisions": decisions}

    def retrain(self, **options: Any) -> dict[str, Any]:
        self.retrained.append(options)
        found = self.results[min(len(self.retrained), len(self.results)) - 1]
        if isinstance(found, Exception):
            raise found
        return found


def result(verdict: str = "keep", last_at: float = 0.0) -> dict[str, Any]:
    return {"promoted": verdict == "promote", "verdict": verdict, "history": {"last_at": last_at}}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(drift, "run", made.look)
    monkeypatch.setattr(retrain, "run", made.retrain)
    return made


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_every_turn_looks_and_retrains_and_sleeps_only_between(world: World, clock: Clock) -> None:
    world.results = [result("promote"), result("keep"), result("promote")]
    told: list[dict[str, Any]] = []
    done = schedule.run(every_s=60, turns=3, sleep=clock.sleep, told=told.append)
    assert done == {"turns": 3, "retrained": 3, "promoted": 2}
    assert told == world.results and len(world.looked) == 3
    assert len(clock.slept) == 2 and all(59 < seconds <= 60 for seconds in clock.slept)


def test_options_reach_the_retraining(world: World, clock: Clock) -> None:
    schedule.run(every_s=1, turns=1, sleep=clock.sleep, history="sqlite:///h.db", promote_if_better=False, seed=3)
    assert world.looked == [{"history": "sqlite:///h.db", "config": None}]
    assert world.retrained == [{"history": "sqlite:///h.db", "config": None, "promote_if_better": False, "seed": 3}]


def test_a_turn_that_takes_longer_than_the_interval_is_followed_at_once(world: World, clock: Clock) -> None:
    schedule.run(every_s=0.0, turns=2, sleep=clock.sleep)
    assert clock.slept == [0.0]


def test_without_drift_nothing_is_retrained(world: World, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    assert schedule.run(every_s=60, on_drift=True, turns=3, sleep=clock.sleep)["retrained"] == 0
    assert capsys.readouterr().err == "no drift: nothing to do\n" * 3


@pytest.mark.parametrize(
    ("alarms", "results", "retrained"),
    [
        ([[], [10.0], [10.0]], [result()], 1),
        ([[10.0], [10.0, 20.0]], [result(last_at=15.0)], 2),
        ([[10.0], [11.0]], [result(last_at=15.0)], 1),
        ([[10.0], [11.0]], [result("promote", last_at=15.0)], 1),
        ([[10.0], [11.0]], [result("inconclusive", last_at=15.0)], 2),
        ([[10.0], [10.0]], [result("inconclusive", last_at=15.0)], 1),
        ([[10.0], []], [result()], 1),
        ([[10.0], [10.0]], [TrainingBusyError("another"), result()], 2),
    ],
    ids=[
        "the same alarm is answered once",
        "another alarm is answered again",
        "what is dated a little later was seen all the same",
        "also where it was promoted",
        "but not where nothing could be concluded",
        "what is no news is no reason even then",
        "no alarm, no retraining",
        "a retraining that failed answers nothing",
    ],
)
def test_drift_is_answered_once(
    world: World, clock: Clock, alarms: list[Any], results: list[Any], retrained: int
) -> None:
    world.alarms, world.results = alarms, results
    schedule.run(every_s=60, on_drift=True, turns=len(alarms), sleep=clock.sleep)
    assert len(world.retrained) == retrained


def test_what_could_not_be_concluded_is_asked_again_when_half_as_much_more_is_known(
    world: World, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    world.alarms, world.results = [[10.0]], [result("inconclusive"), result("promote", last_at=15.0)]
    world.decisions = [1_000, 1_400, 1_500, 3_000]
    schedule.run(every_s=60, on_drift=True, turns=4, sleep=clock.sleep)
    assert len(world.retrained) == 2
    assert capsys.readouterr().err == "drift, but hardly more is known than last time\nno drift: nothing to do\n"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (TrainingBusyError("another training is under way"), "another training is under way"),
        (TooFewRowsError("40 decisions have a known result"), "40 decisions have a known result"),
        (OSError(28, "No space left on device"), "OSError: [Errno 28] No space left on device"),
        (RuntimeError("the tracking server is away"), "RuntimeError: the tracking server is away"),
    ],
)
def test_what_fails_is_told_and_the_next_turn_comes(
    world: World, clock: Clock, error: Exception, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    world.results = [error, result("promote")]
    assert schedule.run(every_s=90, turns=2, sleep=clock.sleep) == {"turns": 2, "retrained": 1, "promoted": 1}
    assert capsys.readouterr().err == f"{told}; trying again in 90 s\n"


def test_a_history_that_cannot_be_read_now_may_be_there_at_the_next_turn(world: World, clock: Clock) -> None:
    world.alarms = [HistoryError("the history cannot be read now"), []]
    assert schedule.run(every_s=1, turns=2, sleep=clock.sleep)["retrained"] == 1


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), SystemExit(0)])
def test_an_interruption_ends_it(world: World, clock: Clock, stop: BaseException) -> None:
    def interrupted(seconds: float) -> None:
        raise stop

    with pytest.raises(type(stop)):
        schedule.run(every_s=60, sleep=interrupted)


def test_a_wrong_configuration_is_told_at_each_turn(
    world: World, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    world.alarms = [ConfigurationError("line 3: unknown key")]
    assert schedule.run(every_s=1, turns=2, sleep=clock.sleep)["retrained"] == 0
    assert capsys.readouterr().err.count("line 3: unknown key") == 2
