"""Tune: outcome tables or the history in, hyperparameters out that are shown to be better than the defaults, or none.

Each trial is a run of its own inside the search's run, written when it ends: an interruption keeps what was found so far.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mlflow
from turnout_pipelines import tracking
from turnout_pipelines.cluster import cluster
from turnout_pipelines.sources import Source, say
from turnout_pipelines.tuned import settings_path

from turnout.errors import DataError
from turnout.files import write_aside
from turnout.learning.evaluation import pool_of
from turnout.learning.from_history import HistorySettings, from_history
from turnout.learning.metrics import Interval
from turnout.learning.outcomes import read_outcomes
from turnout.learning.search import Budget, Found, Judge, Trial, search
from turnout.learning.search_history import OnHistory
from turnout.learning.search_table import OnTable
from turnout.predictor.settings import FitSettings, settings_content

MIN_SETTINGS = 2
"""The defaults and one more."""


def run(
    *,
    outcomes: Sequence[Path] = (),
    history: str | None = None,
    config: Path | None = None,
    candidates: Sequence[str] = (),
    datasets: Sequence[str] = (),
    use_other_models: bool = True,
    max_rows: int = 200_000,
    n_settings: int = 20,
    seconds: float | None = None,
    seed: int = 0,
    dask: str = "",
) -> dict[str, Any]:
    """Search once; returns what the command prints.

    Args:
        outcomes: tables to judge on; or
        history, config, max_rows: a history, see `retrain.run`.
        n_settings: how many settings are tried, the defaults among them.
        seconds: begin trials for so long instead.
        dask: the address of a cluster's scheduler.

    Raises:
        DataError: a table breaks its contract or is too small, or the budget is.
        HistoryError: there is no history, or it cannot be read.
    """
    if n_settings < MIN_SETTINGS or (seconds is not None and not seconds > 0):
        raise DataError(
            f"a search needs a budget of {MIN_SETTINGS} settings or more (the defaults are one), or of time"
        )
    started = time.perf_counter()
    budget = Budget(n_settings) if seconds is None else Budget(None, seconds)
    with cluster(dask):
        if history is None:
            judge, parameters = _on_table(outcomes, datasets, candidates, use_other_models, seed)
        else:
            judge, parameters = _on_history(Source.of(history, config), candidates, max_rows, seed)
        parameters |= {"budget": n_settings if seconds is None else f"{seconds:g} s", "seed": seed}
        tracking.start()
        with tracking.run("tune", parameters) as run_id:
            found = _searched(judge, budget, seed)
            defaults = not found.verdict.better
            _log(found)
    path = settings_path()
    if not defaults:
        write_aside(path, settings_content(found.settings, _origin(found, parameters, run_id)))
    return {
        "run_id": run_id,
        "better": found.verdict.better,
        "why": _why(found.verdict.gain, found.verdict.problem, found.verdict.better),
        "settings": found.settings.to_json() if not defaults else FitSettings().to_json(),
        "best_tried": found.settings.to_json(),
        "gain": _bounds(found.verdict.gain),
        "judged_by": parameters["judged_by"],
        "trials": len(found.trials),
        "tried": len({trial.number for trial in found.trials}),
        "file": str(path) if not defaults else None,
        "seconds": round(time.perf_counter() - started, 1),
        "tracking_uri": mlflow.get_tracking_uri(),
    }


def _on_table(
    outcomes: Sequence[Path], datasets: Sequence[str], candidates: Sequence[str], use_other_models: bool, seed: int
) -> tuple[Judge, dict[str, Any]]:
    say("reading outcomes ...")
    table = read_outcomes(outcomes, datasets)
    chosen = tuple(candidates) or table.cheapest_first()
    judge = OnTable.of(pool_of(table, chosen, use_other_models=use_other_models), seed)
    say(f"{len(judge.fold):,} prompts, {len(chosen)} candidates, cheapest first: {', '.join(chosen)}")
    return judge, {
        "outcomes": ", ".join(path.name for path in outcomes),
        "datasets": ", ".join(datasets) or "all",
        "candidates": "|".join(chosen),
        "data_fingerprint": table.fingerprint,
        "use_other_models": use_other_models,
        "judged_by": "apgr",
    }


def _on_history(source: Source, candidates: Sequence[str], max_rows: int, seed: int) -> tuple[Judge, dict[str, Any]]:
    say(f"reading {source} ...")
    wanted = HistorySettings(candidates=tuple(candidates) or None, max_rows=max_rows, weights=source.weights, seed=seed)
    with source.reader() as reader:
        logged, counts = from_history(reader, wanted)
    say(f"{counts.read:,} decisions, {len(logged):,} kept; candidates, cheapest first: {', '.join(logged.candidates)}")
    return OnHistory.of(logged, seed), {
        "history": str(source),
        "candidates": "|".join(logged.candidates),
        "decisions": len(logged),
        "max_rows": max_rows,
        "judged_by": "mean score",
    }


def _searched(judge: Judge, budget: Budget, seed: int) -> Found:
    """The search; whoever interrupts it is told what is kept."""
    tried: list[Trial] = []

    def keep(trial: Trial) -> None:
        tried.append(trial)
        _log_trial(trial)

    try:
        return search(judge, budget, seed=seed, tried=keep)
    except KeyboardInterrupt:
        mlflow.set_tag("verdict", "interrupted")
        say(f"interrupted; {len(tried)} trials are kept in {mlflow.get_tracking_uri()}, settings are as they were")
        raise


def _log_trial(trial: Trial) -> None:
    """One nested run."""
    score = trial.score
    name = "defaults" if trial.number == 0 else f"settings {trial.number}"
    with mlflow.start_run(run_name=f"{name} on {trial.share:.0%}", nested=True):
        mlflow.log_params({**trial.settings.to_json(), "number": trial.number, "share": round(trial.share, 4)})
        mlflow.log_metrics(
            {
                "score": score.interval.value,
                "score_low": score.interval.low,
                "score_high": score.interval.high,
                "train_rows": score.train_rows,
                "seconds": score.seconds,
            }
        )


def _log(found: Found) -> None:
    """What came of it into the search's own run."""
    gain = found.verdict.gain
    mlflow.log_metrics({"gain": gain.value, "gain_low": gain.low, "gain_high": gain.high})
    mlflow.set_tags(
        {
            "verdict": "better" if found.verdict.better else "defaults stay",
            "why": _why(gain, found.verdict.problem, found.verdict.better),
        }
    )
    mlflow.log_dict(found.settings.to_json(), "best.json")


def _why(gain: Interval, problem: str, better: bool) -> str:
    told = f"{gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}] against the defaults on rows kept back"
    if better:
        return told
    return f"the defaults stay: {problem or f'{told}, no more than noise'}"


def _origin(found: Found, parameters: dict[str, Any], run_id: str) -> dict[str, Any]:
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "run_id": run_id,
        "gain": _bounds(found.verdict.gain),
        **parameters,
    }


def _bounds(figure: Interval) -> list[float]:
    return [figure.value, figure.low, figure.high]
