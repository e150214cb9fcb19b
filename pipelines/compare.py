"""Evaluate on a history: what any policies would have been worth on decisions of which only the chosen result is known."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from turnout_pipelines import tracking
from turnout_pipelines.rules import of_rules
from turnout_pipelines.sources import Source, say

from turnout.config.paths import challenger_folder, champion_folder
from turnout.errors import ArtifactError, DataError
from turnout.learning import policies
from turnout.learning.direct import expected_scores
from turnout.learning.from_history import HistorySettings, from_history
from turnout.learning.logged import LoggedDecisions
from turnout.learning.metrics import Interval
from turnout.learning.offpolicy import Estimate, difference, estimate
from turnout.predictor import load

DEFAULT = ("champion", "challenger", "logged", "random")
KNOWN = "champion, challenger, logged, random, rules, always:CANDIDATE, version:N, or a predictor's folder"


def run(
    *,
    history: str = "",
    config: Path | None = None,
    compared: Sequence[str] = (),
    candidates: Sequence[str] = (),
    max_rows: int = 200_000,
    seed: int = 0,
) -> dict[str, Any]:
    """Estimate policies on a history, each alone and each pair; returns what the command prints.

    Args:
        history, config, candidates, max_rows: see `retrain.run`.
        compared: names of policies, see `KNOWN`; by default those of `DEFAULT` that there are, and each candidate always.

    Raises:
        DataError: a policy is unknown.
        ArtifactError: a predictor that was named cannot be loaded.
        TooFewRowsError, HistoryError: the history has nothing to evaluate on.
    """
    source = Source.of(history, config)
    say(f"reading {source} ...")
    settings = HistorySettings(
        candidates=tuple(candidates) or None, max_rows=max_rows, weights=source.weights, seed=seed
    )
    with source.reader() as reader:
        logged, counts = from_history(reader, settings)
        named = tuple(compared) or _default(logged)
        targets = {name: _target(name, logged, reader, config) for name in named}
    say(f"{len(logged):,} decisions with a result; estimating {len(targets)} policies ...")
    model = expected_scores(logged, seed=seed)
    estimates = {name: estimate(logged, target, model, seed=seed) for name, target in targets.items()}
    pairs = {
        f"{first} − {second}": difference(logged, targets[first], targets[second], model, seed=seed)
        for first, second in combinations(targets, 2)
    }
    return {
        "decisions": len(logged),
        "candidates": list(logged.candidates),
        "history": counts.to_json(),
        "policies": {name: _plain(one) for name, one in estimates.items()},
        "differences": {
            name: {"score": _bounds(one.score), "differ": one.differ, "support": asdict(one.support)}
            for name, one in pairs.items()
        },
    }


def _default(logged: LoggedDecisions) -> tuple[str, ...]:
    folders = {"champion": champion_folder(), "challenger": challenger_folder()}
    names = [name for name in DEFAULT if name not in folders or _knows(folders[name], logged)]
    return (*names, *(f"always:{candidate}" for candidate in logged.candidates))


def _knows(folder: Path, logged: LoggedDecisions) -> bool:
    """Whether there is a predictor of any of these candidates."""
    try:
        return not set(load(folder).candidates).isdisjoint(logged.candidates)
    except ArtifactError:
        return False


def _target(name: str, logged: LoggedDecisions, reader: Any, config: Path | None) -> NDArray[Any]:
    kind, _, rest = name.partition(":")
    if kind == "always" and rest:
        return policies.always(logged, rest)
    if name == "logged":
        return policies.as_predicted(logged)
    if name == "random":
        return policies.uniform(logged)
    if name == "rules":
        wanted: NDArray[Any] = of_rules(logged, reader, config)
        return wanted
    if name in ("champion", "challenger"):
        return policies.of_predictor(logged, load(champion_folder() if name == "champion" else challenger_folder()))
    if kind == "version" and rest:
        with tempfile.TemporaryDirectory() as folder:
            _, path = tracking.download(tracking.start(), rest, Path(folder))
            return policies.of_predictor(logged, load(path))
    if name and Path(name).is_dir():
        return policies.of_predictor(logged, load(Path(name)))
    raise DataError(f"policy {name!r} is unknown; there is {KNOWN}")


def _plain(one: Estimate) -> dict[str, Any]:
    return {
        **{name: _bounds(getattr(one, name)) for name in ("dr", "snips", "ips", "direct")},
        "support": asdict(one.support),
    }


def _bounds(figure: Interval) -> list[float | None]:
    """JSON knows no NaN: what cannot be estimated is None."""
    return [value if math.isfinite(value) else None for value in (figure.value, figure.low, figure.high)]
