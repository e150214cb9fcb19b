"""`turnout train`, `evaluate`, `promote`, `import`: options in, a job found by name called, its result printed."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from turnout.cli.found import find_job, finish, names_of
from turnout.cli.learning import retrained
from turnout.errors import ConfigurationError

_FOLDS = 5
_FIGURES = (
    ("performance gap recovered (apgr)", "apgr", "apgr_dataset_lookup", "apgr_random", "apgr_oracle"),
    ("calls kept on the cheapest at a loss of 1 pt", "offload_1pt", None, "offload_1pt_random", "offload_1pt_oracle"),
)


def cluster_options() -> argparse.ArgumentParser:
    """Where to compute; a parent of every command that fits."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--dask", default="", metavar="tcp://HOST:PORT", help="compute on this cluster's workers")
    return parser


def add_commands(commands: Any, shared: argparse.ArgumentParser, on_cluster: argparse.ArgumentParser) -> None:
    """Register every job."""
    table, either = (argparse.ArgumentParser(add_help=False) for _ in range(2))
    table.add_argument(
        "--outcomes", nargs="+", type=Path, required=True, metavar="FILE", help="parquet, CSV or JSON lines"
    )
    source = either.add_mutually_exclusive_group(required=True)
    source.add_argument("--outcomes", nargs="+", type=Path, default=[], metavar="FILE", help="parquet, CSV, JSON lines")
    source.add_argument(
        "--history", nargs="?", const="", metavar="URL", help="sqlite:///FILE or postgresql://…; alone, as configured"
    )
    for parser in (table, either):
        parser.add_argument("--dataset", nargs="+", default=[], metavar="PREFIX", help="only datasets that start so")
    pool = argparse.ArgumentParser(add_help=False)
    pool.add_argument(
        "--candidates", default="", metavar="A,B,…", help="cheapest first; '|' separates names with commas"
    )
    pool.add_argument("--folds", type=int, metavar="N", help=f"of cross-fitting; {_FOLDS} by default")
    pool.add_argument("--seed", type=int, default=0)
    pool.add_argument("--only-candidates", action="store_true", help="do not learn from the table's other models")
    pool.add_argument("--no-base", action="store_true", help="start from nothing, not from the base predictor")

    train = commands.add_parser(
        "train", parents=[shared, either, pool, on_cluster], help="learn a predictor from logged outcomes"
    )
    train.add_argument("--promote", action="store_true", help="make it the champion if it is no worse")
    train.set_defaults(run=_train)

    evaluate = commands.add_parser(
        "evaluate", parents=[shared, either, pool, on_cluster], help="judge routing on held-out prompts"
    )
    evaluate.add_argument(
        "--split", choices=("group", "dataset"), help="what no fold shares with another; group by default"
    )
    evaluate.add_argument("--train-size", type=int, metavar="N", help="fit on N prompts, judge on the rest")
    evaluate.add_argument("--predictions", type=Path, metavar="OUT.parquet", help="write every held-out prediction")
    evaluate.add_argument(
        "--policies",
        default="",
        metavar="A,B,…",
        help="with --history: champion, always:NAME, rules, random, a folder, …",
    )
    evaluate.add_argument("--no-track", action="store_true", help="do not log to MLflow")
    evaluate.set_defaults(run=_evaluate)

    promote = commands.add_parser("promote", parents=[shared], help="make a registered predictor the champion")
    promote.add_argument("version", nargs="?", default="challenger", help="a version number or alias")
    promote.set_defaults(run=_promote)

    imports = commands.add_parser(
        "import", parents=[shared, table], help="check outcome tables, bring them into one file"
    )
    imports.add_argument("--output", type=Path, required=True, metavar="OUT.parquet")
    imports.set_defaults(run=_import)


def _pool(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "outcomes": options.outcomes,
        "datasets": options.dataset,
        "candidates": names_of(options.candidates),
        "n_folds": _FOLDS if options.folds is None else options.folds,
        "seed": options.seed,
        "use_other_models": not options.only_candidates,
        "use_base": not options.no_base,
        "dask": options.dask,
    }


def _refuse_beside_history(options: argparse.Namespace) -> None:
    """What only a table knows is not passed over in silence.

    Raises:
        ConfigurationError: such an option was given.
    """
    given = [
        f"--{name.replace('_', '-')}"
        for name in ("dataset", "folds", "only_candidates", "split", "train_size", "predictions")
        if getattr(options, name, None)
    ]
    if given:
        raise ConfigurationError(f"{', '.join(given)}: for outcome tables (--outcomes), not for a history")


