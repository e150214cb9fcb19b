"""Aims and yardsticks of routing quality on real outcomes, and whether figures reach them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from evidence_verdicts import Aim, above, at_least
from quality_tables import (
    MEAN_TARGET,
    ROUTELLM_BEST,
    ROUTELLM_LOOKUP,
    ROUTELLM_TARGET,
    UNSEEN_TARGET,
    mean_interval,
)

UNSEEN_POOL = "mmlu-mixtral-gpt4"
"""The pool that the aim for datasets never seen is about."""
RANDOM = 0.5

Figures = dict[str, Any]


def pools(figures: Figures) -> list[Aim]:
    """Means over the pools, beside every yardstick that a router could be replaced by."""
    rows = figures["in_domain"]
    apgr, offload = _mean(rows, "apgr"), _mean(rows, "offload_1pt")
    return [
        at_least(f"mean apgr of {len(rows)} pools", apgr, MEAN_TARGET),
        above("mean apgr over TF-IDF", mean_interval([row["apgr_over_tfidf"] for row in rows]), 0),
        beside("mean apgr", apgr, "lookup", _mean(rows, "dataset_apgr")),
        beside("mean offload", offload, "TF-IDF", _mean(rows, "tfidf_offload_1pt")),
        beside("mean offload", offload, "lookup", _mean(rows, "dataset_offload_1pt")),
        beside("mean offload", offload, "random", _mean(rows, "random_offload_1pt")),
    ]


def routellm(figures: Figures) -> list[Aim]:
    """Mean over draws of the prompts to learn from, beside what was published."""
    rows = figures["routellm"]
    apgr, what = _mean(rows, "apgr_routellm"), "mean apgr as RouteLLM counts it"
    return [
        at_least(what, apgr, ROUTELLM_TARGET),
        beside(what, apgr, "RouteLLM's best router, published", ROUTELLM_BEST),
        beside(what, apgr, "the mean of the prompt's subject, published", ROUTELLM_LOOKUP),
        beside(what, apgr, "TF-IDF", _mean(rows, "tfidf_apgr_routellm")),
    ]


def unseen(figures: Figures) -> list[Aim]:
    """The pool that the aim is about; every pool beside word statistics and above chance."""
    rows = figures["unseen_datasets"]
    (named,) = (row for row in rows if row["pool"] == UNSEEN_POOL)
    found = [at_least(f"apgr on {UNSEEN_POOL}", named["apgr"][0], UNSEEN_TARGET)]
    for row in rows:
        found.append(above(f"apgr on {row['pool']}, random being {RANDOM:g}", row["apgr"], RANDOM))
        found.append(beside(f"apgr on {row['pool']}", row["apgr"][0], "TF-IDF", row["tfidf_apgr"][0]))
    return found


def beside(what: str, figure: float, yardstick: str, least: float) -> Aim:
    """Reached from the yardstick upwards."""
    return Aim(f"{what}, beside {yardstick}", round(figure, 3), f"≥ {least:.3f}", figure >= least)


def _mean(rows: Sequence[Figures], key: str) -> float:
    return float(np.mean([row[key][0] for row in rows]))
