"""A small but real champion for benchmarks of the client: fitted on part of the bundled history, under other names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from common import ROOT

from turnout.learning.dataset import extract_all, training_data
from turnout.learning.outcomes import read_outcomes
from turnout.predictor.artifact import save
from turnout.predictor.fit import fit

HISTORY = ROOT / "data" / "history.parquet"
PROMPTS = 800


def fit_small(folder: Path, names: Mapping[str, str], prompts: int = PROMPTS) -> None:
    """Fit on so many prompts, spread over all of the history, and save into the folder; `names` maps the language
    models of the history to the candidates that take their place."""
    table = pd.read_parquet(HISTORY)
    ids = table["prompt_id"].unique()
    chosen = ids[np.linspace(0, len(ids) - 1, prompts).astype(int)]
    table = table[table["prompt_id"].isin(chosen) & table["model"].isin(names)]
    renamed = folder / "history.parquet"
    table.assign(model=table["model"].map(names)).to_parquet(renamed)
    outcomes = read_outcomes([renamed])
    features = extract_all(outcomes.prompts["prompt"].tolist(), quiet=True)
    save(fit(training_data(outcomes, outcomes.cheapest_first(), features)).predictor, folder)
