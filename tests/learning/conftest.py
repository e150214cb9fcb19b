"""Outcome tables to learn from: small, real in every part, fitted with few trees."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pytest

from turnout.learning.outcomes import OutcomeTable
from turnout.predictor.settings import FitSettings

MakeTable: TypeAlias = Callable[..., OutcomeTable]


@pytest.fixture(scope="module")
def few_trees() -> Iterator[None]:
    """Fit a tenth of the trees where their number does not matter."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("turnout.predictor.fit.FitSettings", partial(FitSettings, trees_per_bag=6))
        yield


@pytest.fixture(scope="session")
def make_table() -> MakeTable:
    """Builds a checked table from prompts and a matrix of scores, one column for each model."""

    def make(
        prompts: Sequence[str],
        scores: Any,
        *,
        groups: Sequence[str] | None = None,
        datasets: Sequence[str] | None = None,
        models: Sequence[str] | None = None,
    ) -> OutcomeTable:
        scores = np.asarray(scores, np.float32)
        index = pd.Index([f"p{number:04}" for number in range(len(prompts))], name="prompt_id")
        columns = pd.Index(models or [f"model-{number}" for number in range(scores.shape[1])], name="model")
        about = {
            "prompt": list(prompts),
            "dataset": list(datasets or [""] * len(prompts)),
            "group": list(groups or index),
        }
        unknown = pd.DataFrame(np.nan, index=index, columns=columns, dtype=np.float32)
        whole = pd.DataFrame(scores, index, columns)
        return OutcomeTable(pd.DataFrame(about, index=index), whole, unknown, unknown, unknown, "made for a test")

    return make
