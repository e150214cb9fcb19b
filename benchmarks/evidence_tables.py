"""The table of each claim: the benchmark's own where it makes one out of its figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import chaos
import day_zero
import decision
import gateway_soak
import hybrid
import offpolicy
import orchestration
import peers_tables
import quality_tables
import restart
import route
from common import Table

import drift
import gateway

Figures = dict[str, Any]


def pick(tables: Sequence[Table], title: str) -> Table:
    """The one whose title begins so.

    Raises:
        LookupError: none does.
    """
    for table in tables:
        if table.title.startswith(title):
            return table
    raise LookupError(f"no table {title!r} among {', '.join(repr(table.title) for table in tables)}")


def of_quality(title: str, figures: Figures) -> Table:
    """One of quality.md's."""
    return pick(quality_tables.tables(figures), title)


def of_route(title: str, figures: Figures) -> Table:
    """Whole decisions or steps, without a configuration."""
    return pick(route.tables(figures), title)


def of_decision(title: str, figures: Figures) -> Table:
    """Whole decisions or steps, with rules."""
    return pick(decision.tables(figures), title)


def of_peers(figures: Figures) -> Table:
    """Beside other routers."""
    return peers_tables.tables(figures)[0]


def of_gateway(figures: Figures) -> Table:
    """The ways beside each other."""
    return pick(gateway.tables(figures), "one process each")


def of_soak(figures: Figures) -> Table:
    """Memory, descriptors and speed over time."""
    return pick(gateway_soak.tables(figures), "under load for long")


def of_orchestration(figures: Figures) -> Table:
    """All dialects in one table."""
    kinds = figures["kinds"]
    made = [(kind, pick(orchestration.tables(figures), f"{kind}: µs a request")) for kind in kinds]
    rows = [[f"{kind}, {row[0]}", *row[1:]] for kind, table in made for row in table.rows]
    return replace(made[0][1], title="µs a request", rows=rows)


def of_hybrid(figures: Figures) -> Table:
    """Every way through the day."""
    return pick(hybrid.tables(figures), "an emulated day")


def of_chaos(figures: Figures) -> Table:
    """How requests ended."""
    count = sum(figures["outcomes"].values())
    return pick(chaos.tables(figures, count), f"{count:,} requests")


def of_restart(figures: Figures) -> Table:
    """Every round, without the list of events."""
    table = pick(restart.tables(figures), "one of two providers")
    return replace(table, note=table.note.partition("\n")[0])


def of_history(rounds: int, figures: Figures) -> Table:
    """Both databases."""
    names = ("record_us", "drain_cpu_us", "decisions_per_s")
    rows = [[database, *(round(one[name]) for name in names)] for database, one in figures.items()]
    columns = ["database", "event loop, µs/request", "drainer, CPU µs/request", "decisions/s"]
    note = "The event loop writes to the journal, whatever the database is."
    return Table(f"The best of {rounds} rounds", columns, rows, note)


def of_offpolicy(title: str, figures: Figures) -> Table:
    """Training, intervals or the gate."""
    return pick(offpolicy.tables(figures), title)


def of_drift(figures: Figures) -> Table:
    """Streams without a change, and what the whole report finds."""
    return replace(drift.tables(figures, 0)[0], title="Shares of streams, with 95 % intervals")


def of_drops(figures: Figures) -> Table:
    """By drop, base rate and kind of score."""
    return pick(drift.tables(figures, 0), "Found within")


def of_models(figures: Figures) -> Table:
    """Left-out language models."""
    return day_zero.models_table(figures["summary"])


def of_pools(figures: Figures) -> Table:
    """Pools without a label."""
    return day_zero.pools_table(figures["pools"])


def of_curve(figures: Figures) -> Table:
    """Means over the pools by number of own labels."""
    table = day_zero.curve_table(figures["pools"])
    rows = [row for row in table.rows if str(row[0]).startswith("mean of")]
    return replace(table, rows=rows)
