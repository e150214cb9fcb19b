"""Routing quality of a pool: the real command line, the independent judge, and the yardsticks on the same folds."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge

from turnout.cli.main import main as turnout

Scores = NDArray[np.float64]
Guess = Callable[["Held", NDArray[np.bool_], NDArray[np.bool_]], Scores]


@dataclass(frozen=True)
class Pool:
    """Candidates, cheapest first, on the datasets of one outcome table that start with `dataset`."""

    name: str
    table: Path
    dataset: str
    candidates: tuple[str, ...]

    @property
    def names(self) -> str:
        """The candidates as the command line takes them; names may hold commas."""
        return "|".join(self.candidates)


@dataclass(frozen=True)
class Held:
    """Prompts with a score for every candidate: texts, dataset names, scores (n, n_candidates), and their folds.

    `fold` is what Turnout's predictions say, -1 where a prompt only served for training.
    """

    prompt_ids: NDArray[np.object_]
    prompts: NDArray[np.object_]
    dataset: NDArray[np.object_]
    scores: Scores
    fold: NDArray[np.int64]


def read_pools(shared: Path) -> list[Pool]:
    """The pools that the judge's folder names."""
    entries = json.loads((shared / "tools" / "pools.json").read_text())
    return [
        Pool(entry["name"], shared / "outcomes" / entry["table"], entry["dataset"], tuple(entry["candidates"]))
        for entry in entries
    ]


def read_table(pool: Pool) -> pd.DataFrame:
    """The pool's rows, of all models."""
    table = pd.read_parquet(pool.table, columns=["prompt_id", "prompt", "dataset", "model", "score"])
    return table[table["dataset"].str.startswith(pool.dataset)]


def evaluate(pool: Pool, output: Path, *extra: str) -> Path:
    """Run `turnout evaluate` on a pool; returns the file of predictions."""
    arguments = ["evaluate", "--outcomes", str(pool.table), "--candidates", pool.names, "--predictions", str(output)]
    arguments += ["--folds", "5", "--seed", "0", "--no-track", "--json"]
    arguments += [*(["--dataset", pool.dataset] if pool.dataset else []), *extra]
    with contextlib.redirect_stdout(io.StringIO()):
        if turnout(arguments) != 0:
            raise SystemExit(f"{pool.name}: turnout evaluate failed")
    return output


def judge(shared: Path, pool: Pool, predictions: Path, bootstrap: int) -> dict[str, Any]:
    """What the judge says: each figure as [value, low, high], or [value] without bootstrap."""
    script = shared / "tools" / "score_routing.py"
    command = [sys.executable, str(script), str(pool.table), str(predictions), "--candidates", pool.names, "--json"]
    done = subprocess.run([*command, "--bootstrap", str(bootstrap)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{pool.name}: the judge failed: {done.stderr.strip()}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def read_held(pool: Pool, predictions: Path) -> Held:
    """Complete prompts of the pool with the folds of Turnout's predictions."""
    table = read_table(pool)
    table = table[table["model"].isin(pool.candidates)]
    wide = table.pivot_table(index="prompt_id", columns="model", values="score")[list(pool.candidates)].dropna()
    texts = table.drop_duplicates("prompt_id").set_index("prompt_id").loc[wide.index]
    folds = pd.read_parquet(predictions).drop_duplicates("prompt_id").set_index("prompt_id")["fold"]
    return Held(
        wide.index.to_numpy(object),
        texts["prompt"].to_numpy(object),
        texts["dataset"].to_numpy(object),
        wide.to_numpy(float),
        folds.reindex(wide.index).fillna(-1).to_numpy(np.int64),
    )


def read_guess(pool: Pool, held: Held, predictions: Path) -> Scores:
    """Predicted probabilities (n, n_candidates) in the order of `held`, NaN where not predicted."""
    table = pd.read_parquet(predictions).pivot(index="prompt_id", columns="candidate", values="p_success")
    return table.reindex(index=held.prompt_ids, columns=list(pool.candidates)).to_numpy(float)


def tfidf_ridge(held: Held, inside: NDArray[np.bool_], outside: NDArray[np.bool_]) -> Scores:
    """The yardstick of the shared tables: TF-IDF of words and word pairs, ridge on each candidate's score."""
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), max_features=40_000, sublinear_tf=True)
    model = Ridge(alpha=3.0).fit(vectorizer.fit_transform(held.prompts[inside]), held.scores[inside])
    return model.predict(vectorizer.transform(held.prompts[outside]))


def dataset_means(held: Held, inside: NDArray[np.bool_], outside: NDArray[np.bool_]) -> Scores:
    """A lookup that knows the name of the benchmark: each candidate's mean score on the prompt's dataset."""
    means = pd.DataFrame(held.scores[inside]).groupby(held.dataset[inside]).mean()
    return means.reindex(held.dataset[outside]).fillna(pd.Series(held.scores[inside].mean(0))).to_numpy()


def write_yardstick(pool: Pool, held: Held, guess: Guess, output: Path) -> Path:
    """Predictions of a yardstick on the same folds, in the form that the judge reads."""
    p_success = np.full(held.scores.shape, np.nan)
    for fold in np.unique(held.fold[held.fold >= 0]):
        outside = held.fold == fold
        p_success[outside] = np.clip(guess(held, ~outside, outside), 0.0, 1.0)
    n = len(pool.candidates)
    table = pd.DataFrame(
        {
            "prompt_id": np.repeat(held.prompt_ids, n),
            "candidate": np.tile(np.array(pool.candidates, object), len(held.prompt_ids)),
            "p_success": p_success.ravel(),
        }
    )
    table.dropna().to_parquet(output, index=False)
    return output
