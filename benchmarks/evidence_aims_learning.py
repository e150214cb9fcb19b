"""Aims of off-policy learning and of day zero, and whether figures reach them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import offpolicy
from day_zero import RANK_AIM
from evidence_verdicts import Aim, above, at_least, at_most
from quality_tables import mean_interval

from turnout.learning.offpolicy import ESTIMATORS

COVERED = (0.90, 0.99)
"""Share of logs whose 95 % interval has to hold the truth."""
WORSE_PROMOTED, BETTER_PROMOTED = 0.05, 0.80
"""The most promotions of a worse challenger, the fewest of one that is 3 points better."""
BETTER_POINTS = 3.0
ARTIFACT_MB = 10.0
FEW_LABELS = (50, 200)
"""Numbers of own labels at which base and own together have to beat either alone."""

Figures = dict[str, Any]


def training(figures: Figures) -> list[Aim]:
    """Against as many scores of full information, and against naive training."""
    rows = figures["training"]
    gap, gain = (offpolicy._mean([row[key] for row in rows]) for key in ("partial_over_as_many", "partial_over_naive"))
    return [
        at_least("mean apgr over full information with as many scores", gap[0], -offpolicy.CLOSE),
        above("mean apgr over naive training", gain, 0),
    ]


def coverage(figures: Figures) -> list[Aim]:
    """Of every estimator that something is decided by."""
    low, high = COVERED
    return [
        Aim(f"{row['pool']}: {name} covers", f"{share:.1%}", f"{low:.0%} to {high:.0%}", low <= share <= high)
        for row in figures["coverage"]
        for name in ESTIMATORS
        if name != "direct"
        for share in [row[f"{name}_coverage"]]
    ]


def gate(figures: Figures) -> list[Aim]:
    """Promotions of worse challengers, and of one that is clearly better."""
    found = []
    for row in figures["gate"]:
        what = f"{row['pool']}: promoted at {row['points']:+g} points"
        if row["points"] < 0:
            aim, reached = f"≤ {WORSE_PROMOTED:.0%}", row["promoted"] <= WORSE_PROMOTED
        elif row["points"] == BETTER_POINTS:
            aim, reached = f"≥ {BETTER_PROMOTED:.0%}", row["promoted"] >= BETTER_PROMOTED
        else:
            continue
        found.append(Aim(what, f"{row['promoted']:.1%}", aim, reached))
    return found


def growing(figures: Figures) -> list[Aim]:
    """Memory at every size, and how time grows with the history."""
    limits = figures["limits"]
    return [
        at_most("GiB at most", max(size["peak_gib"] for size in figures["sizes"]), limits["peak_gib"]),
        at_most("slope of log seconds over log decisions", figures["slope"], limits["slope"]),
    ]


def left_out(figures: Figures) -> list[Aim]:
    """Language models nobody logged."""
    told = figures["summary"]
    return [
        above("Brier better than the mean of all", told["better_than_all"], 0),
        above("Brier better than the mean of its size", told["better_than_size"], 0),
        at_least("rank correlation of means", told["rank"], RANK_AIM),
        at_most("megabytes of the base predictor", figures["bytes"] / 1e6, ARTIFACT_MB),
    ]


def no_label(figures: Figures) -> list[Aim]:
    """Better than random on average over the pools."""
    return [above("mean apgr without a label", mean_interval([one["zero"]["apgr"] for one in figures["pools"]]), 0.5)]


def few_labels(figures: Figures) -> list[Aim]:
    """Base and own together against own alone and against base alone, two standard errors of labels drawn."""
    return [
        above(f"both over {other} alone at {labels} labels, mean apgr", _gain(figures["pools"], labels, other), 0)
        for labels in FEW_LABELS
        for other in ("own", "base")
    ]


def _gain(pools: Sequence[Figures], labels: int, other: str) -> list[float]:
    gains = [point[f"over_{other}"] for one in pools for point in one["curve"] if point["labels"] == labels]
    mean = float(np.mean([gain for gain, _ in gains]))
    half = 2 * float(np.sqrt(np.sum(np.square([error for _, error in gains])))) / len(gains)
    return [mean, mean - half, mean + half]
