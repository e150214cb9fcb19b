"""Histories as a router leaves them behind, out of the bundled table in which everybody's result is known."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tests.history.examples import rows

from turnout.features import extract, schema_hash
from turnout.history import DecisionRecord, OutcomeRecord, Record
from turnout.history.database import Database
from turnout.history.store import Store
from turnout.types import Ranked

TABLE = Path(__file__).parents[2] / "data" / "history.parquet"
WEAK, STRONG = "lmstudio/qwen2.5-coder-1.5b", "ollama/llama-3.3-70b"
BOTH = (WEAK, STRONG)
SECONDS = {WEAK: 1.0, STRONG: 8.0}
BEGINNING = 1_700_000_000.0

Chooses = Callable[[NDArray[np.float64], np.random.Generator], int]
"""From the true scores of a prompt to the usual choice; what a router knows of them is up to the test."""


def by_chance(scores: NDArray[np.float64], rng: np.random.Generator) -> int:
    """A router that knows nothing."""
    return int(rng.random() < 0.5)


@cache
def known(count: int) -> pd.DataFrame:
    """Prompts with the true scores of both."""
    table = pd.read_parquet(TABLE)
    table = table[table["model"].isin(BOTH)]
    wide = table.pivot(index="prompt_id", columns="model", values="score")[list(BOTH)].dropna()
    prompts = table.drop_duplicates("prompt_id").set_index("prompt_id")["prompt"]
    return wide.assign(prompt=prompts).head(count)


def records(count: int, *, exploration: float = 0.2, chooses: Chooses = by_chance, seed: int = 0) -> list[Record]:
    """So many decisions, one a minute, each with the chosen candidate's true score as its outcome."""
    rng = np.random.default_rng(seed)
    found: list[Record] = []
    for minute, row in enumerate(known(count).itertuples()):
        scores = np.array([row[1], row[2]], np.float64)
        usual = chooses(scores, rng)
        chance = np.full(2, exploration / 2)
        chance[usual] += 1 - exploration
        chosen = int(rng.random() < chance[1])
        ranking = tuple(
            Ranked(BOTH[at], 0.5 + 0.1 * (at == usual), SECONDS[BOTH[at]], None, 0.5) for at in (chosen, 1 - chosen)
        )
        prompt = str(row.prompt)
        decided = DecisionRecord(
            created_at=BEGINNING + 60.0 * minute,
            candidate=BOTH[chosen],
            confidence=0.5,
            propensity=float(chance[chosen]),
            preference="quality",
            ranking=ranking,
            prompt=prompt,
            features=extract(prompt),
            features_schema=schema_hash(),
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


def write(path: Path, entries: list[Record]) -> str:
    """Keep records in an SQLite history; its address."""
    url = f"sqlite:///{path}"
    database = Database(url)
    Store(database).insert(rows(*entries))
    database.close()
    return url
