"""The outcome tables of `day_zero.py`, read once, and predictions of base predictors that were fitted without some of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from turnout.learning.base.fit import fit_base
from turnout.learning.base.tables import Tables, read_tables
from turnout.learning.dataset import FeatureTable, extract_all
from turnout.predictor.base import BasePredictor

SOURCES = {
    "routellm_mmlu": "knowledge",
    "routellm_gsm8k": "knowledge",
    "livecodebench": "code",
    "qwen25coder": "code",
    "mmlu_pro": "knowledge",
    "bfcl": "tools",
}
BROKEN = ("gpt-4o-2024-08-06", "mistral-large-2407", "NousResearch_Hermes-2-Theta-Llama-3-70B")
"""Of bfcl: broken by output format, as the tables' page says."""


@dataclass(frozen=True)
class World:
    """All tables and the features of their prompts."""

    tables: Tables
    features: FeatureTable


def read_world(shared: Path) -> World:
    """Every table with its domain."""
    sources = [(domain, shared / "outcomes" / f"{name}.parquet") for name, domain in SOURCES.items()]
    tables = read_tables(sources, BROKEN)
    return World(tables, extract_all(tables.prompts))


def without_table(world: World, table: str, seed: int = 0) -> BasePredictor:
    """A base predictor that saw no prompt of this table, nor any of the same group in another."""
    return fit_base(world.tables.without_rows(world.tables.table == table), world.features, seed=seed).predictor


def rows_of(world: World, table: str) -> NDArray[np.int64]:
    """Positions of a table's prompts."""
    return np.flatnonzero(world.tables.table == table)
