"""`turnout retrain`, `rollback`, `drift`: options in, a job found by name called, its result printed."""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

from turnout.cli.found import find_job, finish, names_of

_UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_DRIFT_EVERY_S = 900.0


def add_commands(commands: Any, shared: argparse.ArgumentParser, on_cluster: argparse.ArgumentParser) -> None:
    """Register every job that reads the history."""
    source = argparse.ArgumentParser(add_help=False)
    source.add_argument(
        "--history", default="", metavar="URL", help="sqlite:///FILE or postgresql://…; else as configured"
    )
    source.add_argument("--config", type=Path, metavar="FILE", help="configuration (default: the one that is found)")

    retrain = commands.add_parser(
        "retrain",
        parents=[shared, source, on_cluster],
        help="learn from the history; what is shown to be better serves",
    )
    retrain.add_argument(
        "--outcomes", nargs="+", type=Path, default=[], metavar="FILE", help="tables to learn from too"
    )
    retrain.add_argument(
        "--candidates", default="", metavar="A,B,…", help="only these; '|' separates names with commas"
    )
    retrain.add_argument(
        "--max-rows", type=_positive, default=200_000, metavar="N", help="a sample of a longer history"
    )
    retrain.add_argument("--no-promote", action="store_true", help="judge the challenger, but leave what serves")
    retrain.add_argument("--every", type=duration_s, metavar="TIME", help="again and again: 30m, 6h, 1d")
    retrain.add_argument(
        "--on-drift", action="store_true", help="look every 15 m (or --every) and retrain on drift only"
    )
    retrain.add_argument("--seed", type=int, default=0)
    retrain.set_defaults(run=_retrain)

    rollback = commands.add_parser("rollback", parents=[shared], help="the champion before this one serves again")
    rollback.set_defaults(run=_rollback)

    drift = commands.add_parser("drift", parents=[shared, source], help="has the world moved away from the predictor?")
    drift.set_defaults(run=_drift)


def _retrain(options: argparse.Namespace) -> int:
    wanted = {
        "history": options.history,
        "config": options.config,
        "outcomes": options.outcomes,
        "candidates": names_of(options.candidates),
        "max_rows": options.max_rows,
        "promote_if_better": not options.no_promote,
        "seed": options.seed,
        "dask": options.dask,
    }
    if options.every is None and not options.on_drift:
        result = find_job("retrain")(**wanted)
        return finish(options, result, retrained(result))

    def told(result: dict[str, Any]) -> None:
        print(json.dumps(result, default=str) if options.json else retrained(result), flush=True)

    every_s = options.every or _DRIFT_EVERY_S
    try:
        find_job("schedule")(every_s=every_s, on_drift=options.on_drift, told=told, **wanted)
    except KeyboardInterrupt:
        print("stopped; the champion is as it was", file=sys.stderr)
    return 0


def retrained(result: dict[str, Any]) -> str:
    """What the gate saw, and what came of it."""
    lines = [f"  {'✓' if passed else '✗'} {name:12} {text}" for name, passed, text in result["checks"]]
    lines += ["", f"  {'policy':40} mean score [95 %]"]
    lines += [
        f"  {name:40} {value:.3f} [{low:.3f}, {high:.3f}]" for name, (value, low, high) in result["estimates"].items()
    ]
    return "\n".join(
        [
            *lines,
            "",
            f"predictor {result['version']} {result['why']}",
            f"confidence: {result['confidence']}",
            f"report: {result['report']} (and in {result['tracking_uri']}; {result['seconds']} s)",
        ]
    )


def _rollback(options: argparse.Namespace) -> int:
    result = find_job("rollback")()
    return finish(options, result, f"predictor {result['version']} is the champion again in {result['champion']}")


def _drift(options: argparse.Namespace) -> int:
    result = find_job("drift")(history=options.history, config=options.config)
    lines = [f"{alarm['kind']}: {alarm['text']}" for alarm in result["alarms"]] or ["no drift"]
    return finish(options, result, "\n".join([*lines, f"({result['watched']['decisions']:,} decisions watched)"]))


def duration_s(text: str) -> float:
    """Seconds of a text like 30m, 6h or 1d."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd])", text.strip())
    seconds = float(found[1]) * _UNITS_S[found[2]] if found else 0.0
    if not 1.0 <= seconds <= 366 * 86_400.0:
        raise argparse.ArgumentTypeError(f"{text!r} is no time from 1s to 366d; expected like 30m, 6h or 1d")
    return seconds


def _positive(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)
