"""What outcomes tell of each prompt: its level and its slope over ability, and how much of the slope is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from turnout.learning.base.tables import Block, Tables
from turnout.predictor.ability import Abilities
from turnout.predictor.prior import DOMAINS

Matrix = NDArray[np.float64]

MIDDLE: Final = 0.5
"""The ability, on the probability scale, at which a prompt's level is read."""

SLOPE_VARIANCE: Final = 1.0
"""How much slopes of prompts differ; with it and `NOISE_VARIANCE` a slope's weight is the share of it that is known."""

NOISE_VARIANCE: Final = 0.15
"""Of a pass or fail about its chance, p (1 - p), on average over the tables."""

LEAST_WEIGHT: Final = 0.02


@dataclass(frozen=True, slots=True)
class Items:
    """Of every row of the tables: level and slope float64 (n,), weight (n,) in [0, 1] of the slope; NaN where no outcome."""

    level: Matrix
    slope: Matrix
    weight: Matrix


def items(tables: Tables, abilities: Abilities) -> Items:
    """Regression of each prompt's outcomes on the abilities of those that answered it.

    The slope is what the outcomes say, unshrunk, and its weight says how much that is worth; the level leans on the mean slope of
    the block as far as the prompt's own is not known.
    """
    n = len(tables.prompts)
    level, slope, weight = (np.full(n, np.nan) for _ in range(3))
    for block in tables.blocks:
        rows = block.rows
        level[rows], slope[rows], weight[rows] = _of_block(block, abilities)
    return Items(level, slope, weight)


def _of_block(block: Block, abilities: Abilities) -> tuple[Matrix, Matrix, Matrix]:
    log_odds = abilities.of(block.descriptors)[0][:, block.domain]
    able = 1.0 / (1.0 + np.exp(-log_odds)) - MIDDLE
    known = ~np.isnan(block.scores)
    scores = np.where(known, block.scores, 0.0)
    count = known.sum(1)
    mean_able, mean_score = (known * able).sum(1) / count, scores.sum(1) / count
    from_mean = np.where(known, able - mean_able[:, None], 0.0)
    information = (from_mean**2).sum(1)
    together = (from_mean * (scores - mean_score[:, None])).sum(1)
    typical = together.sum() / max(information.sum(), 1e-9)
    share = information * SLOPE_VARIANCE / (information * SLOPE_VARIANCE + NOISE_VARIANCE)
    slope = np.divide(together, information, out=np.full(len(count), typical), where=information > 1e-6)
    believed = share * slope + (1 - share) * typical
    return mean_score - believed * mean_able, slope, np.maximum(share, LEAST_WEIGHT)


def targets(tables: Tables, found: Items) -> tuple[Matrix, Matrix]:
    """Slopes for each domain (n, n_domains), zero outside a prompt's own, and their weights (n,)."""
    own = tables.domain[:, None] == np.arange(len(DOMAINS))[None]
    return np.where(own, found.slope[:, None], 0.0), found.weight
