"""A llama in PyTorch, as functions over weights that bear their GGUF names: nothing is converted on export.

The two channels that a position rotates together are neighbours, as llama.cpp has them for this architecture.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import torch  # type: ignore[import-not-found, unused-ignore]
import torch.nn.functional as F  # type: ignore[import-not-found, unused-ignore]  # noqa: N812
from turnout_pipelines.lab.sizes import NORM_EPSILON, ROPE_BASE, Size
from turnout_pipelines.lab.vocabulary import END, VOCABULARY

Tensor: TypeAlias = Any
Weights: TypeAlias = dict[str, Tensor]


def fresh(size: Size, seed: int) -> Weights:
    """Random weights; what a block adds to the stream begins small, the more blocks there are."""
    chance = torch.Generator().manual_seed(seed)

    def matrix(rows: int, columns: int, scale: float = 1.0) -> Tensor:
        return torch.randn(rows, columns, generator=chance) * scale * columns**-0.5

    width, inner, added = size.width, size.feed_forward, (2 * size.layers) ** -0.5
    weights = {"token_embd.weight": matrix(VOCABULARY, width), "output_norm.weight": torch.ones(width)}
    for layer in range(size.layers):
        block = {
            "attn_norm": torch.ones(width),
            "attn_q": matrix(width, width),
            "attn_k": matrix(width, width),
            "attn_v": matrix(width, width),
            "attn_output": matrix(width, width, added),
            "ffn_norm": torch.ones(width),
            "ffn_gate": matrix(inner, width),
            "ffn_up": matrix(inner, width),
            "ffn_down": matrix(width, inner, added),
        }
        weights |= {f"blk.{layer}.{name}.weight": value for name, value in block.items()}
    return weights


def logits(weights: Weights, size: Size, tokens: Tensor) -> Tensor:
    """What follows each token, (row, place, vocabulary). Rows are padded at their end, where nobody looks.

    Computed in the type of the weights.
    """
    embedding = weights["token_embd.weight"]
    places = tokens.shape[1]
    turns = _turns(size, places)
    ahead = torch.full((places, places), float("-inf"), dtype=embedding.dtype).triu(1)
    stream = F.embedding(tokens, embedding)
    for layer in range(size.layers):
        own = [weights[f"blk.{layer}.{name}.weight"] for name in _BLOCK]
        stream = _block(stream, own, turns, ahead, size.heads)
    return F.linear(_norm(stream, weights["output_norm.weight"]), embedding)


def _block(stream: Tensor, weights: list[Tensor], turns: Tensor, ahead: Tensor, count: int) -> Tensor:
    """One block with `count` heads: what it makes of the stream.

    Written out and in few large products: for rows this short it is twice as fast on a CPU as what is fused.
    """
    norm_1, to_q, to_k, to_v, out, norm_2, gate, up, down = weights
    rows, places, width = stream.shape
    head = width // count
    both = F.linear(_norm(stream, norm_1), torch.cat((to_q, to_k, to_v)))
    both = both.view(rows, places, 3 * count, head).transpose(1, 2)
    q, k = _turned(both[:, : 2 * count], turns).reshape(rows, 2, -1, places, head).unbind(1)
    q, k, v = (part.reshape(-1, places, head) for part in (q, k, both[:, 2 * count :]))
    look = torch.baddbmm(ahead.expand(rows * count, places, places), q, k.transpose(1, 2), alpha=head**-0.5)
    seen = (torch.softmax(look, -1) @ v).view(rows, count, places, head).transpose(1, 2)
    stream = stream + F.linear(seen.reshape(rows, places, width), out)
    gates, ups = F.linear(_norm(stream, norm_2), torch.cat((gate, up))).chunk(2, -1)
    return stream + F.linear(F.silu(gates) * ups, down)


def greedy(weights: Weights, size: Size, prompt: list[list[int]], most: int) -> list[tuple[list[int], list[float]]]:
    """The likeliest next token again and again, for prompts of one length: tokens with END, and log-probabilities."""
    rows = torch.tensor(prompt)
    said: list[tuple[list[int], list[float]]] = [([], []) for _ in prompt]
    alive = list(range(len(prompt)))
    with torch.inference_mode():
        for _ in range(most):
            likely = torch.log_softmax(logits(weights, size, rows)[:, -1].float(), -1)
            best, token = likely.max(-1)
            rows = torch.cat((rows, token[:, None]), 1)
            for row, number in enumerate(alive):
                said[number][0].append(int(token[row]))
                said[number][1].append(float(best[row]))
            going = token != END
            rows, alive = rows[going], [number for row, number in enumerate(alive) if going[row]]
            if not alive:
                break
    return said


def to_arrays(weights: Weights) -> dict[str, np.ndarray]:
    """As NumPy has them, float32."""
    return {name: value.detach().float().numpy() for name, value in weights.items()}


_BLOCK = (
    "attn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_norm", "ffn_gate", "ffn_up", "ffn_down",
)  # fmt: skip


def _norm(values: Tensor, weight: Tensor) -> Tensor:
    return F.rms_norm(values, (values.shape[-1],), weight, NORM_EPSILON)


def _turns(size: Size, places: int) -> Tensor:
    """By how much each place turns each pair of channels: complex numbers of length 1."""
    speed = ROPE_BASE ** (-torch.arange(0, size.head_width, 2) / size.head_width)
    angle = torch.arange(places)[:, None] * speed
    return torch.polar(torch.ones_like(angle), angle)


def _turned(values: Tensor, turns: Tensor) -> Tensor:
    pairs = torch.view_as_complex(values.float().unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * turns).flatten(-2).to(values.dtype)
