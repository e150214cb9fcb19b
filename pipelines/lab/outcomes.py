"""The first real history: the laboratory's language models answer the same held-out prompts on the real engine.

    python -m turnout_pipelines.lab.outcomes --tasks 4000 --seed 0

Writes data/lab/outcomes.parquet, an outcome table: one row for each prompt and model with its measured score, seconds
(from sending the question to the whole answer, one at a time, one thread), tokens and mean log-probability. Every
prompt is asked of all models in turn before the next, so that what else the computer does falls on all alike.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import pandas as pd

from turnout.config.paths import models_folder
from turnout.errors import TurnoutError
from turnout.files import write_aside
from turnout.lab import Task, judge
from turnout.lab.engine import serve
from turnout.lab.laboratory import candidate_of
from turnout.lab.running import lab_files
from turnout.lab.world import stream

_WARM_UP: Final = 5
"""Questions to each engine that are not counted."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; returns the exit status, 1 if an engine fails."""
    parser = argparse.ArgumentParser(prog="lab.outcomes", description="Let the laboratory's models answer.")
    parser.add_argument("--tasks", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("data/lab/outcomes.parquet"))
    options = parser.parse_args(arguments)
    try:
        files = {candidate_of(size): file for size, file in lab_files(models_folder() / "lab").items()}
        table = pd.DataFrame(answers(files, distinct(options.tasks, options.seed)))
    except TurnoutError as error:
        print(f"lab.outcomes: {error}", file=sys.stderr)
        return 1
    parquet = io.BytesIO()
    table.to_parquet(parquet, index=False, compression="zstd", compression_level=19)
    write_aside(options.output, parquet.getvalue())
    print(f"{options.output}: {len(table):,} rows, {table['prompt_id'].nunique():,} prompts")
    print(table.groupby("model", sort=False)[["score", "latency_s", "completion_tokens"]].mean().round(4).to_string())
    return 0


def distinct(count: int, seed: int) -> list[Task]:
    """Held-out tasks, no two with the same prompt."""
    found: dict[str, Task] = {}
    for task in stream(seed):
        if len(found) >= count:
            break
        found.setdefault(task.prompt, task)
    return list(found.values())


def answers(files: dict[str, Path], tasks: Sequence[Task]) -> Iterator[dict[str, Any]]:
    """Rows of the outcome table, prompt by prompt, with the answer, the difficulty and the log-probability besides."""
    with ExitStack() as stack:
        engines = {name: stack.enter_context(serve(path)) for name, path in files.items()}
        for engine in engines.values():
            for task in tasks[:_WARM_UP]:
                engine.ask(task.prompt)
        for task in tasks:
            for name, engine in engines.items():
                said = engine.ask(task.prompt)
                yield {
                    "prompt_id": blake2b(task.prompt.encode(), digest_size=8).hexdigest(),
                    "prompt": task.prompt,
                    "dataset": task.family,
                    "group": task.group,
                    "model": name,
                    "score": judge(task, said.text),
                    "latency_s": round(said.seconds, 6),
                    "prompt_tokens": said.prompt_tokens,
                    "completion_tokens": said.completion_tokens,
                    "mean_logprob": round(sum(said.logprobs) / max(1, len(said.logprobs)), 6),
                    "min_logprob": round(min(said.logprobs, default=0.0), 6),
                    "difficulty": task.difficulty,
                    "answer": said.text,
                }


if __name__ == "__main__":
    raise SystemExit(main())
