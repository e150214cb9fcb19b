"""What share of typical traffic a fast candidate can take from a strong one at a small loss."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

LOSS: Final = 0.01
"""Points of success, of 1, that may be lost on average over all prompts."""


def shares(fast: NDArray[np.float64], strong: NDArray[np.float64], loss: float = LOSS) -> NDArray[np.float64]:
    """The largest share in each draw, (n_draws,), for probabilities of success (n_draws, n_prompts).

    The prompts by which the strong candidate gains least go first, until what is lost by them, over all prompts, reaches
    `loss` against the strong one alone.
    """
    gains = np.sort(strong - fast, axis=1)
    lost = np.cumsum(gains, axis=1) / gains.shape[1]
    # Gains only grow along the prompts, so once it lies above, the loss never falls again.
    return np.asarray((lost <= loss).mean(axis=1))
