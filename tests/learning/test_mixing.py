"""Tables beside a log."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.learning.partial_logs import NAMES, World

from turnout.errors import DataError
from turnout.learning import partial
from turnout.learning.mixing import mixed, of_table
from turnout.learning.outcomes import read_outcomes


def table(folder: Path, models: tuple[str, ...], seconds: float | None = None) -> Path:
    rows = [
        {"prompt_id": f"p{n}", "prompt": f"explain number {n}", "model": model, "score": float((n + at) % 2)}
        for n in range(40)
        for at, model in enumerate(models)
    ]
    frame = pd.DataFrame(rows)
    if seconds is not None:
        frame["latency_s"], frame["completion_tokens"] = seconds, 100 * seconds
    frame.to_csv(folder / "table.csv", index=False)
    return folder / "table.csv"


def test_rows_of_both_stand_one_after_the_other(tmp_path: Path) -> None:
    data = partial.training_data(World(200).log)
    more = of_table(read_outcomes([table(tmp_path, NAMES, seconds=2.0)]), NAMES, quiet=True)
    both = mixed(data, more)
    assert both.dense.shape[0] == both.ngrams.shape[0] == len(both.scores) == len(both.groups) == 240
    assert not set(both.groups[:200]) & set(both.groups[200:])
    assert both.weights is not None and both.weights[200:].tolist() == [1.0] * 40
    assert both.seconds is not None and np.isnan(both.seconds[:200]).all() and (both.seconds[200:] == 2.0).all()
    assert both.answer_tokens is not None and (both.answer_tokens[200:] == 200.0).all()


def test_a_candidate_that_the_table_does_not_know_is_filled(tmp_path: Path) -> None:
    more = of_table(read_outcomes([table(tmp_path, (NAMES[0], "another"))]), NAMES, quiet=True)
    assert more.candidates == NAMES and np.isfinite(more.scores).all()


def test_a_table_that_knows_nobody_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none of the history's candidates: local/small, local/large"):
        of_table(read_outcomes([table(tmp_path, ("a", "b"))]), NAMES)


def test_different_candidates_do_not_mix() -> None:
    data = partial.training_data(World(200).log)
    with pytest.raises(ValueError, match="has candidates"):
        mixed(data, replace(data, candidates=NAMES[::-1]))
