"""What starting from nothing costs: fresh processes that import Turnout and load a predictor, beside other imports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from common import Table, say

STARTS = 15
TARGET_S = 0.5
START = """
import json, sys, time
begin = time.perf_counter()
import turnout
imported = time.perf_counter()
turnout.Router.load(sys.argv[1])
loaded = time.perf_counter()
heavy = [name for name in ("pandas", "mlflow", "sklearn", "scipy") if name in sys.modules]
memory = None
if sys.platform == "linux":
    with open("/proc/self/status") as status:
        memory = next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))
print(json.dumps({"import_s": imported - begin, "load_s": loaded - imported, "heavy": heavy, "peak_mib": memory}))
"""
OTHERS = {
    "an empty Python": "",
    "import numpy": "import numpy",
    "import sklearn.ensemble, pandas": "import sklearn.ensemble, pandas",
}

Figures = dict[str, Any]


def measure_starts(predictor: Path) -> Figures:
    """Medians over fresh processes, byte code in place: seconds inside, seconds of the whole process."""
    say("starting from nothing ...")
    return {"Turnout": _fresh(START, predictor), **{name: _fresh(code, predictor) for name, code in OTHERS.items()}}


def _fresh(code: str, predictor: Path) -> Figures:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    whole, inside = [], []
    for attempt in range(STARTS + 1):
        begin = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", code, str(predictor)], stdout=subprocess.PIPE, env=environment, check=True
        )
        if attempt:  # the first one only writes byte code
            whole.append(time.perf_counter() - begin)
            inside += [json.loads(done.stdout)] if done.stdout else []
    figures: Figures = {"process_s": round(median(whole), 3), "slowest_process_s": round(max(whole), 3)}
    if inside:
        figures |= {key: round(median(entry[key] for entry in inside), 3) for key in ("import_s", "load_s")}
        figures["peak_mib"] = inside[-1]["peak_mib"]
        figures["heavy_libraries"] = inside[-1]["heavy"]
    return figures


def starts_table(figures: Figures) -> Table:
    """One row for each kind of start."""
    rows: list[list[object]] = [
        [
            name,
            start.get("import_s"),
            start.get("load_s"),
            start["process_s"],
            start["slowest_process_s"],
            start.get("peak_mib"),
            ", ".join(start["heavy_libraries"]) or "none" if "heavy_libraries" in start else None,
        ]
        for name, start in figures.items()
    ]
    rows.append(["target", None, None, TARGET_S, None, None, "none"])
    columns = ["what", "import turnout", "Router.load", "whole process", "slowest", "peak MiB", "heavy libraries"]
    return Table(f"Starting from nothing: seconds, median of {STARTS} fresh processes", columns, rows)
