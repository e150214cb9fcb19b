"""SIGKILL at random moments of logging and of promoting: is anything lost, broken, or in the way afterwards?

    python benchmarks/kills.py [--kills 200]

Logging: a process records and tells what was acknowledged; after each kill the history is opened again, everything that
was acknowledged has to be in the database once, and the database sound. Promoting: a process makes two versions the
champion in turn; after each kill the champion has to load and to be one of them, byte for byte, and the next process has
to finish a promotion before it may be killed.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from common import Table, parser, report, say
from kills_trials import kill_logging, kill_promoting
from small_champion import fit_small

from turnout.predictor import load

KILLS = 200
NAMES = {"lmstudio/qwen2.5-coder-1.5b": "local/small", "ollama/llama-3.3-70b": "local/large"}


def play(folder: Path, kills: int) -> dict[str, Any]:
    """All kills of both kinds."""
    say("fitting two versions ...")
    made = folder / "made"
    made.mkdir()
    fit_small(made, NAMES, prompts=200)
    one = replace(load(made), info={"created": "one"})
    two = replace(one, calibration=None, info={"created": "two"})
    figures: dict[str, Any] = {}
    for name, kill in (
        ("logging", lambda: kill_logging(folder / "logging", kills)),
        ("promoting", lambda: kill_promoting(folder / "promoting", (one, two), kills)),
    ):
        say(f"{kills} kills of {name} ...")
        started_s = time.perf_counter()
        figures[name] = asdict(kill()) | {"seconds": round(time.perf_counter() - started_s, 1)}  # type: ignore[call-overload]
    return figures


def table(figures: dict[str, Any]) -> Table:
    """Both kinds of kills, what each put at stake and what was lost."""
    logging, promoting = figures["logging"], figures["promoting"]
    stages = ", ".join(f"{stage} {count:,}" for stage, count in sorted(promoting["stages"].items()))
    problems = [*logging["problems"], *promoting["problems"]]
    rows = [
        ["logging: acknowledged records that are lost", logging["kills"], logging["acknowledged"], logging["lost"]],
        ["logging: records that are there twice", logging["kills"], logging["acknowledged"], logging["twice"]],
        ["logging: databases that are not sound", logging["kills"], logging["kills"], logging["broken_databases"]],
        [
            "promoting: champions that are no version, byte for byte",
            promoting["kills"],
            promoting["kills"],
            promoting["kills"] - promoting["served"],
        ],
        [
            "promoting: next promotions that failed",
            promoting["kills"],
            promoting["promotions"],
            len(promoting["problems"]),
        ],
    ]
    note = (
        f"Kills of promoting fell into: {stages}. After {promoting['changed']:,} of them the other version served. "
        f"{promoting['leftovers']:,} unfinished files were left beside the champion. {logging['seconds']:.0f} s and "
        f"{promoting['seconds']:.0f} s." + "".join(f"\n{problem}" for problem in problems[:10])
    )
    return Table("SIGKILL at random moments", ["what", "kills", "of", "bad"], rows, note)


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--kills", type=int, default=KILLS, help=f"of each kind (default: {KILLS})")
    options = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        figures = play(Path(name), options.kills)
    report("kills", options, [table(figures)], figures, whole=options.kills >= KILLS)


if __name__ == "__main__":
    main()
