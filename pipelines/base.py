"""Fit the base predictor that ships in models/base, from many outcome tables at once.

    python -m turnout_pipelines.base code:livecodebench.parquet tools:bfcl.parquet knowledge:mmlu_pro.parquet …

Each table is named with the domain that its abilities are told apart by. The tables themselves do not ship; what does holds
weights, and digests of the prompts, so that nothing is ever judged on prompts that the weights were made of.
"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import mlflow
import numpy as np
from turnout_pipelines import tracking
from turnout_pipelines.sources import say
from turnout_pipelines.versions import versions

from turnout.errors import DataError, TurnoutError
from turnout.learning.base.fit import FittedBase, fit_base
from turnout.learning.base.tables import Tables, read_tables
from turnout.learning.dataset import extract_all
from turnout.predictor.base_artifact import ARRAYS, save_base
from turnout.predictor.prior import design


def run(sources: list[tuple[str, Path]], output: Path, *, leave_out: list[str], seed: int = 0) -> dict[str, float]:
    """Fit, save and track; returns the Brier score on each table, by parts that never saw the prompt's group.

    Raises:
        DataError: a domain is unknown, or a table breaks its contract.
    """
    started = time.perf_counter()
    say("reading outcomes ...")
    tables = read_tables(sources, leave_out)
    info = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "tables": {path.stem: domain for domain, path in sources},
        "left_out": leave_out,
        "prompts": len(tables.prompts),
        "outcomes": int(sum((~np.isnan(block.scores)).sum() for block in tables.blocks)),
        "language_models": len({descriptor.identity for block in tables.blocks for descriptor in block.descriptors}),
        "versions": versions(),
    }
    say(f"{info['prompts']:,} prompts, {info['outcomes']:,} outcomes of {info['language_models']} language models")
    tracking.start()
    with tracking.run("base", {"tables": ", ".join(path.name for _, path in sources), "seed": seed}):
        features = extract_all(tables.prompts)
        fitted = fit_base(tables, features, info, seed=seed, progress=lambda part: say(f"fitting {part} ..."))
        save_base(fitted.predictor, output)
        figures = _brier(tables, fitted)
        mlflow.log_metrics({f"brier_{name.replace(':', '_')}": value for name, value in figures.items()})
        mlflow.log_metric("fit_seconds", time.perf_counter() - started)
        mlflow.log_artifacts(str(output), "base")
    say(f"{output}: {(output / ARRAYS).stat().st_size / 1e6:.2f} MB")
    return figures


def main(arguments: list[str] | None = None) -> int:
    """The command line of the job."""
    parser = argparse.ArgumentParser(prog="turnout_pipelines.base", description=__doc__)
    parser.add_argument("tables", nargs="+", metavar="DOMAIN:FILE")
    parser.add_argument("--output", type=Path, default=Path("models/base"))
    parser.add_argument("--leave-out", action="append", default=[], metavar="MODEL", help="rows known to be broken")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    try:
        sources = [_source(text) for text in options.tables]
        figures = run(sources, options.output, leave_out=options.leave_out, seed=options.seed)
    except TurnoutError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for name, value in figures.items():
        print(f"{name}: Brier {value:.4f}")
    return 0


def _source(text: str) -> tuple[str, Path]:
    domain, colon, path = text.partition(":")
    if not colon:
        raise DataError(f"{text!r}: expected DOMAIN:FILE, such as code:outcomes.parquet")
    return domain, Path(path)


def _brier(tables: Tables, fitted: FittedBase) -> dict[str, float]:
    found = {}
    for block in tables.blocks:
        expected = fitted.predictor.lines(block.descriptors).p_success(design(fitted.out_of_fold[block.rows]))
        found[block.name] = float(np.nanmean((expected - block.scores) ** 2))
    return found


if __name__ == "__main__":
    sys.exit(main())
