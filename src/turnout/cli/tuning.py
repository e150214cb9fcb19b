"""`turnout tune`: a budget and what to judge on in, better hyperparameters or the defaults out."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from turnout.cli.found import find_job, finish, names_of
from turnout.cli.learning import duration_s

_MOST_SETTINGS = 10_000


def add_command(commands: Any, shared: argparse.ArgumentParser, on_cluster: argparse.ArgumentParser) -> None:
    """Register `tune`."""
    tune = commands.add_parser("tune", parents=[shared, on_cluster], help="search for better hyperparameters")
    source = tune.add_mutually_exclusive_group(required=True)
    source.add_argument("--outcomes", nargs="+", type=Path, default=[], metavar="FILE", help="parquet, CSV, JSON lines")
    source.add_argument(
        "--history", nargs="?", const="", metavar="URL", help="sqlite:///FILE or postgresql://…; alone, as configured"
    )
    tune.add_argument("--config", type=Path, metavar="FILE", help="configuration (default: the one that is found)")
    tune.add_argument("--dataset", nargs="+", default=[], metavar="PREFIX", help="only datasets that start so")
    tune.add_argument(
        "--candidates", default="", metavar="A,B,…", help="cheapest first; '|' separates names with commas"
    )
    tune.add_argument("--only-candidates", action="store_true", help="do not learn from the table's other models")
    tune.add_argument(
        "--budget", type=_budget, default={"n_settings": 20}, metavar="N|TIME", help="settings (20) or time (30m)"
    )
    tune.add_argument("--seed", type=int, default=0)
    tune.set_defaults(run=_tune)


def _tune(options: argparse.Namespace) -> int:
    result = find_job("tune")(
        outcomes=options.outcomes,
        history=options.history,
        config=options.config,
        datasets=options.dataset,
        candidates=names_of(options.candidates),
        use_other_models=not options.only_candidates,
        seed=options.seed,
        dask=options.dask,
        **options.budget,
    )
    lines = [f"{result['tried']} settings tried in {result['trials']} trials, judged by {result['judged_by']}"]
    lines += [f"  {name:20} {value:g}" for name, value in result["best_tried"].items()]
    lines.append(result["why"])
    lines.append(f"written to {result['file']}: the next training uses them" if result["file"] else "nothing written")
    lines.append(f"tracked in {result['tracking_uri']} ({result['seconds']} s)")
    return finish(options, result, "\n".join(lines))


def _budget(text: str) -> dict[str, float]:
    """A number of settings, or a time."""
    if text.strip().isdecimal():
        if not 2 <= int(text) <= _MOST_SETTINGS:
            raise argparse.ArgumentTypeError(
                f"{text!r} is no number of settings from 2 to {_MOST_SETTINGS}; the defaults are one of them"
            )
        return {"n_settings": int(text)}
    try:
        return {"seconds": duration_s(text)}
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither a number of settings, 20, nor a time, 30m or 2h"
        ) from None
