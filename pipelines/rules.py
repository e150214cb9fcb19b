"""The configuration's rules as a policy on logged decisions: what they would have chosen with no predictor beside them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from turnout.config.loader import load
from turnout.config.routing import Exploration
from turnout.errors import DataError, RequestError
from turnout.history.reader import HistoryReader
from turnout.learning.logged import LoggedDecisions
from turnout.policy import Router
from turnout.policy.policy import Policy

_NO_SCHEMA = ""
"""Of no features: asked for these, the history gives prompts."""


def of_rules(logged: LoggedDecisions, reader: HistoryReader, config: Path | None) -> NDArray[np.float64]:
    """Float64 (n, k), one 1 in each row; what was chosen where the rules' choice is none of the candidates.

    Raises:
        DataError: the history keeps no prompts.
    """
    configuration = load(config).configuration
    hybrid = replace(configuration.hybrid, exploration=Exploration(enabled=False), challenger="off")
    router = Router(None, policy=Policy(replace(configuration, hybrid=hybrid)))
    rows = {name: row for row, name in enumerate(logged.ids.tolist())}
    choice = logged.chosen.copy()
    asked = 0
    for batch in reader.batches(_NO_SCHEMA):
        for decision in batch.decisions:
            row = rows.get(decision.id)
            if row is None or decision.prompt is None:
                continue
            asked += 1
            wanted = _choice(router, decision.prompt)
            if wanted in logged.candidates and logged.eligible[row, logged.candidates.index(wanted)]:
                choice[row] = logged.candidates.index(wanted)
    if not asked:
        raise DataError("rules read prompts, and this history keeps none (history.prompts)")
    target = np.zeros((len(logged), len(logged.candidates)))
    target[np.arange(len(logged)), np.where(logged.pinned, logged.chosen, choice)] = 1.0
    return target


def _choice(router: Router, prompt: str) -> str:
    try:
        return router.route(prompt).candidate
    except RequestError:  # nobody can serve it as things are configured now
        return ""
