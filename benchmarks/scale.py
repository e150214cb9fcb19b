"""What training costs as the table grows, up to a million rows; Linux only, for the memory figures.

    python benchmarks/scale.py [--largest ROWS]

A row is one (prompt, candidate), with two candidates. The prompts are put together from pieces of the developer
prompts, each with a word of its own. Each size is trained in a process of its own, whose memory is sampled together
with that of its workers; pages that they share count more than once.
"""

from __future__ import annotations

import json
import math
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import PROMPTS, Table, parser, report, say

from turnout.learning.simulation import DeveloperPrompt, read_prompts

SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000)
MEDIAN_WORDS = 50
LENGTH_SPREAD = 0.8
CHANGED_SHARE = 0.05
"""Share of words exchanged for one of another prompt."""

CANDIDATES = ("small", "large")
DIFFICULTY_AT_HALF = {"small": 4.0, "large": 8.0}
MEMORY_LIMIT_GIB = 8
SLOPE_LIMIT = 1
_SAMPLE_EVERY_S = 0.1

Figures = dict[str, Any]


def synthesise(rows: list[DeveloperPrompt], n: int, seed: int = 0) -> pd.DataFrame:
    """An outcome table of n distinct prompts with two candidates each; scores fall with the pieces' complexity."""
    rng = random.Random(seed)
    pieces = [(re.findall(r"\s*\S+", row.prompt), row.complexity) for row in rows]
    every = [word for words, _ in pieces for word in words]
    columns: dict[str, list[Any]] = {name: [] for name in ("prompt_id", "prompt", "model", "score", "latency_s")}
    for number in range(n):
        size = int(min(max(rng.lognormvariate(math.log(MEDIAN_WORDS), LENGTH_SPREAD), 4), 600))
        words: list[str] = []
        complexities = []
        while len(words) < size:
            source, complexity = rng.choice(pieces)
            start = rng.randrange(len(source))
            words += source[start : start + min(rng.randint(3, 40), size - len(words))]
            complexities.append(complexity)
        words = [rng.choice(every) if rng.random() < CHANGED_SHARE else word for word in words]
        words.insert(rng.randrange(size), f" item_{number}")
        prompt, difficulty = "".join(words).strip(), sum(complexities) / len(complexities)
        for position, name in enumerate(CANDIDATES):
            chance = 1 / (1 + math.exp(difficulty - DIFFICULTY_AT_HALF[name]))
            seconds = (0.5 + size / 100) * (1 + 4 * position) * rng.lognormvariate(0, 0.2)
            for column, value in zip(
                columns.values(), (f"p{number}", prompt, name, float(rng.random() < chance), seconds), strict=True
            ):
                column.append(value)
    return pd.DataFrame(columns)


def train(path: Path) -> Figures:
    """Train on one table in a process of its own; seconds by step and the most memory held at once."""
    worker = [sys.executable, str(Path(__file__).with_name("scale_fit.py")), str(path)]
    peak = 0
    with subprocess.Popen(worker, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            peak = max(peak, resident_bytes(process.pid))
            time.sleep(_SAMPLE_EVERY_S)
        output = process.stdout.read() if process.stdout else ""
    if process.returncode:
        raise SystemExit(f"training on {path.name} failed with exit code {process.returncode}")
    result: Figures = json.loads(output)
    peak_mib = max(peak / 2**20, result["own_peak_mib"])
    return {
        **result,
        "seconds": round(sum(result["steps"].values()), 2),
        "peak_gib": round(peak_mib / 1024, 2),
        "own_peak_gib": round(result["own_peak_mib"] / 1024, 2),
    }


def resident_bytes(process: int) -> int:
    """Memory resident in a process and in all that it started."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
        below = [
            int(child)
            for task in Path(f"/proc/{process}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except OSError:  # it has just ended
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(map(resident_bytes, below))


def slope(sizes: list[Figures]) -> float | None:
    """How seconds grow with rows on logarithmic scales: 1 is in proportion."""
    if len(sizes) < 2:
        return None
    logs = np.log([[size["rows"], size["seconds"]] for size in sizes])
    return round(float(np.polyfit(logs[:, 0], logs[:, 1], 1)[0]), 3)


def table(figures: Figures) -> Table:
    """One row for each size."""
    sizes = figures["sizes"]
    steps = list(sizes[0]["steps"])
    rows = [
        [
            f"{size['rows']:,}",
            *(f"{size['steps'][step]:.1f}" for step in steps),
            f"{size['seconds']:.1f}",
            f"{1000 * size['seconds'] / size['rows']:.3f}",
            slope(sizes[max(0, at - 1) : at + 1]),
            f"{size['peak_gib']:.2f}",
            f"{size['own_peak_gib']:.2f}",
        ]
        for at, size in enumerate(sizes)
    ]
    blanks = [None] * len(steps)
    rows.append(
        ["all sizes", *blanks, None, None, figures["slope"], f"{max(size['peak_gib'] for size in sizes)}", None]
    )
    rows.append(["limit", *blanks, None, None, f"{SLOPE_LIMIT}", f"{MEMORY_LIMIT_GIB}", None])
    columns = ["rows", *steps, "seconds", "s per 1,000", "slope from the last", "peak GiB", "without workers"]
    note = "Slope: of log seconds over log rows; in proportion is 1. Rows: (prompt, candidate), two candidates."
    return Table("Training cost: seconds by step, and memory", columns, rows, note)


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--largest", type=int, default=SIZES[-1], metavar="ROWS", help="leave out larger sizes")
    options = options.parse_args()
    sizes = [size for size in SIZES if size <= options.largest]
    if not sizes:
        raise SystemExit(f"the smallest size is {SIZES[0]:,} rows")
    prompts = read_prompts(PROMPTS)
    results = []
    with tempfile.TemporaryDirectory() as folder:
        say("making prompts ...")
        whole = synthesise(prompts, sizes[-1] // len(CANDIDATES))
        words = whole["prompt"][:: len(CANDIDATES)].str.split().str.len().median()
        for rows in sizes:
            path = Path(folder) / f"{rows}.parquet"
            whole[:rows].to_parquet(path, index=False)
            results.append({"rows": rows, **train(path)})
            path.unlink()
            say(f"{rows:,} rows: {results[-1]['seconds']:.0f} s, {results[-1]['peak_gib']} GiB")
    figures = {"median_words": int(words), "sizes": results, "slope": slope(results)}
    figures["limits"] = {"peak_gib": MEMORY_LIMIT_GIB, "slope": SLOPE_LIMIT}
    report("scale", options, [table(figures)], figures, whole=len(sizes) == len(SIZES))


if __name__ == "__main__":
    main()
