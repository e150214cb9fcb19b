"""Train: outcome tables in, a tracked, evaluated and registered challenger out; on request the champion."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mlflow
from turnout_pipelines import promote, tracking
from turnout_pipelines.cluster import cluster
from turnout_pipelines.report import log_evaluation
from turnout_pipelines.sources import say
from turnout_pipelines.tuned import tuned_settings
from turnout_pipelines.versions import versions

from turnout.config.paths import champion_folder
from turnout.errors import ArtifactError, TooFewRowsError
from turnout.features import FEATURE_NAMES, schema_hash
from turnout.learning.base.start import starting_base
from turnout.learning.dataset import extract_all, training_data
from turnout.learning.evaluation import Evaluation, evaluate
from turnout.learning.metrics import calibration_error
from turnout.learning.outcomes import OutcomeTable, read_outcomes
from turnout.predictor import load
from turnout.predictor.fit import Fitted, fit

MIN_PROMPTS = 50
"""With fewer prompts than this the figures say nothing and the trees cannot grow."""


def run(
    *,
    outcomes: Sequence[Path],
    candidates: Sequence[str] = (),
    datasets: Sequence[str] = (),
    seed: int = 0,
    n_folds: int = 5,
    promote_if_better: bool = False,
    use_other_models: bool = True,
    use_base: bool = True,
    dask: str = "",
) -> dict[str, Any]:
    """Train a predictor, with the settings that a tuning found where there are any; returns what the command prints.

    Args:
        promote_if_better: let it serve if it is no worse than the champion on the same data.
        use_base: start from the base predictor, unless it was made of these prompts.
        dask: the address of a cluster's scheduler; empty computes here.

    Raises:
        DataError: a table breaks its contract or is too small.
        ConfigurationError: the tuned settings are damaged.
    """
    started = time.perf_counter()
    settings = tuned_settings()
    say("reading outcomes ...")
    table = read_outcomes(outcomes, datasets)
    chosen = tuple(candidates) or table.cheapest_first()
    table = table.select(chosen)
    if len(table.prompts) < MIN_PROMPTS:
        raise TooFewRowsError(f"training needs at least {MIN_PROMPTS} prompts, the table has {len(table.prompts)}")
    say(f"{len(table.prompts):,} prompts, {len(chosen)} candidates, cheapest first: {', '.join(chosen)}")
    base = starting_base(table.prompts["prompt"].tolist(), say) if use_base else None
    client = tracking.start()
    parameters = {
        "outcomes": ", ".join(path.name for path in outcomes),
        "datasets": ", ".join(datasets) or "all",
        "candidates": "|".join(chosen),
        "data_fingerprint": table.fingerprint,
        "prompts": len(table.prompts),
        "schema_hash": schema_hash(),
        "seed": seed,
        "n_folds": n_folds,
        "use_other_models": use_other_models,
        "base": base is not None,
        **(settings.to_json() if settings is not None else {}),
    }
    with cluster(dask), tracking.run("train", parameters) as run_id:
        features = extract_all(table.prompts["prompt"].tolist())
        say(f"evaluating on held-out folds ({n_folds} by group) ...")
        judged = evaluate(
            table,
            chosen,
            n_folds=n_folds,
            seed=seed,
            use_other_models=use_other_models,
            base=base,
            features=features,
            settings=settings,
        )
        say("fitting on everything ...")
        data = training_data(table, chosen, features, use_other_models=use_other_models)
        fitted = fit(data, _info(table, parameters, judged), settings=settings, base=base, seed=seed)
        log_evaluation(table, judged, importance=dict(zip(FEATURE_NAMES, fitted.feature_gain.tolist(), strict=True)))
        mlflow.log_metric("fit_seconds", time.perf_counter() - started)
        tracking.log_predictor(fitted.predictor)
    number = tracking.register(client, run_id)
    promoted, why = _decide(judged, table.fingerprint) if promote_if_better else (False, "not asked for (--promote)")
    if promoted:
        promote.run(version=number, client=client)
    return {
        "version": number,
        "run_id": run_id,
        "promoted": promoted,
        "why": why,
        "champion": str(champion_folder()),
        "candidates": list(chosen),
        "prompts": len(table.prompts),
        "figures": {name: [figure.value, figure.low, figure.high] for name, figure in judged.figures.items()},
        "alarm": judged.alarm,
        "seconds": round(time.perf_counter() - started, 1),
        "tracking_uri": mlflow.get_tracking_uri(),
        "calibration_error_of_fit": _calibration(fitted, data.scores[:, 0]),
    }


def _info(table: OutcomeTable, parameters: dict[str, Any], judged: Evaluation) -> dict[str, Any]:
    """What the artifact's manifest says about its making."""
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "training": {
            **{key: parameters[key] for key in ("outcomes", "datasets", "data_fingerprint", "prompts", "seed")},
            "mean_score": {name: round(float(table.scores[name].mean()), 4) for name in judged.candidates},
        },
        "metrics": {name: round(figure.value, 4) for name, figure in judged.figures.items()},
        "versions": versions(),
    }


def _decide(judged: Evaluation, fingerprint: str) -> tuple[bool, str]:
    """Whether to promote: a first champion always, a successor only if no worse on the same data."""
    try:
        champion = load(champion_folder())
    except ArtifactError:
        return True, "there was no champion that can be served"
    if champion.candidates != judged.candidates:
        return False, "the champion routes between other candidates; to switch, 'turnout promote challenger'"
    if champion.info.get("training", {}).get("data_fingerprint") != fingerprint:
        return False, "the champion was trained on other data; compare them, then 'turnout promote challenger'"
    before, now = champion.info.get("metrics", {}).get("apgr", 0.0), judged.figures["apgr"].value
    if not now >= before - 1e-4:  # written so that a figure that is not a number never promotes
        return False, f"held-out apgr {now:.3f} is below the champion's {before:.3f} on the same data"
    return True, f"held-out apgr {now:.3f} is not below the champion's {before:.3f} on the same data"


def _calibration(fitted: Fitted, cheapest: Any) -> float:
    return round(calibration_error(fitted.out_of_fold[:, 0], cheapest), 4)
