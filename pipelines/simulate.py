"""Make the bundled routing history: the training prompts, answered on paper by the simulated candidates.

    python -m turnout_pipelines.simulate --prompts data/prompts.jsonl --output data/history.parquet --seed 0

Held-out prompts stay out of the history. The table appears whole or not at all.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from turnout.errors import DataError
from turnout.files import write_aside
from turnout.learning.simulation import DeveloperPrompt, read_prompts, simulate_history
from turnout.types import TIERS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; returns the exit status, 1 if the prompts are unusable."""
    parser = argparse.ArgumentParser(prog="simulate", description="Simulate the bundled routing history.")
    parser.add_argument("--prompts", type=Path, required=True, help="labelled prompts, JSON lines")
    parser.add_argument("--output", type=Path, required=True, help="the parquet file to write")
    parser.add_argument("--seed", type=int, default=0, help="not negative; the same seed gives the same table")
    options = parser.parse_args(arguments)
    if options.seed < 0:
        parser.error("--seed must not be negative")
    try:
        prompts = [prompt for prompt in read_prompts(options.prompts) if prompt.part == "train"]
        if not prompts:
            raise DataError(f"{options.prompts}: no prompt is of the part 'train'")
    except DataError as error:
        print(f"simulate: {error}", file=sys.stderr)
        return 1
    history = simulate_history(prompts, seed=options.seed)
    parquet = io.BytesIO()
    history.to_parquet(parquet, index=False, compression="zstd", compression_level=19)
    write_aside(options.output, parquet.getvalue())
    print(f"{options.output}: {len(history):,} rows, {len(prompts):,} prompts, {history['model'].nunique()} candidates")
    print(summary(history, prompts).to_string(float_format="{:.3f}".format))
    return 0


def summary(history: pd.DataFrame, prompts: Sequence[DeveloperPrompt]) -> pd.DataFrame:
    """Mean score and median seconds, one row for each candidate in the order of the history, columns by tier."""
    tier = history["prompt_id"].map({prompt.id: prompt.tier for prompt in prompts}).rename("tier")
    cells = history.groupby(["model", tier]).agg(mean_score=("score", "mean"), median_s=("latency_s", "median"))
    return cells.unstack("tier").reindex(index=history["model"].unique(), columns=TIERS, level="tier")


if __name__ == "__main__":
    raise SystemExit(main())
