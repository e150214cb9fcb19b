"""One size of `scale.py` in a process of its own: from a table on disk to a fitted predictor, timed step by step.

    python benchmarks/scale_fit.py TABLE.parquet

Prints seconds by step, in order, and the most memory this process itself held.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from turnout.learning.dataset import extract_all, training_data
from turnout.learning.outcomes import read_outcomes
from turnout.predictor.fit import fit


class Steps:
    """Seconds from each call to the next."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._name, self._started = "", time.perf_counter()

    def begin(self, name: str) -> None:
        """The step before ends, this one begins."""
        now = time.perf_counter()
        if self._name:
            self.seconds[self._name] = round(now - self._started, 3)
        self._name, self._started = name, now


def main() -> None:
    steps = Steps()
    steps.begin("read")
    table = read_outcomes([Path(sys.argv[1])])
    chosen = table.cheapest_first()
    steps.begin("features")
    features = extract_all(table.prompts["prompt"].tolist())
    steps.begin("targets")
    data = training_data(table, chosen, features)
    fit(data, progress=lambda name: steps.begin(f"fit: {name}"))
    steps.begin("")
    status = Path("/proc/self/status").read_text()
    peak_mib = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    print(json.dumps({"steps": steps.seconds, "own_peak_mib": round(peak_mib)}))


if __name__ == "__main__":
    main()
