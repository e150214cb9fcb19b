"""The laboratory's first history as a log: of each prompt only the answer of the candidate that was chosen.

    python -m turnout_pipelines.lab.log                                               # writes data/lab/log.parquet
    python -m turnout_pipelines.lab.log --history sqlite:///state/lab/history.db      # and brings it into a history

Who chooses knows the length of a prompt and nothing else: long ones go to stronger candidates. One decision in five goes
to any candidate, and every row has the probability with which its candidate was chosen, so that what a policy would
have been worth can be told from the log and checked against `outcomes.parquet`, where everybody's score is known.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from turnout.errors import DataError, TurnoutError
from turnout.features import extract, schema_hash
from turnout.files import write_aside
from turnout.history import DecisionRecord, History, OutcomeRecord, Record
from turnout.types import Ranked

EXPLORATION: Final = 0.2
BEGINNING, APART_S = 1_760_000_000.0, 20.0
"""Unix seconds of the first decision, and from each to the next."""

_FLUSH_S: Final = 300.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; returns the exit status, 1 if the outcomes cannot be read or the history does not take them."""
    parser = argparse.ArgumentParser(prog="lab.log", description="Make a log out of the laboratory's outcomes.")
    parser.add_argument("--outcomes", type=Path, default=Path("data/lab/outcomes.parquet"))
    parser.add_argument("--output", type=Path, default=Path("data/lab/log.parquet"))
    parser.add_argument("--history", default="", metavar="URL", help="bring it into this history, too")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    try:
        log = logged(_read(options.outcomes), options.seed)
        parquet = io.BytesIO()
        log.to_parquet(parquet, index=False, compression="zstd", compression_level=19)
        write_aside(options.output, parquet.getvalue())
        print(f"{options.output}: {len(log):,} decisions, {log['score'].mean():.1%} right")
        if options.history:
            bring_in(log, options.history)
            print(f"{options.history}: {len(log):,} decisions more")
    except TurnoutError as error:
        print(f"lab.log: {error}", file=sys.stderr)
        return 1
    return 0


def logged(outcomes: pd.DataFrame, seed: int) -> pd.DataFrame:
    """One row for each prompt: its chosen candidate's, with `propensity`, `created_at` and all `candidates`, weakest first."""
    rng = np.random.default_rng(seed)
    candidates = list(outcomes.groupby("model")["latency_s"].mean().sort_values().index)
    prompts = outcomes.drop_duplicates("prompt_id")
    place = prompts["prompt"].str.len().rank(method="first").to_numpy() - 1
    usual = (place * len(candidates) // len(prompts)).astype(int)
    explored = rng.random(len(prompts)) < EXPLORATION
    chosen = np.where(explored, rng.integers(0, len(candidates), len(prompts)), usual)
    picked = pd.DataFrame(
        {
            "prompt_id": prompts["prompt_id"].to_numpy(),
            "model": [candidates[at] for at in chosen],
            "propensity": EXPLORATION / len(candidates) + (1 - EXPLORATION) * (chosen == usual),
            "created_at": BEGINNING + APART_S * np.arange(len(prompts)),
        }
    )
    log = picked.merge(outcomes, on=["prompt_id", "model"], validate="one_to_one")
    log["candidates"] = "|".join(candidates)
    return log


def bring_in(log: pd.DataFrame, url: str) -> None:
    """Record every row as a decision with its outcome.

    Raises:
        HistoryError: the history cannot be opened.
        DataError: it did not take everything in time.
    """
    folder = Path(url.removeprefix("sqlite:///")).absolute().parent if url.startswith("sqlite:///") else Path.cwd()
    folder.mkdir(parents=True, exist_ok=True)
    with History(url, folder=folder) as history:
        if not history.record_all(records(log)) or not history.flush(_FLUSH_S):
            raise DataError(f"{url} did not take every decision")


def records(log: pd.DataFrame) -> Iterator[Record]:
    """What a router would have written down."""
    seconds = log.groupby("model")["latency_s"].mean()
    schema = schema_hash()
    for row in log.to_dict("records"):
        others = [name for name in str(row["candidates"]).split("|") if name != row["model"]]
        decision = DecisionRecord(
            created_at=row["created_at"],
            candidate=row["model"],
            confidence=0.5,
            propensity=row["propensity"],
            preference="balanced",
            ranking=tuple(
                Ranked(name, 0.5, float(seconds.get(name, seconds.max())), None, 0.5)
                for name in [row["model"], *others]
            ),
            prompt=row["prompt"],
            features=extract(row["prompt"]),
            features_schema=schema,
        )
        yield decision
        yield OutcomeRecord(
            decision_id=decision.id,
            candidate=row["model"],
            source="verifier",
            score=row["score"],
            created_at=row["created_at"] + row["latency_s"],
        )


def _read(path: Path) -> pd.DataFrame:
    try:
        outcomes = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    if missing := {"prompt_id", "prompt", "model", "score", "latency_s"} - set(outcomes.columns):
        raise DataError(f"{path} has no column {', '.join(sorted(missing))}")
    return outcomes


if __name__ == "__main__":
    raise SystemExit(main())
