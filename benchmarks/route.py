"""What a decision costs: `Router.route()` for five candidates, one thread, and starting from nothing.

    python benchmarks/route.py --shared ../shared

The predictor is fitted on the bundled history; the prompts are 400 of each shared table, none of which it has seen.
Each measurement runs in a process of its own. Yardsticks: the same by scikit-learn's predictors; importing libraries.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
from common import PROMPTS, ROOT, Table, parser, report, say

from turnout.learning.dataset import extract_all, training_data
from turnout.learning.outcomes import read_outcomes
from turnout.learning.simulation import read_prompts
from turnout.predictor import Predictor, save
from turnout.predictor.fit import fit

HISTORY = ROOT / "data" / "history.parquet"
PROMPTS_A_TABLE = 400
PROMPTS_SKLEARN = 300
STARTS = 15
P50_TARGET_US, P99_TARGET_US, START_TARGET_S = 250, 2000, 0.5
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
START = """
import json, resource, sys, time
begin = time.perf_counter()
import turnout
imported = time.perf_counter()
turnout.Router.load(sys.argv[1])
loaded = time.perf_counter()
heavy = [name for name in ("pandas", "mlflow", "sklearn", "scipy") if name in sys.modules]
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"import_s": imported - begin, "load_s": loaded - imported, "heavy": heavy, "peak_mib": memory}))
"""
OTHER_STARTS = {
    "an empty Python": "",
    "import numpy": "import numpy",
    "import sklearn.ensemble, pandas": "import sklearn.ensemble, pandas",
}

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
    times = {key: np.array(values) for key, values in run("route_timing.py", folder, asked).items()}
    names = np.array(tables)
    say("its steps ...")
    steps = pd.DataFrame(run("route_timing.py", folder, asked, "--steps")["first"])
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


def measure_starts(folder: Path) -> Figures:
    """Medians over fresh processes, byte code in place: seconds inside, seconds of the whole process."""
    say("starting from nothing ...")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    results: Figures = {}
    for name, code in {"Turnout": START, **OTHER_STARTS}.items():
        command = [sys.executable, "-c", code, str(folder)]
        wall, inside = [], []
        for attempt in range(STARTS + 1):  # the first one only writes byte code
            begin = pd.Timestamp.now()
            done = subprocess.run(command, capture_output=True, env=environment, check=True)
            if attempt:
                wall.append((pd.Timestamp.now() - begin).total_seconds())
                inside += [json.loads(done.stdout)] if done.stdout else []
        results[name] = {"process_s": round(median(wall), 3), "slowest_process_s": round(max(wall), 3)}
        if inside:
            keys = ("import_s", "load_s", "peak_mib")
            results[name] |= {key: round(median(entry[key] for entry in inside), 3) for key in keys}
            results[name]["heavy_libraries_imported"] = inside[0]["heavy"]
    return results


def tables(figures: Figures) -> list[Table]:
    """What is printed."""
    first, again, sklearn = figures["first_sight"], figures["second_sight"], figures["sklearn"]
    rows = [
        [name, part["median_words"], *(part["first"][key] for key in ("p50", "p99", "max")), part["again"]["p50"]]
        for name, part in figures["tables"].items()
    ]
    rows.append(["all", None, first["p50"], first["p99"], first["max"], again["p50"]])
    rows.append(["target", None, P50_TARGET_US, P99_TARGET_US, None, None])
    rows.append(
        ["scikit-learn: the trees alone", None, *(sklearn["trees"][key] for key in ("p50", "p99", "max")), None]
    )
    rows.append(
        ["scikit-learn: n-grams and trees", None, *(sklearn["whole"][key] for key in ("p50", "p99", "max")), None]
    )
    steps = [[name, step["p50"], step["p99"], f"{step['share']:.1%}"] for name, step in figures["steps"].items()]
    starts = [
        [
            name,
            start.get("import_s"),
            start.get("load_s"),
            start["process_s"],
            start["slowest_process_s"],
            start.get("peak_mib"),
            ", ".join(start["heavy_libraries_imported"]) or "none" if "heavy_libraries_imported" in start else None,
        ]
        for name, start in figures["starts"].items()
    ]
    starts.append(["target (import and load)", START_TARGET_S, None, None, None, None, "none"])
    return [
        Table(
            f"route() for {figures['candidates']} candidates, {figures['trees']:,} trees, one thread: µs",
            ["prompts of", "median words", "p50", "p99", "max", "p50 at second sight"],
            [[f"{value:.0f}" if isinstance(value, float) else value for value in row] for row in rows],
            "Each prompt at first sight, after 600 others. scikit-learn: as many trees of the same depth.",
        ),
        Table("Its steps: µs", ["step", "p50", "p99", "share of the time"], steps),
        Table(
            f"Starting from nothing: seconds, median of {STARTS} fresh processes",
            ["what", "import turnout", "Router.load", "whole process", "slowest", "peak MiB", "heavy libraries"],
            starts,
        ),
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
