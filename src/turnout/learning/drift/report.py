"""What watching a log comes to: alarms in plain words, and the JSON that others read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["success", "calibration", "features", "speed", "language_model"]
"""`language_model`: another language model answers under a candidate's name; found from providers, not from a log."""

Direction = Literal["worse", "better"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Something moved.

    candidate: None where the alarm is about all of them. since: Unix seconds, the row from which on things seem to be
    different. direction: `better` where there is something to gain by training again, `worse` for everything else.
    """

    kind: Kind
    candidate: str | None
    since: float
    text: str
    direction: Direction = "worse"

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "candidate": self.candidate, "since": self.since, "text": self.text}


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftReport:
    """The alarms of one look, oldest change first. checked_at: Unix seconds. decisions: how many rows were watched."""

    checked_at: float
    alarms: tuple[Alarm, ...]
    decisions: int

    def to_json(self) -> dict[str, Any]:
        return {
            "checked_at": self.checked_at,
            "alarms": [alarm.to_json() for alarm in self.alarms],
            "watched": {"decisions": self.decisions},
        }
