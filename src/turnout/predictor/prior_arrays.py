"""Traits and priors as named arrays, for the files of predictors and of the base predictor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from turnout.features import FEATURE_NAMES
from turnout.features.ngrams import BUCKETS
from turnout.predictor.blend import Blend
from turnout.predictor.linear import NgramModel
from turnout.predictor.prior import TRAITS, WIDTH, Prior, Traits
from turnout.predictor.trees import LEAVES, TESTS, Forest

Arrays = dict[str, NDArray[Any]]

PREFIX: Final = "prior_"
_BLEND: Final = ("offset", "ngram_gain", "tree_gain")


def traits_arrays(traits: Traits) -> Arrays:
    """The arrays of what reads the text. N-gram weights are kept as float16, as `rounded` made them."""
    seen = np.flatnonzero(traits.ngrams.idf)
    return {
        f"{PREFIX}ngram_buckets": seen.astype(np.uint32),
        f"{PREFIX}ngram_idf": traits.ngrams.idf[seen].astype(np.float16),
        f"{PREFIX}ngram_weights": traits.ngrams.weights[seen].astype(np.float16),
        f"{PREFIX}ngram_intercept": traits.ngrams.intercept,
        f"{PREFIX}tree_feature": traits.forest.feature.astype(np.int16),
        f"{PREFIX}tree_threshold": traits.forest.threshold,
        f"{PREFIX}tree_leaves": traits.forest.leaves,
        f"{PREFIX}tree_baseline": traits.forest.baseline,
        f"{PREFIX}novelty_limit": np.array([traits.novelty_limit]),
        **{f"{PREFIX}blend_{part}": getattr(traits.blend, part) for part in _BLEND},
    }


def prior_arrays(prior: Prior) -> Arrays:
    """The arrays of a prior."""
    lines: Arrays = {"mean": prior.mean, "covariance": prior.covariance, "to_scores": prior.to_scores}
    return traits_arrays(prior.traits) | {f"{PREFIX}{name}": array for name, array in lines.items()}


def rounded(ngrams: NgramModel) -> NgramModel:
    """The model as its file holds it, so that what was fitted is what is served."""
    idf, weights = (array.astype(np.float16).astype(np.float32) for array in (ngrams.idf, ngrams.weights))
    return NgramModel(idf, weights, ngrams.intercept)


def read_traits(arrays: Mapping[str, NDArray[Any]]) -> Traits:
    """The traits back.

    Raises:
        KeyError, ValueError: an array is missing, or not of the shape and kind it must have.
    """
    n_traits, n_seen = len(TRAITS), len(arrays[f"{PREFIX}ngram_buckets"])
    n_trees = len(arrays[f"{PREFIX}tree_feature"])
    check(
        arrays,
        {
            f"{PREFIX}ngram_buckets": ("u", (n_seen,)),
            f"{PREFIX}ngram_idf": ("f", (n_seen,)),
            f"{PREFIX}ngram_weights": ("f", (n_seen, n_traits)),
            f"{PREFIX}ngram_intercept": ("f", (n_traits,)),
            f"{PREFIX}tree_feature": ("i", (n_trees, TESTS)),
            f"{PREFIX}tree_threshold": ("f", (n_trees, TESTS)),
            f"{PREFIX}tree_leaves": ("f", (n_trees, LEAVES)),
            f"{PREFIX}tree_baseline": ("f", (n_traits,)),
            f"{PREFIX}novelty_limit": ("f", (1,)),
            **{f"{PREFIX}blend_{part}": ("f", (n_traits,)) for part in _BLEND},
        },
    )
    feature, buckets = arrays[f"{PREFIX}tree_feature"], arrays[f"{PREFIX}ngram_buckets"]
    if not n_trees or n_trees % n_traits or feature.min() < 0 or feature.max() >= len(FEATURE_NAMES):
        raise ValueError("the prior's trees do not fit the features")
    if n_seen and int(buckets.max()) >= BUCKETS:
        raise ValueError("an n-gram bucket of the prior is out of range")
    idf = np.zeros(BUCKETS, np.float32)
    idf[buckets] = arrays[f"{PREFIX}ngram_idf"]
    weights = np.zeros((BUCKETS, n_traits), np.float32)
    weights[buckets] = arrays[f"{PREFIX}ngram_weights"]
    return Traits(
        NgramModel(idf, weights, arrays[f"{PREFIX}ngram_intercept"]),
        Forest(feature, *(arrays[f"{PREFIX}tree_{part}"] for part in ("threshold", "leaves", "baseline"))),
        Blend(*(arrays[f"{PREFIX}blend_{part}"] for part in _BLEND)),
        float(arrays[f"{PREFIX}novelty_limit"][0]),
    )


def read_prior(arrays: Mapping[str, NDArray[Any]], n_candidates: int) -> Prior | None:
    """The prior back, None where a predictor started from nothing.

    Raises:
        KeyError, ValueError: as in `read_traits`.
    """
    if f"{PREFIX}mean" not in arrays:
        return None
    shapes = {
        "mean": (n_candidates, WIDTH),
        "covariance": (n_candidates, WIDTH, WIDTH),
        "to_scores": (n_candidates, n_candidates),
    }
    check(arrays, {f"{PREFIX}{name}": ("f", shape) for name, shape in shapes.items()})
    return Prior(read_traits(arrays), *(arrays[f"{PREFIX}{name}"] for name in shapes))


def check(arrays: Mapping[str, NDArray[Any]], expected: Mapping[str, tuple[str, tuple[int, ...]]]) -> None:
    """Refuse arrays of another kind or shape, and numbers that are none.

    Raises:
        KeyError, ValueError: as in `read_traits`.
    """
    for name, (kind, shape) in expected.items():
        array = arrays[name]
        if array.shape != shape or array.dtype.kind != kind:
            raise ValueError(f"{name} is {array.dtype} of shape {array.shape}, expected kind {kind!r}, shape {shape}")
        if not name.endswith("tree_threshold") and not np.isfinite(array).all():
            raise ValueError(f"{name} is not finite")
