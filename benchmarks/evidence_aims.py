"""Aims of times, serving and drift, and whether figures reach them; the benchmark's own aims where it has them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import decision
import hybrid
import hybrid_world
import kills
import route
import route_starts
from evidence_verdicts import Aim, at_least, at_most

import drift

HISTORY_PER_S = 2000
"""Decisions a second that the history has to take on SQLite."""
FOUND_SHARE = 0.95
"""Of trials in which a candidate that lost 20 points is named within 300 of its requests."""
DROP = 0.2

Figures = dict[str, Any]


def route_times(figures: Figures) -> list[Aim]:
    """Whole calls, and the start of a process."""
    first = figures["first_sight"]
    return [
        at_most("µs of a decision, p50", first["p50"], route.P50_TARGET_US),
        at_most("µs of a decision, p99", first["p99"], route.P99_TARGET_US),
        at_most("seconds from nothing to ready", figures["starts"]["Turnout"]["process_s"], route_starts.TARGET_S),
    ]


def decision_times(figures: Figures) -> list[Aim]:
    """With all rules."""
    first = figures["variants"]["rules"]["first_sight"]
    return [
        at_most("µs of a decision with 30 rules, p50", first["p50"], decision.P50_TARGET_US),
        at_most("µs of a decision with 30 rules, p99", first["p99"], decision.P99_TARGET_US),
    ]


def hybrid_day(figures: Figures) -> list[Aim]:
    """The default preference against the strong one alone and against the older system's ratios."""
    strong, own = figures["strong alone"], figures["hybrid, balanced"]
    found = [at_least("quality against the strong one", own["quality_against_strong"][0], -hybrid.POINTS_TARGET)]
    for kind, seconds in hybrid_world.CLASSES.items():
        if kind in own["classes"]:
            times = strong["classes"][kind]["mean_s"] / own["classes"][kind]["mean_s"]
            found.append(at_least(f"times as fast: {kind}", times, round(seconds / hybrid_world.CLAIMED[kind], 2)))
    agreed = max(own["agrees_with_label"], own["agrees_with_hindsight"])
    found.append(
        at_least("routed as labelled or as hindsight would, the larger", agreed, hybrid_world.CLAIMED_ACCURACY)
    )
    return [*found, at_most("share of escalations", own["escalated"], hybrid_world.CLAIMED_ESCALATIONS)]


def history(figures: Figures) -> list[Aim]:
    """On SQLite, the default."""
    return [at_least("decisions a second on SQLite", round(figures["SQLite"]["decisions_per_s"]), HISTORY_PER_S)]


def false_alarms(figures: Figures) -> list[Aim]:
    """Of everything but the yardsticks, and what the whole report finds."""
    found = [
        Aim(f"false alarms: {name}", f"{share[0]:.1%}", f"≤ {drift.ALPHA:.0%}", share[0] <= drift.ALPHA)
        for name, share in figures["false_alarms"].items()
        if "CUSUM" not in name
    ]
    whole = [row["within_300"][0] for row in figures["whole_report_found"] if row["points"] == DROP]
    return [*found, *_found(whole, "whole report")]


def drops_found(figures: Figures) -> list[Aim]:
    """Of the bets as the whole report makes them, the worst of all settings."""
    shares = [row["bets, share of whole report"]["within_300"][0] for row in figures["found"] if row["points"] == DROP]
    return _found(shares, "bets, the worst setting")


def _found(shares: Iterable[float], who: str) -> list[Aim]:
    what = f"{DROP:.0%} lost, found within {drift.WITHIN} requests: {who}"
    least = min(shares)
    return [Aim(what, f"{least:.1%}", f"≥ {FOUND_SHARE:.0%}", least >= FOUND_SHARE)]


def killed(figures: Figures) -> list[Aim]:
    """Nothing bad may be left by any kill."""
    return [Aim(str(what), bad, 0, bad == 0) for what, *_, bad in kills.table(figures).rows]


def peers(figures: Figures) -> list[Aim]:
    """No slower than anybody else in the same run, and no less often as labelled."""
    ways = figures["ways"]
    own = ways["Turnout"]
    found = []
    for name, other in ways.items():
        if name != "Turnout":
            p50, limit = own["whole"]["p50_us"], other["whole"]["p50_us"]
            found.append(Aim(f"µs of a decision, p50, beside {name}", p50, f"≤ {limit:,g}", p50 <= limit))
            share, floor = own["agreement"][0], other["agreement"][0]
            found.append(Aim(f"agrees with the label, beside {name}", share, f"≥ {floor:.3f}", share >= floor))
    return found
