"""What was aimed at and what came of it, in one form for all benchmarks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from common import cell, interval

Figures = dict[str, Any]


@dataclass(frozen=True)
class Aim:
    """What was aimed at and what came of it."""

    what: str
    figure: object
    aim: object
    reached: bool


def shown(value: object) -> str:
    """A figure or an aim as the page shows it."""
    if isinstance(value, float):
        return f"{value:,.3f}".rstrip("0").rstrip(".")
    return cell(value)


def stored(figures: Figures) -> list[Aim]:
    """Of a benchmark that judges itself."""
    return [Aim(str(what), figure, aim, bool(reached)) for what, figure, aim, reached in figures.get("aims", [])]


def at_least(what: str, figure: float, aim: float) -> Aim:
    """Reached from the aim upwards."""
    return Aim(what, round(figure, 4), f"≥ {aim:g}", figure >= aim)


def at_most(what: str, figure: float, aim: float) -> Aim:
    """Reached up to the aim."""
    return Aim(what, round(figure, 4), f"≤ {aim:g}", figure <= aim)


def above(what: str, figure: Sequence[float], floor: float) -> Aim:
    """Reached where the whole 95 % interval lies above."""
    return Aim(what, interval(figure), f"interval above {floor:g}", figure[1] > floor)


def no_aims(_: Figures) -> list[Aim]:
    """Of a claim without a number."""
    return []
