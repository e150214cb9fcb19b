"""The linear n-gram part: TF-IDF over hashed n-grams, one weight for each bucket and candidate.

Only the rows of the buckets that are present are gathered; no sparse matrix is built at run time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from turnout import kernel


def term_weights(
    idf: NDArray[np.float32], buckets: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.float32], float]:
    """TF-IDF values of one prompt, of unit length, and the share of its n-grams never seen in training.

    tf = 1 + ln(count), as in scikit-learn's `sublinear_tf`; buckets whose idf is 0 were not seen and count for nothing.
    """
    known = idf[buckets]
    values = (1.0 + np.log(counts)) * known if counts.max(initial=1) > 1 else known
    length = math.sqrt(float(values @ values))
    unseen = 1.0 - int(np.count_nonzero(known)) / len(buckets) if len(buckets) else 1.0
    return (values / length if length else values).astype(np.float32), unseen


@dataclass(frozen=True, slots=True)
class NgramModel:
    """Expected score of each candidate from n-grams alone.

    idf : float32 (BUCKETS,), 0 where never seen. weights : float32 (BUCKETS, n_candidates).
    intercept : float32 (n_candidates,).
    """

    idf: NDArray[np.float32]
    weights: NDArray[np.float32]
    intercept: NDArray[np.float32]

    def __post_init__(self) -> None:
        kernel.lay_out(self, "idf", "weights", "intercept")

    def predict_one(self, buckets: NDArray[np.int64], counts: NDArray[np.int64]) -> tuple[NDArray[np.float32], float]:
        """Scores of shape (n_candidates,) and the share of n-grams never seen, in [0, 1]."""
        if kernel.COMPILED:
            scores = np.empty(len(self.intercept), np.float32)
            unseen = kernel.native.ngram_scores(self.idf, self.weights, self.intercept, buckets, counts, scores)
            return scores, unseen
        values, unseen = term_weights(self.idf, buckets, counts)
        return values @ self.weights.take(buckets, axis=0) + self.intercept, unseen
