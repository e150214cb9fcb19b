"""Import: check outcome tables of any supported kind and bring them into one parquet file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from turnout.files import write_aside
from turnout.learning.outcomes import read_outcomes


def run(*, outcomes: Sequence[Path], output: Path, datasets: Sequence[str] = ()) -> dict[str, Any]:
    """Read, check and write; returns counts. Several rows of one (prompt, model) come out averaged.

    Raises:
        DataError: a table breaks its contract; nothing is written.
    """
    table = read_outcomes(outcomes, datasets)
    columns = {"score": table.scores, "latency_s": table.seconds, "cost_usd": table.cost_usd}
    long = pd.concat({name: frame.stack() for name, frame in columns.items()}, axis=1).dropna(subset=["score"])
    rows = long.reset_index().merge(table.prompts.reset_index(), on="prompt_id")
    buffer = io.BytesIO()
    rows.dropna(axis=1, how="all").to_parquet(buffer, index=False, compression="zstd")
    write_aside(output, buffer.getvalue())
    return {
        "output": str(output),
        "rows": len(rows),
        "prompts": len(table.prompts),
        "models": list(table.cheapest_first()),
        "data_fingerprint": table.fingerprint,
    }
