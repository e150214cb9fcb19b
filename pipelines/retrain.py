"""Retrain: the history in, a challenger out, held against the champion; what is shown to be better serves.

One at a time, under a lock. Until the very end nothing that serves is touched: an interruption at any point leaves the
champion as it was, and a promotion is one rename, which running gateways notice by themselves. The confidence model is
fitted to the same history and has a gate of its own, the default on answers that it did not see.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from turnout_pipelines import drift, promote, tracking
from turnout_pipelines.cluster import cluster
from turnout_pipelines.sources import Source, locked, say
from turnout_pipelines.tuned import tuned_settings
from turnout_pipelines.versions import versions

from turnout.config.paths import challenger_folder, champion_folder, confidence_file, models_folder
from turnout.errors import ArtifactError
from turnout.execution.judging import ConfidenceModel
from turnout.files import write_aside
from turnout.learning.base.start import starting_base
from turnout.learning.challenge import Challenge, challenge
from turnout.learning.confidence_history import ConfidenceHistory, is_fitted, told
from turnout.learning.from_history import MIN_SUPPORT, HistorySettings, from_history
from turnout.learning.gate_page import gate_page
from turnout.learning.history_counts import HistoryCounts
from turnout.learning.logged import LoggedDecisions
from turnout.learning.mixing import of_table
from turnout.learning.outcomes import read_outcomes
from turnout.predictor import Predictor, load, save
from turnout.predictor.settings import FitSettings

REPORT = "gate.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a retraining is asked for; see `run`."""

    source: Source
    outcomes: Sequence[Path] = ()
    candidates: Sequence[str] = ()
    max_rows: int = 200_000
    promote_if_better: bool = True
    use_base: bool = True
    seed: int = 0
    settings: FitSettings | None = None


def run(
    *,
    history: str = "",
    config: Path | None = None,
    outcomes: Sequence[Path] = (),
    candidates: Sequence[str] = (),
    max_rows: int = 200_000,
    promote_if_better: bool = True,
    use_base: bool = True,
    seed: int = 0,
    dask: str = "",
) -> dict[str, Any]:
    """Retrain once, with the settings that a tuning found where there are any; returns what the command prints.

    Args:
        history: the history's address; by default that of the configuration.
        config: the configuration file; by default the one that the loader finds.
        outcomes: full-information tables to train on beside the history.
        candidates: only these; by default all with enough results.
        max_rows: the most decisions that are trained on, a sample of a longer history.
        promote_if_better: let a challenger that passes the gate serve.
        use_base: start from the base predictor.
        dask: the address of a cluster's scheduler; empty computes here.

    Raises:
        TooFewRowsError: the history has too little to learn from.
        HistoryError: there is none, or it cannot be read.
        TrainingBusyError: another training is under way.
        ConfigurationError: the tuned settings are damaged.
    """
    wanted = Wanted(
        source=Source.of(history, config),
        outcomes=outcomes,
        candidates=candidates,
        max_rows=max_rows,
        promote_if_better=promote_if_better,
        use_base=use_base,
        seed=seed,
        settings=tuned_settings(),
    )
    with locked(models_folder()), cluster(dask):
        return _retrain(wanted)


def _retrain(wanted: Wanted) -> dict[str, Any]:
    started = time.perf_counter()
    answers = ConfidenceHistory(wanted.source.weights)
    logged, counts = _read(wanted, answers)
    champion = _champion(logged.candidates)
    changed = _changed(logged, champion)
    logged = logged.since(changed)
    more = None
    if wanted.outcomes:
        table = read_outcomes(wanted.outcomes)
        say(f"{len(table.prompts):,} prompts of outcome tables beside it")
        more = of_table(table, logged.candidates)
    client = tracking.start()
    parameters = {
        "history": str(wanted.source),
        "outcomes": ", ".join(path.name for path in wanted.outcomes) or "none",
        "candidates": "|".join(logged.candidates),
        "decisions": len(logged),
        "max_rows": wanted.max_rows,
        "seed": wanted.seed,
        **(wanted.settings.to_json() if wanted.settings is not None else {}),
    }
    with tracking.run("retrain", parameters) as run_id:
        info = _info(logged, counts, parameters, changed)
        found = challenge(
            logged,
            champion,
            info=info,
            more=more,
            base=starting_base((), say) if wanted.use_base else None,
            settings=wanted.settings,
            seed=wanted.seed,
            progress=say,
        )
        page = _log(found, counts, parameters)
        tracking.log_predictor(found.predictor)
        confidence = _confidence(answers)
    number = tracking.register(client, run_id)
    save(found.predictor, challenger_folder())
    if wanted.promote_if_better and (is_fitted(confidence) or confidence_file().exists()):
        confidence.save(confidence_file())
    promoted, why = _promoted(found, champion, wanted.promote_if_better)
    report = models_folder() / "reports" / f"{number}.html"
    write_aside(report, page.encode())
    if promoted:
        promote.run(version=number, client=client)
    return {
        "version": number,
        "run_id": run_id,
        "promoted": promoted,
        "verdict": found.judgement.verdict,
        "why": why,
        "checks": [[check.name, check.passed, check.text] for check in found.judgement.checks],
        "estimates": {name: [one.dr.value, one.dr.low, one.dr.high] for name, one in found.estimates.items()},
        "candidates": list(logged.candidates),
        "history": counts.to_json(),
        "confidence": told(confidence),
        "report": str(report),
        "champion": str(champion_folder()),
        "seconds": round(time.perf_counter() - started, 1),
        "tracking_uri": mlflow.get_tracking_uri(),
    }


