"""A predictor of candidates nobody has logged: the base predictor's lines, and nothing of its own yet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from turnout.descriptors import describe
from turnout.features import FEATURE_NAMES
from turnout.features.ngrams import BUCKETS
from turnout.predictor.base import BasePredictor
from turnout.predictor.blend import Blend
from turnout.predictor.linear import NgramModel
from turnout.predictor.model import Predictor
from turnout.predictor.trees import LEAVES, TESTS, Forest


def day_zero(base: BasePredictor, candidates: Sequence[str]) -> Predictor:
    """What is believed of the candidates before any outcome; their names tell what they are."""
    n = len(candidates)
    prior = base.lines([describe(name) for name in candidates]).serve(base.traits)
    nothing = np.zeros(n, np.float32)
    return Predictor(
        candidates=tuple(candidates),
        # What the base predictor never saw is new here, too.
        ngrams=NgramModel(base.traits.ngrams.idf, np.zeros((BUCKETS, n), np.float32), nothing),
        forest=Forest(
            np.zeros((n, TESTS), np.int32),
            np.full((n, TESTS), np.inf, np.float32),
            np.zeros((n, LEAVES), np.float32),
            nothing,
        ),
        blend=Blend(nothing, nothing, nothing),
        calibration=None,
        to_outputs=np.eye(n, dtype=np.float32),
        to_scores=np.eye(n, dtype=np.float32),
        feature_mean=np.zeros(len(FEATURE_NAMES), np.float32),
        feature_std=np.ones(len(FEATURE_NAMES), np.float32),
        seconds=None,
        cost_usd=None,
        novelty_limit=base.traits.novelty_limit,
        info={"base": dict(base.info), "training": "none: what is known of the candidates by their names"},
        prior=prior,
    )
