"""Language models of the laboratory with random weights, for tests that need no PyTorch."""

from __future__ import annotations

import numpy as np
from turnout_pipelines.lab import vocabulary
from turnout_pipelines.lab.sizes import Size


def random_weights(size: Size, seed: int = 0) -> dict[str, np.ndarray]:
    """Weights by their names in the file."""
    chance = np.random.default_rng(seed)

    def matrix(rows: int, columns: int) -> np.ndarray:
        return (chance.standard_normal((rows, columns)) * columns**-0.5).astype(np.float32)

    ones = np.ones(size.width, np.float32)
    weights = {"token_embd.weight": matrix(vocabulary.VOCABULARY, size.width), "output_norm.weight": ones}
    for layer in range(size.layers):
        block = {name: matrix(size.width, size.width) for name in ("attn_q", "attn_k", "attn_v", "attn_output")}
        block |= {name: matrix(size.feed_forward, size.width) for name in ("ffn_gate", "ffn_up")}
        block |= {"ffn_down": matrix(size.width, size.feed_forward), "attn_norm": ones, "ffn_norm": ones}
        weights |= {f"blk.{layer}.{name}.weight": values for name, values in block.items()}
    return weights
