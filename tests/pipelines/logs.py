"""Histories as a router leaves them behind, out of the bundled table in which everybody's result is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from tests.history.examples import rows

from turnout.features import Features, extract, schema_hash
from turnout.history import DecisionRecord, OutcomeRecord, Record
from turnout.history.database import Database
from turnout.history.store import Store
from turnout.types import Ranked

TABLE = Path(__file__).parents[2] / "data" / "history.parquet"
WEAK, STRONG = "lmstudio/qwen2.5-coder-1.5b", "ollama/llama-3.3-70b"
BOTH = (WEAK, STRONG)
SECONDS = {WEAK: 1.0, STRONG: 8.0}
BEGINNING = 1_700_000_000.0

Scores = NDArray[np.float64]
Chooses = Callable[[Scores, np.random.Generator], int]
"""From the true scores of a prompt to the usual choice; what a router knows of them is up to the test."""

Answers = Callable[[int, Scores], Scores]
"""From a decision's number and the table's scores to those that the candidates reach in this world."""


def by_chance(scores: Scores, rng: np.random.Generator) -> int:
    """A router that knows nothing."""
    return int(rng.random() < 0.5)


def mostly_strong(scores: Scores, rng: np.random.Generator) -> int:
    """A router that asks the strong one nine times out of ten."""
    return int(rng.random() < 0.9)


def as_ever(number: int, scores: Scores) -> Scores:
    """The scores of the table."""
    return scores


def upside_down(number: int, scores: Scores) -> Scores:
    """Whoever is good in the table is bad here."""
    return 1.0 - scores


def changing(at: int, before: Answers = as_ever, after: Answers = upside_down) -> Answers:
    """One world up to a decision, another from it on."""
    return lambda number, scores: (before if number < at else after)(number, scores)


@cache
def known(count: int) -> pd.DataFrame:
    """Prompts with the true scores of both."""
    table = pd.read_parquet(TABLE)
    table = table[table["model"].isin(BOTH)]
    wide = table.pivot(index="prompt_id", columns="model", values="score")[list(BOTH)].dropna()
    prompts = table.drop_duplicates("prompt_id").set_index("prompt_id")["prompt"]
    return wide.assign(prompt=prompts).sample(count, random_state=0)


@cache
def features_of(prompt: str) -> Features:
    """Extracted once, however many histories a prompt is in."""
    return extract(prompt)


def records(
    count: int,
    *,
    exploration: float = 0.2,
    chooses: Chooses = by_chance,
    answers: Answers = as_ever,
    prompts: bool = True,
    predictor: str = "",
    beginning: float = BEGINNING,
    seed: int = 0,
) -> list[Record]:
    """So many decisions, one a minute, each with the chosen candidate's score as its outcome.

    Args:
        prompts: keep them beside their features.
        predictor: who decided, as `recorder.version` tells.
    """
    rng = np.random.default_rng(seed)
    found: list[Record] = []
    for minute, row in enumerate(known(count).itertuples()):
        scores = answers(minute, np.array([row[1], row[2]], np.float64))
        usual = chooses(scores, rng)
        chance = np.full(2, exploration / 2)
        chance[usual] += 1 - exploration
        chosen = int(rng.random() < chance[1])
        ranking = tuple(
            Ranked(BOTH[at], 0.5 + 0.1 * (at == usual), SECONDS[BOTH[at]], None, 0.5) for at in (chosen, 1 - chosen)
        )
        prompt = str(row.prompt)
        decided = DecisionRecord(
            created_at=beginning + 60.0 * minute,
            candidate=BOTH[chosen],
            confidence=0.5,
            propensity=float(chance[chosen]),
            preference="quality",
            ranking=ranking,
            prompt=prompt if prompts else None,
            features=features_of(prompt),
            features_schema=schema_hash(),
            predictor=predictor,
        )
        found.append(decided)
        found.append(
            OutcomeRecord(
                decision_id=decided.id,
                candidate=BOTH[chosen],
                source="verifier",
                score=float(scores[chosen]),
                created_at=decided.created_at + 5.0,
            )
        )
    return found


def renamed(entry: Record) -> Record:
    """The same of candidates with other names."""
    assert isinstance(entry, DecisionRecord | OutcomeRecord)
    names = {WEAK: "local/a", STRONG: "local/b"}
    if isinstance(entry, OutcomeRecord):
        return replace(entry, candidate=names[entry.candidate])
    ranking = tuple(replace(one, candidate=names[one.candidate]) for one in entry.ranking)
    return replace(entry, candidate=names[entry.candidate], ranking=ranking)


def write(path: Path, entries: list[Record]) -> str:
    """Keep records in an SQLite history; its address."""
    return keep(f"sqlite:///{path}", entries)


def keep(url: str, entries: list[Record]) -> str:
    """Keep records in a history of either kind; its address."""
    database = Database(url)
    Store(database).insert(rows(*entries))
    database.close()
    return url


def files(folder: Path) -> dict[str, bytes]:
    """Everything in a folder, byte for byte."""
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())} if folder.exists() else {}


def settle(models: Path, patch: pytest.MonkeyPatch) -> None:
    """Let models be there and nothing be found in the working directory."""
    patch.setenv("TURNOUT_MODELS", str(models))
    patch.setenv("TURNOUT_STATE", str(models.parent / "state"))
    patch.chdir(models.parent)
