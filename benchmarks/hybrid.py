"""The hybrid client against the fast and the strong language model alone, on an emulated day of developer tasks.

    python benchmarks/hybrid.py [--requests 200] [--speed 25]

Two emulated providers in a process of their own answer the bundled prompts that nothing was fitted on, one after the
other; the emulator's judge says which answers are right. The predictor was fitted on what the same two emulated
language models made of other prompts; beside it count the two rules of the shipped configuration that are about what
the older system names. Time runs `--speed` times as fast at the providers; seconds are printed in their time, so that
what the client adds, some milliseconds, counts `--speed` times. All of this is emulation: it shows that
routing, escalation and recording do what they should together, and says nothing about any real language model.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from common import Table, parser, report, say
from hybrid_world import (
    CLAIMED,
    CLAIMED_ACCURACY,
    CLAIMED_ESCALATIONS,
    CLASSES,
    FAST,
    STRONG,
    Ask,
    configuration,
    day,
    emulator_options,
    fit_pair,
)

from turnout import HybridClient
from turnout.emulators.answers import judge

WAYS = {
    "fast alone": {"candidate": FAST},
    "strong alone": {"candidate": STRONG},
    "hybrid, quality": {"preference": "quality"},
    "hybrid, balanced": {"preference": "balanced"},
}
POINTS_TARGET = 0.01


async def play(client: HybridClient, asks: list[Ask], options: dict[str, Any], speed: float) -> list[dict[str, Any]]:
    """What came of each request."""
    found = []
    for ask in asks:
        began = time.perf_counter()
        completion = await client.complete(ask.row.prompt, **options)
        found.append(
            {
                "kind": ask.kind,
                "tier": ask.row.tier,
                "seconds": (time.perf_counter() - began) * speed,
                "right": judge(ask.row.prompt, completion.text),
                "first": completion.tried[0].candidate,
                "fast": completion.candidate == FAST,
                "escalated": completion.escalated,
                "helped": completion.escalated and completion.tried[-1].answer is completion.answer,
                "confidence": completion.confidence,
            }
        )
    return found


async def run(
    asks: list[Ask], speed: float, addresses: dict[str, str], folder: Path
) -> dict[str, list[dict[str, Any]]]:
    """Every way through the same day; speeds that were measured on one are known on the next."""
    found = {}
    for way, said in WAYS.items():
        say(f"{way} ...")
        path = folder / "hybrid.yaml"
        path.write_text(configuration(addresses, str(said.get("preference", "quality"))))
        escalation = [] if "preference" in said else ["routing.escalation.enabled=false"]
        client = HybridClient.from_config(
            path, settings=escalation, predictor=folder, state=folder / "state", live=False
        )
        async with client:
            found[way] = await play(client, asks, said, speed)
    return found


def measure(options: Any, folder: Path) -> dict[str, Any]:
    """The figures of each way."""
    say("fitting on the training prompts ...")
    fit_pair(folder)
    told = folder / "options.json"
    asks = day(options.requests)
    told.write_text(json.dumps(emulator_options(options.speed, asks)))
    command = [sys.executable, str(Path(__file__).with_name("day_server.py")), str(told)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        try:
            played = asyncio.run(run(asks, options.speed, json.loads(server.stdout.readline()), folder))
        finally:
            server.communicate()
    strong = np.array([row["right"] for row in played["strong alone"]], float)
    fast = np.array([row["right"] for row in played["fast alone"]], float)
    return {way: _figures(rows, fast, strong) for way, rows in played.items()}


def _figures(rows: list[dict[str, Any]], fast: Any, strong: Any) -> dict[str, Any]:
    right = np.array([row["right"] for row in rows], float)
    first_fast = np.array([row["first"] == FAST for row in rows])
    wanted = np.array([row["tier"] == "fast" for row in rows])
    best = np.where(fast >= strong, True, False)  # the fast one is right, or neither is
    escalated = np.array([row["escalated"] for row in rows])
    difference = right - strong
    half = 1.96 * float(difference.std(ddof=1)) / len(difference) ** 0.5
    return {
        "requests": len(rows),
        "mean_s": round(float(np.mean([row["seconds"] for row in rows])), 2),
        "quality": round(float(right.mean()), 4),
        "quality_against_strong": [round(float(difference.mean() + side * half), 4) for side in (0, -1, 1)],
        "share_on_fast": round(float(np.mean([row["fast"] for row in rows])), 4),
        "agrees_with_label": round(float((first_fast == wanted).mean()), 4),
        "agrees_with_hindsight": round(float((first_fast == best).mean()), 4),
        "escalated": round(float(escalated.mean()), 4),
        "helped": round(float(np.mean([row["helped"] for row in rows])), 4),
        "classes": {
            kind: {
                "n": len(some),
                "mean_s": round(float(np.mean([row["seconds"] for row in some])), 2),
                "quality": round(float(np.mean([row["right"] for row in some])), 4),
            }
            for kind in CLASSES
            if (some := [row for row in rows if row["kind"] == kind])
        },
    }


def tables(figures: dict[str, Any]) -> list[Table]:
    """What is printed."""
    whole = [
        [
            way,
            entry["mean_s"],
            entry["quality"],
            entry["quality_against_strong"][0],
            entry["share_on_fast"],
            entry["agrees_with_label"],
            entry["agrees_with_hindsight"],
            entry["escalated"],
            entry["helped"],
        ]
        for way, entry in figures.items()
    ]
    whole.append(["older system's claim", "", "", "", "", CLAIMED_ACCURACY, "", CLAIMED_ESCALATIONS, ""])
    ways = list(figures)
    classes = [
        [kind, figures[ways[0]]["classes"][kind]["n"]]
        + [figures[way]["classes"][kind]["mean_s"] for way in ways]
        + [f"{CLASSES[kind]} -> {CLAIMED[kind]}"]
        for kind in CLASSES
        if kind in figures[ways[0]]["classes"]
    ]
    columns = [
        "way",
        "mean s",
        "quality",
        "against strong",
        "on fast",
        "as labelled",
        "as hindsight",
        "escalated",
        "helped",
    ]
    return [
        Table("an emulated day of developer tasks", columns, whole),
        Table("mean seconds by class", ["class", "n", *ways, "older claim"], classes),
    ]


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--requests", type=int, default=200, help="prompts of the day, 600 at most")
    options.add_argument("--speed", type=float, default=25.0, help="how much faster time runs at the providers")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(chosen, Path(folder))
    report("hybrid", chosen, tables(figures), figures, whole=chosen.requests >= 200)


if __name__ == "__main__":
    main()
