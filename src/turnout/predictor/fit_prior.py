"""What a fit starts from: the base predictor's lines for the candidates, moved by the outcomes at hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from turnout.descriptors import describe
from turnout.predictor.adapt import adapt
from turnout.predictor.base import BasePredictor
from turnout.predictor.blend import blend_outputs
from turnout.predictor.fit_ngrams import tf_idf
from turnout.predictor.prior import Prior, Traits, design


def design_rows(traits: Traits, dense: NDArray[np.float32], ngrams: sparse.csr_matrix) -> NDArray[np.float64]:
    """Design rows (n, WIDTH) of many prompts: the batch form of `Traits.of`."""
    linear = tf_idf(ngrams, traits.ngrams.idf) @ traits.ngrams.weights + traits.ngrams.intercept
    return design(blend_outputs(traits.blend, linear.astype(np.float32), traits.forest.predict(dense)))


def fit_prior(
    base: BasePredictor,
    candidates: Sequence[str],
    rows: NDArray[np.float64],
    scores: NDArray[np.float32],
    weights: NDArray[np.float32] | None = None,
) -> Prior:
    """The prior of these candidates after their outcomes.

    Args:
        rows: design rows (n, WIDTH) of the prompts.
        scores: (n, n_candidates), NaN where unknown.
        weights: (n,), what each row counts; None where all count the same.
    """
    lines = base.lines([describe(name) for name in candidates])
    counts = None if weights is None else weights.astype(np.float64)
    return adapt(lines, rows, scores.astype(np.float64), counts).serve(base.traits)
