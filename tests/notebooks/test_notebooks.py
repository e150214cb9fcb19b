"""The notebooks run from top to bottom on a small table."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["bundled_history", "any_table"])
def test_a_notebook_runs_and_shows_its_figures(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = pd.read_parquet(ROOT / "data" / "history.parquet")
    few = table["prompt_id"].drop_duplicates().sample(400, random_state=0)
    small = table[table["prompt_id"].isin(few)].copy()
    small["dataset"] = small["prompt_id"].str[0]
    small.to_parquet(tmp_path / "small.parquet")
    monkeypatch.setenv("TURNOUT_OUTCOMES", str(tmp_path / "small.parquet"))
    monkeypatch.setenv("TURNOUT_CANDIDATES", "")
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)

    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(ROOT / "notebooks")}}).execute()

    shown = str([cell.get("outputs") for cell in notebook.cells if cell.cell_type == "code"])
    assert "apgr_oracle" in shown
    assert "image/png" in shown
