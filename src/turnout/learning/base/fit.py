"""Fitting the base predictor: abilities from descriptors, traits from text, one after the other and then once more.

Prompts are weighted so that no table drowns the others. All parts that read text are fitted out of fold by group as well,
so that what follows is calibrated on prompts they never saw.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from turnout.learning.base.ability_fit import fit_abilities
from turnout.learning.base.items import items, targets
from turnout.learning.base.seen import digests
from turnout.learning.base.tables import Tables
from turnout.learning.dataset import FeatureTable
from turnout.predictor.ability import Covariance
from turnout.predictor.base import BasePredictor
from turnout.predictor.blend import Blend, blend_outputs
from turnout.predictor.fit_blend import fit_blend
from turnout.predictor.fit_ngrams import fit_ngrams
from turnout.predictor.fit_trees import fit_trees
from turnout.predictor.linear import NgramModel
from turnout.predictor.prior import DOMAINS, TRAITS, Traits
from turnout.predictor.prior_arrays import rounded
from turnout.predictor.settings import FitSettings
from turnout.predictor.trees import Forest

Matrix = NDArray[np.float32]

DOUBT: Final = np.array([0.7, 0.2, *(0.3 for _ in DOMAINS)])
"""How far lines are off together, in log-odds, on prompts of a kind that training had none of; rounded from what the six tables
of `benchmarks/day_zero.py` show when each is left out."""

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class FittedBase:
    """A base predictor, and the traits of all rows by parts that never saw the row's group: float32 (n, n_traits)."""

    predictor: BasePredictor
    out_of_fold: Matrix


def fit_base(
    tables: Tables,
    features: FeatureTable,
    info: Mapping[str, Any] | None = None,
    *,
    covariance: Covariance | None = None,
    settings: FitSettings | None = None,
    seed: int = 0,
    progress: Progress = lambda _: None,
) -> FittedBase:
    """Fit on all rows of the tables that some block holds.

    Args:
        features: of all rows of the tables, in order.
        covariance: hyperparameters of the abilities; None finds them.
        progress: told which part is being fitted.
    """
    settings = settings or FitSettings()
    progress("abilities")
    abilities = fit_abilities(tables.blocks, covariance, tune=covariance is None)
    found = items(tables, abilities)
    rows = np.flatnonzero(~np.isnan(found.level))
    slopes, weight = targets(tables, found)
    groups, ngrams, dense = tables.group[rows], features.ngrams[rows], features.dense[rows]
    progress("level")
    level = _fit_part(ngrams, dense, found.level[rows, None], groups, None, settings, seed)
    progress("slopes")
    slope = _fit_part(ngrams, dense, slopes[rows], groups, weight[rows], settings, seed)
    traits = Traits(
        rounded(
            NgramModel(
                level.ngrams.idf,
                np.hstack([level.ngrams.weights, slope.ngrams.weights]),
                np.concatenate([level.ngrams.intercept, slope.ngrams.intercept]),
            )
        ),
        _side_by_side(level.forest, slope.forest),
        Blend(
            *(
                np.concatenate([getattr(level.blend, part), getattr(slope.blend, part)])
                for part in ("offset", "ngram_gain", "tree_gain")
            )
        ),
        level.novelty_limit,
    )
    out = np.full((len(tables.prompts), len(TRAITS)), np.nan, np.float32)
    out[rows] = np.hstack([level.out_of_fold, slope.out_of_fold])
    return FittedBase(
        BasePredictor(traits, abilities, DOUBT, digests([tables.prompts[row] for row in rows]), dict(info or {})), out
    )


@dataclass(frozen=True, slots=True)
class _Part:
    ngrams: NgramModel
    forest: Forest
    blend: Blend
    novelty_limit: float
    out_of_fold: Matrix


def _fit_part(
    ngrams: sparse.csr_matrix,
    dense: Matrix,
    wanted: NDArray[np.float64],
    groups: NDArray[np.int64],
    weights: NDArray[np.float64] | None,
    settings: FitSettings,
    seed: int,
) -> _Part:
    """N-grams, trees and their blend for outputs that share their weights."""
    values = wanted.astype(np.float32)
    counts = None if weights is None else weights.astype(np.float32)
    model, ngram_out, novelty = fit_ngrams(ngrams, values, groups, seed, counts, penalty=settings.ridge_penalty)
    forest, tree_out, _ = fit_trees(dense, values, groups, seed, counts, settings)
    blend = fit_blend(ngram_out, tree_out, values, counts)
    return _Part(model, forest, blend, novelty, blend_outputs(blend, ngram_out, tree_out))


def _side_by_side(left: Forest, right: Forest) -> Forest:
    """One forest with the outputs of both."""
    parts = ("feature", "threshold", "leaves", "baseline")
    return Forest(*(np.concatenate([getattr(left, part), getattr(right, part)]) for part in parts))