def _read(wanted: Wanted, answers: ConfidenceHistory) -> tuple[LoggedDecisions, HistoryCounts]:
    say(f"reading {wanted.source} ...")
    settings = HistorySettings(
        candidates=tuple(wanted.candidates) or None,
        max_rows=wanted.max_rows,
        weights=wanted.source.weights,
        seed=wanted.seed,
    )
    with wanted.source.reader() as reader:
        logged, counts = from_history(reader, settings, answers.take)
    say(
        f"{counts.read:,} decisions, {counts.scored:,} with a result, {len(logged):,} kept; candidates, cheapest first: "
        f"{', '.join(logged.candidates)}"
    )
    return logged, counts


def _champion(candidates: Sequence[str]) -> Predictor | None:
    try:
        champion = load(champion_folder())
    except ArtifactError as error:
        say(f"no champion that can be served ({error}); the challenger is held against what was done")
        return None
    if not set(champion.candidates) & set(candidates):
        say("the champion knows none of these candidates; the challenger is held against what was done")
        return None
    return champion


def _changed(logged: LoggedDecisions, champion: Predictor | None) -> dict[str, float]:
    """Since when the results of a candidate are of what answers under its name today: Unix seconds.

    What the champion did not learn from for that reason is not learned now either: its own decisions show only what has
    changed since. A candidate of whom too little is known since then keeps its old results; the log would else have none.
    """
    moments = _learned_since(champion)
    for alarm in drift.changed(logged, champion):
        assert alarm.candidate is not None
        column = logged.candidates.index(alarm.candidate)
        known = int(np.isfinite(logged.scores[logged.created_at >= alarm.since, column]).sum())
        if known >= MIN_SUPPORT:
            moments[alarm.candidate] = max(alarm.since, moments.get(alarm.candidate, 0.0))
            say(f"{alarm.text}; learned from its {known:,} results since then alone")
        else:
            say(f"{alarm.text}; it is learned anew once {MIN_SUPPORT} results are known since then, now {known:,} are")
    return moments


def _learned_since(champion: Predictor | None) -> dict[str, float]:
    told = ((champion.info.get("training") or {}) if champion is not None else {}).get("since") or {}
    return {candidate: moment for candidate, moment in told.items() if isinstance(moment, int | float)}


def _confidence(answers: ConfidenceHistory) -> ConfidenceModel:
    """The confidence model of this history, its figures in the active run; nothing of it depends on the gate."""
    model = answers.fit()
    mlflow.log_metrics({f"confidence_{name}": value for name, value in model.figures.items()})
    mlflow.set_tag("confidence", told(model))
    return model


def _promoted(found: Challenge, champion: Predictor | None, wanted: bool) -> tuple[bool, str]:
    """Whether it serves from now on, and why or why not."""
    judgement = found.judgement
    if not judgement.promote:
        return False, judgement.why
    if not wanted:
        return False, f"it would be {judgement.why}; not asked for"
    return True, judgement.why + ("" if champion is not None else "; no champion knew these candidates")


def _info(
    logged: LoggedDecisions, counts: HistoryCounts, parameters: Mapping[str, Any], changed: Mapping[str, float]
) -> dict[str, Any]:
    """What the artifact's manifest says about its making."""
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "training": {
            "history": parameters["history"],
            "outcomes": parameters["outcomes"],
            "decisions": len(logged),
            "until": counts.last_at,
            "since": dict(changed),
            "seed": parameters["seed"],
            "data_fingerprint": f"{int(counts.last_at):x}-{counts.read:x}",
        },
        "versions": versions(),
    }


def _log(found: Challenge, counts: HistoryCounts, parameters: Mapping[str, Any]) -> str:
    """Everything about the gate into the active run; returns the page."""
    judgement = found.judgement
    page = gate_page(
        found,
        title="Challenger against champion",
        facts={**parameters, "trained on": found.trained_on, "judged on": len(found.judged), **counts.to_json()},
    )
    score = judgement.difference.score
    mlflow.log_metrics(
        {
            "gain": score.value,
            "gain_low": score.low,
            "gain_high": score.high,
            "effective_rows": judgement.difference.support.effective_rows,
            **{f"value_{_safe(name)}": one.dr.value for name, one in found.estimates.items()},
        }
    )
    mlflow.set_tags({"verdict": judgement.verdict, "why": judgement.why})
    mlflow.log_text(page, REPORT)
    mlflow.log_dict(judgement.to_json(), "gate.json")
    return page


def _safe(name: str) -> str:
    """A metric's name as MLflow takes it."""
    return "".join(letter if letter.isalnum() or letter in "_-./ " else "_" for letter in name)