def _train(options: argparse.Namespace) -> int:
    if options.history is not None:
        _refuse_beside_history(options)
        wanted = {
            "candidates": names_of(options.candidates),
            "use_base": not options.no_base,
            "seed": options.seed,
            "dask": options.dask,
        }
        result = find_job("retrain")(history=options.history, promote_if_better=options.promote, **wanted)
        return finish(options, result, retrained(result))
    result = find_job("train")(**_pool(options), promote_if_better=options.promote)
    verdict = f"promoted to {result['champion']}" if result["promoted"] else "registered as challenger, not promoted"
    return finish(
        options,
        result,
        f"{_figures(result)}\npredictor {result['version']} {verdict}: {result['why']}\n"
        f"tracked in {result['tracking_uri']} ({result['seconds']} s)",
    )


def _evaluate(options: argparse.Namespace) -> int:
    if options.history is not None:
        _refuse_beside_history(options)
        if options.dask:
            raise ConfigurationError("--dask is for what fits; evaluating a history fits no predictor")
        result = find_job("compare")(
            history=options.history,
            compared=names_of(options.policies),
            candidates=names_of(options.candidates),
            seed=options.seed,
        )
        return finish(options, result, _compared(result))
    result = find_job("evaluate")(
        **_pool(options),
        split=options.split or "group",
        train_size=options.train_size,
        predictions=options.predictions,
        track=not options.no_track,
    )
    written = f"\npredictions in {result['predictions']}" if result["predictions"] else ""
    return finish(options, result, _figures(result) + written)


def _compared(result: dict[str, Any]) -> str:
    """Each policy's worth, then each pair that differs."""
    lines = [f"on {result['decisions']:,} decisions with a result{'':18} mean score [95 %]      effective decisions"]
    for name, one in result["policies"].items():
        value, low, high = one["dr"]
        support = one["support"]
        lines.append(f"  {name:40} {value:.3f} [{low:.3f}, {high:.3f}]   {support['effective_rows']:>10,.0f}")
        lines += [f"    cannot be concluded: {support['problem']}"] if support["problem"] else []
    lines.append("differences")
    for name, one in result["differences"].items():
        value, low, high = one["score"]
        problem = one["support"]["problem"] if one["differ"] else "they never differ"
        told = f"   cannot be concluded: {problem}" if problem else ""
        lines.append(f"  {name:40} {value:+.3f} [{low:+.3f}, {high:+.3f}]{told}")
    return "\n".join(lines)


def _promote(options: argparse.Namespace) -> int:
    result = find_job("promote")(version=options.version)
    return finish(options, result, f"predictor {result['version']} is the champion in {result['champion']}")


def _import(options: argparse.Namespace) -> int:
    result = find_job("import")(outcomes=options.outcomes, output=options.output, datasets=options.dataset)
    text = (
        f"{result['rows']:,} rows, {result['prompts']:,} prompts, {len(result['models'])} models in {result['output']}"
    )
    return finish(options, result, text)


def _figures(result: dict[str, Any]) -> str:
    """The held-out figures as a small table, each beside its yardsticks."""
    figures = result["figures"]
    lines = [f"on {result['prompts']:,} held-out prompts{'':22} Turnout [95 %]          lookup  random  oracle"]
    for label, own, lookup, random, oracle in _FIGURES:
        value, low, high = figures[own]
        known = f"{figures[lookup][0]:.3f}" if lookup else "    –"
        lines.append(
            f"  {label:46} {value:.3f} [{low:.3f}, {high:.3f}]   {known}   {figures[random][0]:.3f}   {figures[oracle][0]:.3f}"
        )
    value, low, high = figures["accuracy"]
    lines.append(
        f"  {'mean score, most likely candidate each time':46} {value:.3f} [{low:.3f}, {high:.3f}]   "
        f"best single {figures['accuracy_best_single'][0]:.3f}, cheapest {figures['accuracy_cheapest'][0]:.3f}, "
        f"oracle {figures['accuracy_oracle'][0]:.3f}"
    )
    lines.append(
        f"  {'calibration error, cheapest candidate':46} {figures['calibration_error'][0]:.3f} "
        f"(a perfect model: {figures['calibration_error_by_chance'][0]:.3f})"
    )
    if result["alarm"]:
        lines.append(f"  note: {result['alarm']}")
    return "\n".join(lines)
