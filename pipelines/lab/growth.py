"""Growing a language model: one of twice the width, and deeper, that says at first exactly what the smaller one says.

Learning goes on from there, at a fraction of what the larger one would need to learn the same from nothing. Every
channel is there twice, and each matrix W becomes W/2 + R and W/2 - R on the two copies of its input: R cancels as long as
they are equal, and what is learnt makes them differ. New blocks begin by adding nothing.
"""

from __future__ import annotations

import torch  # type: ignore[import-not-found, unused-ignore]
from turnout_pipelines.lab.model import Tensor, Weights, fresh
from turnout_pipelines.lab.sizes import Size

_NOISE = 0.5
"""R, as a share of fresh weights."""


def grown(small: Weights, small_size: Size, size: Size, seed: int) -> Weights:
    """Weights of `size` that compute what `small` computes; `size` is twice as wide and at least as deep."""
    weights = fresh(size, seed)
    for name in weights:
        if not name.startswith("blk."):
            weights[name] = torch.cat((small[name], small[name]), -1)
    weights["output_norm.weight"] /= 2  # the embedding is the output layer too, and has every channel twice
    places = {old * (size.layers - 1) // max(1, small_size.layers - 1): old for old in range(small_size.layers)}
    for layer in range(size.layers):
        for name in [name for name in weights if name.startswith(f"blk.{layer}.")]:
            kind = name.split(".")[2]
            if layer in places:
                weights[name] = _doubled(small[f"blk.{places[layer]}.{kind}.weight"], weights[name])
            elif kind in ("attn_output", "ffn_down"):
                weights[name] = torch.zeros_like(weights[name])
    return weights


def _doubled(weight: Tensor, noise: Tensor) -> Tensor:
    """The weight for inputs and outputs that are there twice."""
    if weight.ndim == 1:
        return torch.cat((weight, weight))
    half = torch.cat((weight, weight)) / 2
    apart = noise[:, : weight.shape[1]] * _NOISE
    return torch.cat((half + apart, half - apart), 1)
