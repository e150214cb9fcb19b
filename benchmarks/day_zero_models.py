"""Leave one language model out: what the base predictor says of it, held against its real outcomes.

Language models are dealt into folds by what they are, so that one that stands in several tables is left out of all of them at
once; its prompts are read by parts that never saw their group. Yardsticks are fitted on the same language models.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from common import say
from day_zero_tables import World
from numpy.typing import NDArray
from scipy.stats import spearmanr

from turnout.descriptors import Descriptor
from turnout.learning.base.fit import fit_base
from turnout.learning.base.tables import Block
from turnout.predictor.ability import encode
from turnout.predictor.prior import design

FOLDS = 10
LEAST_PROMPTS = 400
NEAR = 0.3
"""Language models "of its size": within this of log10 of billions of parameters, a factor of two."""

Figures = dict[str, Any]


def leave_models_out(world: World, folds: int = FOLDS) -> list[Figures]:
    """One entry for each language model and table with enough prompts."""
    identities = sorted({repr(one.identity) for block in world.tables.blocks for one in block.descriptors})
    deal = np.random.default_rng(0).permutation(len(identities)) % folds
    fold_of = dict(zip(identities, deal.tolist(), strict=True))
    found: list[Figures] = []
    for fold in range(folds):
        say(f"language models: fold {fold + 1} of {folds} ...")
        left_out = [name for name, number in fold_of.items() if number == fold]

        def unseen(descriptor: Descriptor, names: frozenset[str] = frozenset(left_out)) -> bool:
            return repr(descriptor.identity) in names

        fitted = fit_base(world.tables.without_models(unseen), world.features, seed=fold)
        for block in world.tables.blocks:
            gone, seen = block.keep(unseen), block.keep(lambda descriptor: not unseen(descriptor))
            if gone is None:
                continue
            traits = fitted.out_of_fold[gone.rows]
            for column, (name, descriptor) in enumerate(zip(gone.models, gone.descriptors, strict=True)):
                known = ~np.isnan(gone.scores[:, column]) & np.isfinite(traits).all(1)
                if known.sum() < LEAST_PROMPTS:
                    continue
                scores = gone.scores[known, column]
                lines = fitted.predictor.lines([descriptor])
                expected = lines.p_success(design(traits[known]))[:, 0]
                prior = lines.serve(fitted.predictor.traits)
                found.append(
                    {
                        "model": name,
                        "table": block.name,
                        "prompts": int(known.sum()),
                        "mean": float(scores.mean()),
                        "expected": float(expected.mean()),
                        **_interval(prior, design(traits[known])),
                        "brier": float(((expected - scores) ** 2).mean()),
                        **_yardsticks(seen, descriptor, scores),
                    }
                )
    return found


def _interval(prior: Any, rows: NDArray[np.float64]) -> Figures:
    """The ends of the 90 % interval of the mean score, the same quantile of ability on every prompt."""
    low, high = prior.interval(rows)
    return {"low": float(low[:, 0].mean()), "high": float(high[:, 0].mean())}


def _yardsticks(seen: Block | None, descriptor: Descriptor, scores: NDArray[np.float64]) -> Figures:
    """Brier scores of constants: the mean of all others in the table, and of those of its size (else of all)."""
    if seen is None:
        return {"brier_all": None, "brier_size": None}
    means = np.nanmean(seen.scores, axis=0)
    size = encode(descriptor)[0]
    near = [abs(encode(other)[0] - size) <= NEAR for other in seen.descriptors]
    of_size = means[near].mean() if any(near) else means.mean()
    return {
        "brier_all": float(((means.mean() - scores) ** 2).mean()),
        "brier_size": float(((of_size - scores) ** 2).mean()),
    }


def summary(rows: list[Figures], draws: int = 2000) -> Figures:
    """Differences to the yardsticks with 95 % bootstrap intervals over language models, and rank correlations."""
    rng = np.random.default_rng(0)
    judged = [row for row in rows if row["brier_all"] is not None]
    names = sorted({row["model"] for row in judged})
    found: Figures = {"models": len(names), "entries": len(judged)}
    for yardstick in ("brier_all", "brier_size"):
        by_model = np.array(
            [np.mean([row[yardstick] - row["brier"] for row in judged if row["model"] == name]) for name in names]
        )
        drawn = by_model[rng.integers(0, len(names), (draws, len(names)))].mean(1)
        found[f"better_than_{yardstick[6:]}"] = [
            float(by_model.mean()),
            *map(float, np.quantile(drawn, [0.025, 0.975])),
        ]
    found["brier"] = float(np.mean([row["brier"] for row in judged]))
    found["brier_of_all"] = float(np.mean([row["brier_all"] for row in judged]))
    found["brier_of_size"] = float(np.mean([row["brier_size"] for row in judged]))
    found["rank"] = float(spearmanr([row["expected"] for row in judged], [row["mean"] for row in judged])[0])
    found["rank_by_table"] = {
        table: [float(spearmanr(*_pair(judged, table))[0]), len(_pair(judged, table)[0])]
        for table in sorted({row["table"] for row in judged})
        if len(_pair(judged, table)[0]) >= 5
    }
    found["covered"] = float(np.mean([row["low"] <= row["mean"] <= row["high"] for row in judged]))
    return found


def _pair(rows: list[Figures], table: str) -> tuple[list[float], list[float]]:
    inside = [row for row in rows if row["table"] == table]
    return [row["expected"] for row in inside], [row["mean"] for row in inside]
