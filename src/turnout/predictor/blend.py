"""How the n-gram part and the tree part of each output are put together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from turnout import kernel


@dataclass(frozen=True, slots=True)
class Blend:
    """output = offset + ngram_gain * n-gram part + tree_gain * tree part; each array of shape (n_outputs,)."""

    offset: NDArray[np.float32]
    ngram_gain: NDArray[np.float32]
    tree_gain: NDArray[np.float32]

    def __post_init__(self) -> None:
        kernel.lay_out(self, "offset", "ngram_gain", "tree_gain")


def blend_outputs(blend: Blend, ngram_part: NDArray[np.float32], tree_part: NDArray[np.float32]) -> NDArray[np.float32]:
    """Blend the two parts; both of shape (..., n_outputs)."""
    return np.asarray(blend.offset + blend.ngram_gain * ngram_part + blend.tree_gain * tree_part, np.float32)
