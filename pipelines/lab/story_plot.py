"""The picture of a life: quality, mean seconds and share on the fast one over time, against the yardsticks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from turnout_pipelines.lab.story_curves import SERVED, curves
from turnout_pipelines.lab.story_log import Event, EventKind, Life

_COLOURS: Final = {
    "oracle": "#2e7d32",
    "always strong": "#b26a00",
    "always fast": "#7b4ea3",
    "random": "#777777",
    SERVED: "#0b6e99",
}
_MARKS: Final[dict[EventKind, tuple[str, float, str]]] = {
    "promoted": ("^", 0.0, "a challenger is promoted"),
    "swapped": ("d", 0.0, "another file under the strong name"),
    "alarm": ("X", 0.07, "drift is noticed"),
    "rolled back": ("<", 0.14, "rolled back"),
}
"""Marker, height in the panel, what it says."""

_SHADES: Final = ("#00000000", "#0000000d")
_PANELS: Final = (
    ("score", "right answers", 1.0),
    ("seconds", "mean milliseconds", 1000.0),
    ("fast", "share on the fast one", 1.0),
)


def plot(life: Life, events: Sequence[Event], window: int) -> Figure:
    """Three panels over requests, means of the last `window` requests; phases shaded, events on the lower edges."""
    figure = Figure(figsize=(12, 10), layout="constrained")
    panels = figure.subplots(len(_PANELS), 1, sharex=True)
    ways = curves(life, window)
    for axis, (field, label, unit) in zip(panels, _PANELS, strict=True):
        for name, colour in _COLOURS.items():
            if field == "fast" and name not in (SERVED, "oracle"):
                continue  # always 0 or 1, or the same
            width = 2.4 if name == SERVED else 1.2
            axis.plot(unit * getattr(ways[name], field), color=colour, label=name, lw=width)
        axis.set_ylabel(label)
        axis.grid(axis="y", alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
        _shade(axis, list(phases_in(life)), named=axis is panels[0])
        _mark(axis, events)
        # The first requests meet cold engines, whose seconds would leave no room for the others.
        highest = max(float(getattr(way, field)[len(life) // 20 :].max()) for way in ways.values())
        axis.set_ylim(0, 1.1 * unit * highest)
    panels[0].set(xlim=(0, len(life)), ylim=(0, 1.05))
    panels[2].set(xlabel=f"requests (means of the last {window})", ylim=(0, 1.05))
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False, fontsize=9)
    return figure


def phases_in(life: Life) -> Iterator[tuple[str, int, int]]:
    """Name, first request and the one after the last, of each phase that was played."""
    start = 0
    for place in range(1, len(life) + 1):
        if place == len(life) or life.phase[place] != life.phase[start]:
            yield str(life.phase[start]), start, place
            start = place


def _shade(axis: Axes, phases: Sequence[tuple[str, int, int]], *, named: bool) -> None:
    for number, (name, start, end) in enumerate(phases):
        axis.axvspan(start, end, color=_SHADES[number % 2], lw=0)
        if named:
            axis.text((start + end) / 2, 1.07 + 0.06 * (number % 2), name, ha="center", va="bottom", fontsize=9)


def _mark(axis: Axes, events: Sequence[Event]) -> None:
    for kind, (mark, height, told) in _MARKS.items():
        at = [event.at for event in events if event.kind == kind]
        colour = "#c62828" if kind in ("alarm", "swapped") else "#111111"
        # Places are in requests, heights in shares of the panel.
        lower = axis.get_xaxis_transform()
        axis.plot(
            at, [height] * len(at), mark, color=colour, ms=9, label=told, clip_on=False, zorder=5, transform=lower
        )
        for place in at if kind == "swapped" else ():
            axis.axvline(place, color=colour, lw=0.8, ls=":")
