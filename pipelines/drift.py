"""Drift: has the world moved away from what the champion learned? Looks through its decisions and notes the alarms."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from turnout_pipelines.sources import Source, say

from turnout.config.paths import champion_folder, state_folder
from turnout.errors import ArtifactError
from turnout.execution.recorder import version
from turnout.files import write_aside
from turnout.history.identities import changed_at
from turnout.history.reader import HistoryReader
from turnout.learning.drift import Alarm, DriftReport, changed_success, watch
from turnout.learning.from_history import HistorySettings, from_history
from turnout.learning.logged import LoggedDecisions
from turnout.predictor import Predictor, load

NOTE = "drift.json"
"""In the state folder, where gateways look for it."""

REFERENCE_PER_CANDIDATE = 1_000
REFERENCE_SHARE = 1 / 3
"""The first decisions of a predictor are what it is held against, at most so many and at most this share of all."""


def run(*, history: str = "", config: Path | None = None, max_rows: int = 50_000) -> dict[str, Any]:
    """Look once and note what was found; returns what the command prints.

    Args:
        history, config: see `retrain.run`.
        max_rows: the newest decisions that are looked at.

    Raises:
        TooFewRowsError: the history has nothing to look at.
        HistoryError: there is none, or it cannot be read.
    """
    source = Source.of(history, config)
    say(f"reading {source} ...")
    champion = _champion()
    with source.reader() as reader:
        logged, _ = from_history(reader, HistorySettings(max_rows=max_rows, weights=source.weights))
        others = _language_models(reader, champion)
    report = look(logged, champion, others)
    path = state_folder() / NOTE
    write_aside(path, json.dumps(report.to_json(), indent=1).encode())
    return {**report.to_json(), "note": str(path)}


def look(logged: LoggedDecisions, champion: Predictor | None, others: Sequence[Alarm] = ()) -> DriftReport:
    """The alarms of the decisions that the champion made; of all where it made none."""
    reference, rest = _parts(logged, champion)
    return watch(rest, reference=reference, checked_at=round(time.time(), 3), others=others)


def changed(logged: LoggedDecisions, champion: Predictor | None) -> list[Alarm]:
    """Whose success has changed, whatever their providers say of them, in the same decisions."""
    reference, rest = _parts(logged, champion)
    return changed_success(rest, reference)


def _parts(logged: LoggedDecisions, champion: Predictor | None) -> tuple[LoggedDecisions, LoggedDecisions]:
    """The decisions that others are held against, and those others."""
    own = logged.predictor == version(champion)
    mine = logged.take(np.flatnonzero(own)) if own.any() else logged
    first = min(REFERENCE_PER_CANDIDATE * len(mine.candidates), int(len(mine) * REFERENCE_SHARE))
    rows = np.argsort(mine.created_at, kind="stable")
    return mine.take(rows[:first]), mine.take(rows[first:])


def _champion() -> Predictor | None:
    try:
        return load(champion_folder())
    except ArtifactError:
        return None


def _language_models(reader: HistoryReader, champion: Predictor | None) -> list[Alarm]:
    """Language models that changed, or came, after the champion was trained."""
    if champion is None:
        return []
    until, seen = _trained_until(champion), reader.language_models()
    came = {candidate: at for candidate, _, at in reversed(seen)}
    changed = changed_at(seen)
    alarms = []
    for candidate, at in (came | changed).items():
        if at <= until or not (candidate in changed or candidate not in champion.candidates):
            continue
        told = "another language model answers under this name" if candidate in changed else "a new candidate"
        text = f"{candidate}: {told}; what the predictor learned does not count for it"
        alarms.append(Alarm(kind="language_model", candidate=candidate, since=at, text=text))
    return alarms


def _trained_until(champion: Predictor) -> float:
    """The moment of the last decision that it learned from, Unix seconds; of tables, when it was made."""
    try:
        until = (champion.info.get("training") or {}).get("until")
        return float(until or datetime.fromisoformat(champion.info["created"]).timestamp())
    except (KeyError, TypeError, ValueError):
        return float("inf")  # it does not say, so nothing can be said to have changed since
