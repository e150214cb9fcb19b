"""The laboratory's log: one revealed answer for each prompt, with the probability of its choice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from turnout_pipelines.lab import log

from turnout.history.reader import HistoryReader

NAMES = ("weak", "middle", "strong")


@pytest.fixture
def outcomes() -> pd.DataFrame:
    """Sixty prompts of growing length, each answered by three."""
    rows = [
        {"prompt_id": f"p{n}", "prompt": "x" * (n + 1), "model": name, "score": float(n % 2), "latency_s": 0.01 * place}
        for n in range(60)
        for place, name in enumerate(NAMES, start=1)
    ]
    return pd.DataFrame(rows)


def test_each_prompt_reveals_one_candidate_with_the_probability_of_its_choice(outcomes: pd.DataFrame) -> None:
    table = log.logged(outcomes, seed=0)
    assert table["prompt_id"].is_unique and len(table) == 60
    rare, usual = log.EXPLORATION / 3, log.EXPLORATION / 3 + 1 - log.EXPLORATION
    assert np.isclose(table["propensity"].to_numpy()[:, None], [rare, usual]).any(1).all()
    assert set(table["candidates"]) == {"weak|middle|strong"}


def test_longer_prompts_usually_go_to_stronger_candidates(outcomes: pd.DataFrame) -> None:
    table = log.logged(outcomes, seed=0)
    usual = table[table["propensity"] > 0.5].sort_values("prompt", key=lambda column: column.str.len())
    assert list(dict.fromkeys(usual["model"])) == list(NAMES)


def test_the_log_becomes_a_history_that_can_be_learned_from(outcomes: pd.DataFrame, tmp_path: Path) -> None:
    table, output = tmp_path / "outcomes.parquet", tmp_path / "log.parquet"
    outcomes.to_parquet(table)
    url = f"sqlite:///{tmp_path / 'new' / 'history.db'}"
    assert log.main(["--outcomes", str(table), "--output", str(output), "--history", url]) == 0
    assert len(pd.read_parquet(output)) == 60
    with HistoryReader(url) as reader:
        assert reader.span()[0] == 60


def test_what_is_no_outcome_table_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = tmp_path / "wrong.parquet"
    pd.DataFrame({"a": [1]}).to_parquet(wrong)
    assert log.main(["--outcomes", str(wrong), "--output", str(tmp_path / "log.parquet")]) == 1
    assert "has no column latency_s, model, prompt, prompt_id, score" in capsys.readouterr().err
    assert log.main(["--outcomes", str(tmp_path / "none.parquet")]) == 1
    assert "cannot be read" in capsys.readouterr().err
