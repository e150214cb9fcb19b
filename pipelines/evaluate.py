"""Evaluate: cross-validated predictions for a pool of candidates, judged beside the yardsticks, tracked in MLflow."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from turnout_pipelines import tracking
from turnout_pipelines.cluster import cluster
from turnout_pipelines.report import log_evaluation
from turnout_pipelines.sources import say

from turnout.files import write_aside
from turnout.learning.base.start import starting_base
from turnout.learning.evaluation import Split, evaluate
from turnout.learning.outcomes import read_outcomes


def run(
    *,
    outcomes: Sequence[Path],
    candidates: Sequence[str] = (),
    datasets: Sequence[str] = (),
    n_folds: int = 5,
    seed: int = 0,
    split: Split = "group",
    train_size: int | None = None,
    predictions: Path | None = None,
    use_other_models: bool = True,
    use_base: bool = True,
    track: bool = True,
    dask: str = "",
) -> dict[str, Any]:
    """Judge a pool; returns what the command prints. `candidates` run from cheapest to strongest.

    The settings are the defaults, whatever a tuning found: figures are comparable between installations.

    Args:
        use_base: start every fold from the base predictor, unless it was made of these prompts.
        dask: the address of a cluster's scheduler; empty computes here.

    Raises:
        DataError: a table breaks its contract or is too small for the folds asked for.
    """
    table = read_outcomes(outcomes, datasets)
    chosen = tuple(candidates) or table.cheapest_first()
    print(f"{len(table.prompts):,} prompts, candidates: {', '.join(chosen)}", file=sys.stderr)
    base = starting_base(table.prompts["prompt"].tolist(), say) if use_base else None
    with cluster(dask):
        judged = evaluate(
            table,
            chosen,
            n_folds=n_folds,
            seed=seed,
            split=split,
            train_size=train_size,
            use_other_models=use_other_models,
            base=base,
        )
    if predictions is not None:
        buffer = io.BytesIO()
        judged.predictions().to_parquet(buffer, index=False)
        write_aside(predictions, buffer.getvalue())
    if track:
        tracking.start()
        parameters = {
            "outcomes": ", ".join(path.name for path in outcomes),
            "datasets": ", ".join(datasets) or "all",
            "candidates": "|".join(chosen),
            "data_fingerprint": table.fingerprint,
            "split": split,
            "n_folds": n_folds,
            "train_size": train_size,
            "seed": seed,
            "use_other_models": use_other_models,
            "base": base is not None,
        }
        with tracking.run("evaluate", parameters):
            log_evaluation(table.select(chosen), judged)
    return {
        "candidates": list(chosen),
        "prompts": int((judged.fold >= 0).sum()),
        "figures": {name: [figure.value, figure.low, figure.high] for name, figure in judged.figures.items()},
        "alarm": judged.alarm,
        "predictions": str(predictions) if predictions else None,
    }
