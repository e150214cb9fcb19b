"""A challenger out of a log: trained on its older decisions, held against the champion on its newer ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from turnout.errors import TooFewRowsError
from turnout.learning import partial, policies
from turnout.learning.direct import expected_scores
from turnout.learning.from_history import MIN_SUPPORT
from turnout.learning.gate import Contender, Judgement, judge
from turnout.learning.logged import LoggedDecisions
from turnout.learning.mixing import mixed
from turnout.learning.offpolicy import Estimate, estimate
from turnout.predictor import Predictor
from turnout.predictor.base import BasePredictor
from turnout.predictor.fit import TrainingData, fit
from turnout.predictor.settings import FitSettings

JUDGED_SHARE: Final = 0.3
"""The newest part of the log, which judges; what is older trains."""

MIN_ROWS: Final = 200
"""With fewer scored decisions than this, 60 would judge, and no interval could lie above 0."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """What became of a challenger.

    judged : the decisions that it was judged on. contenders : champion and challenger. estimates : what each policy would
    have been worth on them, yardsticks included, by name.
    """

    predictor: Predictor
    judgement: Judgement
    judged: LoggedDecisions
    contenders: tuple[Contender, Contender]
    estimates: Mapping[str, Estimate]
    trained_on: int


def challenge(
    logged: LoggedDecisions,
    champion: Predictor | None,
    *,
    info: Mapping[str, Any] | None = None,
    more: TrainingData | None = None,
    base: BasePredictor | None = None,
    settings: FitSettings | None = None,
    seed: int = 0,
    progress: Callable[[str], None] = lambda _: None,
) -> Challenge:
    """Train a challenger and hold it against the champion; without one, against what was done.

    Args:
        logged: oldest first.
        info: goes into the challenger's manifest.
        more: rows of full-information tables to train on beside the log, with the log's candidates.
        base: what is believed of the candidates before any of it.
        settings: the challenger's hyperparameters; None is the defaults.
        progress: told what is going on.

    Raises:
        TooFewRowsError: too little is known to train and to judge.
    """
    older, newer = split_by_time(logged)
    progress(f"training on {len(older):,} decisions, judging on the {len(newer):,} newest ...")
    data = partial.training_data(older)
    known = data if more is None else mixed(data, more)
    predictor = fit(known, info, settings=settings, base=base, seed=seed).predictor
    progress("judging ...")
    model = expected_scores(newer, seed=seed)
    before = as_contender("champion", newer, champion)
    after = as_contender("challenger", newer, predictor)
    targets = {
        "challenger": after.target,
        "champion": before.target,
        "what was done": policies.as_predicted(newer),
        **{f"always {name}": policies.always(newer, name) for name in newer.candidates},
        "random": policies.uniform(newer),
    }
    return Challenge(
        predictor=predictor,
        judgement=judge(newer, before, after, model, seed=seed),
        judged=newer,
        contenders=(before, after),
        estimates={name: estimate(newer, target, model, seed=seed) for name, target in targets.items()},
        trained_on=data.scores.shape[0],
    )


def as_contender(name: str, logged: LoggedDecisions, predictor: Predictor | None) -> Contender:
    """A predictor before the gate; None is what was done at the time, with the chances that were given then."""
    if predictor is None:
        known = np.nan_to_num(logged.predicted, nan=float(np.nanmean(logged.score))).astype(np.float64)
        return Contender(name, policies.as_predicted(logged), known)
    chance = policies.chances(logged, predictor)
    return Contender(name, policies.greedy(logged, chance), chance)


def split_by_time(logged: LoggedDecisions, share: float = JUDGED_SHARE) -> tuple[LoggedDecisions, LoggedDecisions]:
    """The older and the newest decisions; of a group that is in both, the older ones are left out.

    Later than by `share` where a candidate would else have less than half of its results to train on: one whose language
    model has changed has new results only.

    Raises:
        TooFewRowsError: fewer than `MIN_ROWS` have a score.
    """
    if (count := int(logged.scored.sum())) < MIN_ROWS:
        raise TooFewRowsError(
            f"{count} decisions have a known result; {MIN_ROWS} are the least that a challenger is trained and judged on"
        )
    order = np.argsort(logged.created_at, kind="stable")
    known = np.isfinite(logged.scores[order])
    halves = [int(np.median(np.flatnonzero(column))) for column in known.T if column.sum() >= MIN_SUPPORT]
    cut = max([len(order) - max(1, round(share * len(order))), *halves])
    newer = order[cut:]
    older = order[:cut][~np.isin(logged.groups[order[:cut]], logged.groups[newer])]
    if not len(older):
        raise TooFewRowsError("every older decision is about a prompt of the newest ones; there is nothing to train on")
    return logged.take(older), logged.take(newer)
