"""A whole life on the laboratory's language models: from no history to a champion, through a swap, and back.

    python benchmarks/lab_story.py [--folder models/lab-story] [--preference balanced]

Runs the job of `make lab-story` and writes its figures, phase by phase, each beside always fast, always strong, random
and oracle on the same requests. Seconds are of this computer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from common import ROOT, Table, interval, parser, report
from turnout_pipelines.lab.story import run

WAYS = ("Turnout", "always fast", "always strong", "random", "oracle", "same share")


def tables(story: dict[str, Any]) -> list[Table]:
    """What is printed."""
    rows = [
        [
            phase["name"],
            phase["requests"],
            *(phase["ways"][way]["quality"] for way in WAYS),
            interval(phase["gain"]),
            *(1000 * phase["ways"][way]["mean_s"] for way in ("Turnout", "always strong")),
            phase["ways"]["Turnout"]["share_on_fast"],
        ]
        for phase in story["phases"]
    ]
    columns = ["phase", "requests", *WAYS, "against strong", "ms", "ms strong", "on fast"]
    happened = [[event["kind"], event["at"], event["took_s"]] for event in story["events"] if event["kind"] != "phase"]
    return [
        Table("right answers by phase", columns, rows),
        Table("what happened", ["what", "after requests", "seconds"], happened),
    ]


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--folder", type=Path, default=ROOT / "models" / "lab-story", help="is written anew")
    options.add_argument("--preference", default="balanced", help="fast, balanced, quality, or a number")
    options.add_argument("--seed", type=int, default=0)
    chosen = options.parse_args()
    story = run(chosen.folder, preference=chosen.preference, seed=chosen.seed)
    figures = {
        name: value for name, value in story.items() if name not in ("folder", "tracking_uri", "date", "versions")
    }
    report("lab_story", chosen, tables(story), figures, whole=True)


if __name__ == "__main__":
    main()
