"""Decisions and attempts on their way into the history as they are, without a record made of them first.

Whoever executes requests has a `Decision` and an `Attempt` at hand. To copy all their fields into a frozen record takes
longer than to write the record's line; so the encoder makes the same line of both, field by field in one place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

from turnout.history.records import AttemptRole, Record
from turnout.types import Attempt, Decision


class Decided(NamedTuple):
    """A decision, and what its request knows beside it; the line is that of `DecisionRecord.of`."""

    decision: Decision
    id: str
    created_at: float
    request_id: str = ""
    conversation: str = ""
    user: str = ""
    predictor: str = ""
    prompt: str | None = None
    features_schema: str = ""


class Attempted(NamedTuple):
    """An attempt, and what its request knows beside it; the line is that of an `AttemptRecord` of the same fields."""

    attempt: Attempt
    id: str
    decision_id: str
    number: int
    role: AttemptRole
    confidence: float | None
    signals: Mapping[str, Any]
    chosen: bool
    answer: str | None


Recordable: TypeAlias = Record | Decided | Attempted
"""What the history takes in."""
