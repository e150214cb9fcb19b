"""Fit the task, complexity and tier weights that ship inside the package, from the developer prompts.

    python -m turnout_pipelines.tasks --prompts data/prompts.jsonl

Only prompts of the part "train" are fitted; the benchmark `make bench-tasks` reports on the held-out ones.
"""

from __future__ import annotations

import argparse
import sys
from importlib.resources import files
from pathlib import Path

from turnout.features.task import WEIGHTS_FILE
from turnout.learning.simulation import read_prompts
from turnout.learning.task_fit import fit_task_weights, save_task_weights


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="turnout_pipelines.tasks", description=__doc__)
    parser.add_argument("--prompts", type=Path, default=Path("data/prompts.jsonl"))
    parser.add_argument("--output", type=Path, default=Path(str(files("turnout.features").joinpath(WEIGHTS_FILE))))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    rows = [row for row in read_prompts(options.prompts) if row.part == "train"]
    print(f"fitting {len(rows)} prompts (a few minutes) ...", file=sys.stderr)
    save_task_weights(fit_task_weights(rows, options.seed), options.output)
    print(f"{options.output}: {options.output.stat().st_size / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
