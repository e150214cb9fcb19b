"""Leave one table out: the pools of a table as a newcomer finds them, with none, a few and many labels of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from common import say
from day_zero_tables import World, rows_of, without_table
from judging import Pool
from numpy.typing import NDArray

from turnout.descriptors import describe
from turnout.learning.dataset import FeatureTable
from turnout.learning.evaluation import predict_table
from turnout.learning.metrics import bootstrap, routing_figures
from turnout.predictor.base import BasePredictor
from turnout.predictor.fit import TrainingData, fit
from turnout.predictor.fit_prior import design_rows, fit_prior

LABELS = {50: 6, 200: 6, 1000: 3, 5000: 1}
"""Own labelled prompts, and how many draws of them are averaged."""

Figures = dict[str, Any]
Scores = NDArray[np.float64]


def learning_curves(world: World, pools: list[Pool], most_labels: int = 5000) -> list[Figures]:
    """Of each pool: apgr at 0 labels with its interval, and the curves of base, own and both."""
    found = []
    for table in sorted({pool.table.stem for pool in pools}):
        say(f"without {table} ...")
        base = without_table(world, table)
        for pool in (pool for pool in pools if pool.table.stem == table):
            say(f"  {pool.name}")
            found.append(_of_pool(world, base, pool, most_labels))
    return found


def _of_pool(world: World, base: BasePredictor, pool: Pool, most_labels: int) -> Figures:
    rows = rows_of(world, pool.table.stem)
    outcomes = pd.read_parquet(pool.table, columns=["prompt_id", "model", "score"])
    wide = outcomes[outcomes["model"].isin(pool.candidates)].pivot_table(
        index="prompt_id", columns="model", values="score"
    )
    scores = wide.reindex(world.tables.prompt_id[rows])[list(pool.candidates)].to_numpy(np.float64)
    starts = np.array([str(name).startswith(pool.dataset) for name in world.tables.dataset[rows]])
    keep = np.isfinite(scores).all(1) & starts
    rows, scores = rows[keep], scores[keep]
    features = world.features.take(rows)
    groups = world.tables.group[rows]
    dataset = world.tables.dataset[rows].astype(str)
    design = design_rows(base.traits, features.dense, features.ngrams)
    zero = base.lines([describe(name) for name in pool.candidates]).p_success(design)
    cold = bootstrap(lambda at: routing_figures(scores[at], zero[at], dataset[at]), len(rows))
    figures: Figures = {
        "pool": pool.name,
        "prompts": len(rows),
        "zero": {
            name: [cold[name].value, cold[name].low, cold[name].high] for name in ("apgr", "offload_1pt", "brier")
        },
        "expected": zero.mean(0).tolist(),
        "means": scores.mean(0).tolist(),
        "curve": [],
    }
    for labels, draws in LABELS.items():
        if labels > min(most_labels, 0.8 * len(rows)):
            continue
        drawn = [_at(base, pool, features, design, scores, groups, dataset, labels, seed) for seed in range(draws)]
        figures["curve"].append({"labels": labels, **_averaged(drawn)})
    return figures


def _at(
    base: BasePredictor,
    pool: Pool,
    features: FeatureTable,
    design: Scores,
    scores: Scores,
    groups: NDArray[np.int64],
    dataset: NDArray[np.str_],
    labels: int,
    seed: int,
) -> Figures:
    """Figures of each way on the prompts that are not among the labelled ones."""
    order = np.random.default_rng(1000 + seed).permutation(len(scores))
    inside, outside = np.sort(order[:labels]), np.sort(order[labels:])
    outside = outside[~np.isin(groups[outside], groups[inside])]
    data = TrainingData(
        pool.candidates,
        features.dense[inside],
        features.ngrams[inside],
        scores[inside].astype(np.float32),
        groups[inside],
    )
    rest = features.take(outside)
    moved = fit_prior(base, pool.candidates, design[inside], data.scores)
    ways = {
        "base": base.lines([describe(name) for name in pool.candidates]).p_success(design[outside]),
        "base, moved": moved.p_success(design[outside]),
        "own": predict_table(fit(data, seed=seed).predictor, rest),
        "both": predict_table(fit(data, base=base, seed=seed).predictor, rest),
    }
    return {
        way: {
            key: routing_figures(scores[outside], guess, dataset[outside])[key]
            for key in ("apgr", "offload_1pt", "brier")
        }
        for way, guess in ways.items()
    }


def _averaged(drawn: list[Figures]) -> Figures:
    """Means over the draws, and the standard errors of what both is better by."""
    found: Figures = {
        way: {key: float(np.mean([one[way][key] for one in drawn])) for key in drawn[0][way]} for way in drawn[0]
    }
    for other in ("own", "base"):
        gains = np.array([one["both"]["apgr"] - one[other]["apgr"] for one in drawn])
        found[f"over_{other}"] = [
            float(gains.mean()),
            float(gains.std(ddof=1) / np.sqrt(len(gains))) if len(gains) > 1 else None,
        ]
    return found
