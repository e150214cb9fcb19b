"""What was learned, and what is no longer so, in the folders that a gateway reads."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Final

from turnout.files import write_aside
from turnout.learning.drift import Alarm, DriftReport, texts
from turnout.learning.drift.success import Change
from turnout.predictor import Predictor, save

CHAMPION, CHALLENGER = "2025-03-10T08:30:00", "2025-03-17T09:45:00"
"""When each was trained, in local time; their versions, too."""

SINCE, CHECKED_AT = 1_741_598_200.0, 1_741_600_000.0
"""When things began to be different, and when that was found; Unix time, in March 2025."""


def put_predictors(folder: Path, predictor: Predictor, candidates: tuple[str, str]) -> None:
    """A champion and a challenger of these two candidates, who believe otherwise."""
    put_champion(folder, predictor, candidates)
    put_challenger(folder, predictor, candidates)


def put_champion(folder: Path, predictor: Predictor, candidates: tuple[str, str]) -> None:
    """The predictor that serves."""
    known = (*candidates, "cloud/huge")
    save(replace(predictor, candidates=known, info={"created": CHAMPION}), folder / "models" / "champion")


def put_challenger(folder: Path, predictor: Predictor, candidates: tuple[str, str]) -> None:
    """The predictor that wants to serve."""
    known = ("cloud/huge", *reversed(candidates))
    made = replace(predictor, candidates=known, calibration=None, info={"created": CHALLENGER})
    save(made, folder / "models" / "challenger")


def slower(candidate: str) -> Alarm:
    """One that takes longer than it was learned, in the words of the watch over drift."""
    text = texts.speed(candidate, _CHANGE, slow_ratio=2.0, median=2.5, since=SINCE)
    return Alarm(kind="speed", candidate=candidate, since=SINCE, text=text)


def miscalibrated() -> Alarm:
    """Chances that do not mean what they did; it is of no candidate."""
    text = texts.calibration(_CHANGE, low=0.6, high=0.8, since=SINCE)
    return Alarm(kind="calibration", candidate=None, since=SINCE, text=text)


def note_drift(folder: Path, *alarms: Alarm) -> None:
    """What the watch over drift writes down."""
    report = DriftReport(checked_at=CHECKED_AT, alarms=alarms, decisions=1234)
    write_aside(folder / "state" / "drift.json", json.dumps(report.to_json()).encode())


_CHANGE: Final = Change(start=0, raised_at=59, mean=0.4, expected=0.05)
