"""What a decision costs: `Router.route()` for five candidates, one thread, and starting from nothing.

    python benchmarks/route.py --shared ../shared

The predictor is fitted on the bundled history; the prompts are 400 of each shared table, none of which it has seen.
Each measurement runs in three processes of its own, of which the least disturbed one counts: other work on a shared
core can double every figure. Yardsticks: the same by scikit-learn's predictors; importing libraries.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import PROMPTS, ROOT, Table, parser, report, say
from route_starts import measure_starts, starts_table

from turnout.learning.dataset import extract_all, training_data
from turnout.learning.outcomes import read_outcomes
from turnout.learning.simulation import read_prompts
from turnout.predictor import Predictor, save
from turnout.predictor.fit import fit

HISTORY = ROOT / "data" / "history.parquet"
PROMPTS_A_TABLE = 400
PROMPTS_SKLEARN = 300
REPEATS = 3
P50_TARGET_US, P99_TARGET_US = 250, 2000
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

Figures = dict[str, Any]


def fit_on_history(folder: Path) -> Predictor:
    """A predictor for the five candidates of the bundled history, saved into the folder."""
    say("fitting on the bundled history ...")
    table = read_outcomes([HISTORY])
    chosen = table.cheapest_first()
    features = extract_all(table.prompts["prompt"].tolist())
    predictor = fit(training_data(table, chosen, features)).predictor
    save(predictor, folder)
    return predictor


def sample_prompts(shared: Path) -> tuple[list[str], list[str]]:
    """Prompts of every shared table in one shuffled order, and the table each is from."""
    pairs = []
    for path in sorted((shared / "outcomes").glob("*.parquet")):
        prompts = pd.read_parquet(path, columns=["prompt"])["prompt"].drop_duplicates()
        pairs += [(path.stem, prompt) for prompt in prompts.sample(PROMPTS_A_TABLE, random_state=0)]
    random.Random(0).shuffle(pairs)
    return [prompt for _, prompt in pairs], [table for table, _ in pairs]


def run(script: str, *arguments: object) -> Any:
    """What a script beside this one prints as JSON, run with one thread."""
    command = [sys.executable, str(Path(__file__).with_name(script)), *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, env=os.environ | ONE_THREAD, check=True)
    return json.loads(done.stdout)


def microseconds(nanoseconds: Any) -> Figures:
    """p50, p99 and the worst."""
    values = np.asarray(nanoseconds) / 1000
    p50, p99 = np.percentile(values, (50, 99))
    return {"n": len(values), "p50": round(float(p50), 1), "p99": round(float(p99), 1), "max": round(values.max(), 1)}


def measure_routing(predictor: Predictor, folder: Path, prompts: list[str], tables: list[str]) -> Figures:
    """Whole calls by table, the steps, and the yardsticks, in microseconds."""
    warm_up = [row.prompt for row in read_prompts(PROMPTS) if row.part == "heldout"]
    asked = folder / "prompts.json"
    asked.write_text(json.dumps({"warm_up": warm_up, "prompts": prompts}))
    say("route() ...")
    runs = [
        {key: np.array(values) for key, values in run("route_timing.py", folder, asked).items()} for _ in range(REPEATS)
    ]
    times = min(runs, key=lambda one: np.median(one["first"]))
    names = np.array(tables)
    say("its steps ...")
    taken_apart = [pd.DataFrame(run("route_timing.py", folder, asked, "--steps")) for _ in range(REPEATS)]
    steps = min(taken_apart, key=lambda one: one.sum(axis=1).median())
    say("scikit-learn ...")
    asked.write_text(json.dumps({"warm_up": warm_up, "prompts": prompts[:PROMPTS_SKLEARN]}))
    n_outputs = len(predictor.forest.baseline)
    n_trees = len(predictor.forest.feature)
    yardstick = run("route_sklearn.py", HISTORY, asked, "--outputs", n_outputs, "--trees", n_trees // n_outputs)
    words = np.array([len(prompt.split()) for prompt in prompts])
    return {
        "candidates": len(predictor.candidates),
        "trees": n_trees,
        "first_sight": microseconds(times["first"]),
        "first_sight_p50_of_each_run": [microseconds(one["first"])["p50"] for one in runs],
        "first_sight_cpu": microseconds(times["first_cpu"]),
        "second_sight": microseconds(times["again"]),
        "tables": {
            name: {
                "median_words": int(np.median(words[names == name])),
                **{key: microseconds(values[names == name]) for key, values in times.items()},
            }
            for name in sorted(set(tables))
        },
        "steps": {
            step: {**microseconds(steps[step]), "share": float(steps[step].sum() / steps.to_numpy().sum())}
            for step in steps
        },
        "sklearn": {name: microseconds(values) for name, values in yardstick.items()},
    }


def tables(figures: Figures) -> list[Table]:
    """What is printed."""
    first, again, sklearn = figures["first_sight"], figures["second_sight"], figures["sklearn"]
    keys, p50s = ("p50", "p99", "max"), figures["first_sight_p50_of_each_run"]
    rows = [
        [
            name,
            part["median_words"],
            *(part["first"][key] for key in keys),
            part["first_cpu"]["p99"],
            part["again"]["p50"],
        ]
        for name, part in figures["tables"].items()
    ]
    rows += [
        ["all", None, *(first[key] for key in keys), figures["first_sight_cpu"]["p99"], again["p50"]],
        ["target", None, P50_TARGET_US, P99_TARGET_US, None, None, None],
        ["scikit-learn: the trees alone", None, *(sklearn["trees"][key] for key in keys), None, None],
        ["scikit-learn: n-grams and trees", None, *(sklearn["whole"][key] for key in keys), None, None],
    ]
    steps = [
        [name, f"{step['p50']:.0f}", f"{step['p99']:.0f}", f"{step['share']:.1%}"]
        for name, step in figures["steps"].items()
    ]
    return [
        Table(
            f"route() for {figures['candidates']} candidates, {figures['trees']:,} trees, one thread: µs",
            ["prompts of", "median words", "p50", "p99", "max", "p99 of the processor", "p50 at second sight"],
            [[f"{value:.0f}" if isinstance(value, float) else value for value in row] for row in rows],
            f"Each prompt at first sight, after 600 others; the least disturbed of {REPEATS} runs (p50 "
            f"{', '.join(f'{p50:.0f}' for p50 in p50s)}). The processor's time leaves out waiting for it. "
            "scikit-learn: as many trees of the same depth.",
        ),
        Table("Its steps: µs", ["step", "p50", "p99", "share of the time"], steps),
        starts_table(figures["starts"]),
    ]


def main() -> None:
    options = parser(__doc__ or "").parse_args()
    prompts, names = sample_prompts(options.shared)
    with tempfile.TemporaryDirectory() as folder:
        predictor = fit_on_history(Path(folder))
        figures = measure_routing(predictor, Path(folder), prompts, names)
        figures["starts"] = measure_starts(Path(folder))
    report("route", options, tables(figures), figures, whole=True)


if __name__ == "__main__":
    main()
