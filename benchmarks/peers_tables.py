"""The table of `peers.py`: what each way decides, how long that takes, how often it agrees with the labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from common import Table, interval

DECIDES = {
    "Turnout": "one of {candidates} candidates, chances and reason; tier",
    "semantic-router": "route of the nearest of {examples:,} examples",
    "LiteLLM, heuristic": "tier by its word lists",
    "LiteLLM, heuristic_v2": "tier by its trained scorer",
}
INNER = {
    "semantic-router": "encoder",
    "LiteLLM, heuristic": "scoring",
    "LiteLLM, heuristic_v2": "scoring",
}


def tables(figures: dict[str, Any]) -> list[Table]:
    """All ways beside each other."""
    own_us = figures["ways"]["Turnout"]["whole"]["p50_us"]
    rows = []
    for way, one in figures["ways"].items():
        whole, inner = one["whole"], one.get("inner")
        rows.append(
            [
                way,
                DECIDES[way].format(**figures),
                spread(whole["p50_us"], whole["p50_us_of_each_round"]),
                spread(whole["p99_us"], whole["p99_us_of_each_round"]),
                f"{INNER[way]} {inner['p50_us']:,.0f}" if inner else "",
                f"{whole['p50_us'] / own_us:.1f}",
                interval(one["agreement"]),
            ]
        )
    columns = ["way", "decides", "µs p50", "µs p99", "of it, p50", "times Turnout's p50", "agrees with the label"]
    said = {name: number for one in figures["ways"].values() for name, number in one["versions"].items()}
    versions = ", ".join(f"{name} {number}" for name, number in said.items())
    note = (
        f"{figures['prompts']:,} held-out developer prompts, one thread, medians of {figures['rounds']} interleaved rounds, "
        "in brackets the least and the most of a round. Labels: fast or strong, as the prompts' authors set them, with 95 % "
        f"intervals; the more frequent label alone agrees with {figures['majority']:.3f}. Turnout and semantic-router learnt "
        "from prompts of the same collection, by other hands; LiteLLM ran as it comes. semantic-router's encoder: "
        f"all-MiniLM-L6-v2 by NumPy. {versions}."
    )
    return [Table("A decision beside semantic-router and LiteLLM's complexity router", columns, rows, note)]


def spread(middle: float, rounds: Sequence[float]) -> str:
    """A median with the least and the most of its rounds."""
    return f"{middle:,.0f} [{min(rounds):,.0f}, {max(rounds):,.0f}]"
