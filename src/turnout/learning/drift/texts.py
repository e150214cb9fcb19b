"""Alarms in plain words, with the figures behind them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from turnout.learning.drift.features import Moved
from turnout.learning.drift.report import Direction
from turnout.learning.drift.success import Change
from turnout.predictor.feature_labels import FEATURE_LABELS

MOST_NAMED: Final = 5
"""Features that a text names."""


def success(candidate: str, change: Change, direction: Direction, since: float) -> str:
    how, then = ("less often", "") if direction == "worse" else ("more often", "; training again would make use of it")
    return (
        f"{candidate} succeeds {how} than predicted since {moment(since)}: {change.mean:.0%} of {count(change)} requests, "
        f"{change.expected:.0%} expected{then}"
    )


def calibration(change: Change, low: float, high: float, since: float) -> str:
    return (
        f"predicted chances from {low:.0%} to {high:.0%} do not mean what they did since {moment(since)}: {change.mean:.0%} "
        f"succeed, {change.expected:.0%} expected"
    )


def speed(candidate: str, change: Change, slow_ratio: float, median: float, since: float) -> str:
    return (
        f"{candidate} is slower than expected since {moment(since)}: {change.mean:.0%} of {count(change)} requests took "
        f"more than {slow_ratio:.2g} times the expected seconds, {change.expected:.0%} used to (median now {median:.2g} "
        "times)"
    )


def features(moved: Moved, names: Sequence[str], since: float) -> str:
    """Names of features out of the extractor's, told by their labels; columns beyond them by their number."""
    told: dict[str, str] = {}
    for column, before, after in zip(moved.columns, moved.before, moved.after, strict=True):
        name = names[column] if column < len(names) else f"feature {column}"
        label = FEATURE_LABELS.get(name, name).partition(" {")[0]
        told.setdefault(label, f"{label} (mean {before:.3g}, now {after:.3g})")
    shown = list(told.values())[:MOST_NAMED]
    more = f" and {len(told) - len(shown)} more" if len(told) > len(shown) else ""
    return f"requests differ from what was trained on since {moment(since)}: {', '.join(shown)}{more}"


def count(change: Change) -> int:
    return change.raised_at - change.start + 1


def moment(seconds: float) -> str:
    """A Unix time as people read it."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
