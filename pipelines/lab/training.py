"""Train a language model of the laboratory, a checkpoint each minute, curves in MLflow.

    python -m turnout_pipelines.lab.training --model small --minutes 5 --seed 0     # then medium, then large

Needs the extra `lab-train`. A larger model begins as the next smaller one, grown; give it another seed, or it reads the
same tasks again. Minutes are of work, in all: with `--resume` a training that was interrupted ends as planned, and one
that has ended goes on if more minutes are given. Seeds fix the first weights and the tasks of each step; how many steps
fit into the minutes is the computer's affair.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence
from typing import Any, Final

import mlflow
import torch  # type: ignore[import-not-found, unused-ignore]
import torch.nn.functional as F  # type: ignore[import-not-found, unused-ignore]  # noqa: N812
from turnout_pipelines import tracking
from turnout_pipelines.lab import checkpoint
from turnout_pipelines.lab.checkpoint import Checkpoint
from turnout_pipelines.lab.data import NOT_LEARNT, Mixture, Rows, by_length
from turnout_pipelines.lab.growth import grown
from turnout_pipelines.lab.model import Tensor, Weights, fresh, logits
from turnout_pipelines.lab.scores import right
from turnout_pipelines.lab.sizes import SIZES, Size

from turnout.errors import TurnoutError
from turnout.lab import generate

_PARTS: Final = 3
_WARM_UP: Final = 0.04
_LAST_RATE: Final = 0.02
_TOLD_EVERY: Final = 50
_KEPT_EVERY_S: Final = 60.0
_CURVE_TASKS: Final = 440
_CURVE_SEED: Final = 1_000_003
"""Of the held-out tasks that the curves are drawn with; the card's figures are of others."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; returns the exit status, 1 if there is nothing to resume."""
    parser = argparse.ArgumentParser(prog="lab.training", description="Train a language model of the laboratory.")
    parser.add_argument("--model", choices=SIZES, required=True)
    parser.add_argument("--minutes", type=float, required=True, help="of work, those before --resume included")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint, with its seed")
    parser.add_argument("--threads", type=int, default=0, help="of PyTorch; 0 leaves it to PyTorch")
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    size = SIZES[options.model]
    try:
        start = checkpoint.read(size.name) if options.resume else _first(size, options.seed)
        train(size, start, options.minutes * 60.0)
    except TurnoutError as error:
        print(f"lab.training: {error}", file=sys.stderr)
        return 1
    return 0


def train(size: Size, state: Checkpoint, seconds: float) -> Checkpoint:
    """Train until `seconds` of work are done; returns what is written as the checkpoint."""
    for value in state.weights.values():
        value.requires_grad_()
    optimizers = _optimizers(state.weights, size)
    for optimizer, kept in zip(optimizers, state.optimizers, strict=False):
        optimizer.load_state_dict(kept)
    mixture = Mixture({**Mixture().wrong, **state.wrong})
    tracking.start()
    with mlflow.start_run(run_id=state.run_id or None, run_name=f"lab {size.name}") as run:
        if not state.run_id:
            mlflow.log_params(
                {"model": size.name, "seed": state.seed, "parameters": size.parameters, "batch": size.batch}
            )
        state.run_id = run.info.run_id
        mlflow.set_tag("minutes", round(seconds / 60, 2))
        kept_at = state.seconds
        while state.seconds < seconds:
            began = time.perf_counter()
            loss = _step(size, state, optimizers, mixture, state.seconds / seconds)
            state.seconds += time.perf_counter() - began
            if state.steps % _TOLD_EVERY == 0:
                _tell(size, state, loss)
            if state.seconds - kept_at > _KEPT_EVERY_S:
                kept_at = state.seconds
                _keep(size, state, optimizers, mixture)
        _keep(size, state, optimizers, mixture)
    return state


def _first(size: Size, seed: int) -> Checkpoint:
    """Where a training begins: random weights, or those of the size that this one grows from."""
    if not size.grown_from:
        return Checkpoint(fresh(size, seed), seed)
    smaller = checkpoint.read(size.grown_from)
    weights = grown(smaller.weights, SIZES[size.grown_from], size, seed)
    return Checkpoint(weights, seed, wrong=dict(smaller.wrong))


def rate(progress: float) -> float:
    """The share of the learning rate at a share of the training: up, then down along half a cosine."""
    down = _LAST_RATE + (1 - _LAST_RATE) * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
    return min(1.0, progress / _WARM_UP + 0.01) * down


def _optimizers(weights: Weights, size: Size) -> list[Any]:
    """Muon for the matrices of the blocks, which then need a fraction of the steps; AdamW for the rest."""
    blocks = [value for name, value in weights.items() if value.ndim == 2 and name.startswith("blk.")]
    rest = [value for name, value in weights.items() if value.ndim == 1 or not name.startswith("blk.")]
    muon = torch.optim.Muon(blocks, lr=size.learning_rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw")
    adam = torch.optim.AdamW(rest, lr=size.learning_rate / 2, betas=(0.9, 0.95), weight_decay=0.0)
    for optimizer in (muon, adam):
        for group in optimizer.param_groups:
            group["peak"] = group["lr"]
    return [muon, adam]


def _losses(weights: Weights, size: Size, part: Rows) -> Tensor:
    """Nats by row and place, 0 where nothing is learnt; computed in bfloat16."""
    small = {name: value.bfloat16() for name, value in weights.items()}
    said = logits(small, size, torch.from_numpy(part.tokens)).flatten(0, 1).float()
    targets = torch.from_numpy(part.targets)
    return F.cross_entropy(said, targets.flatten(), ignore_index=NOT_LEARNT, reduction="none").view(targets.shape)


def _step(
    size: Size,
    state: Checkpoint,
    optimizers: Sequence[Any],
    mixture: Mixture,
    progress: float,
) -> float:
    """One step of both optimizers; returns the mean loss in nats a token."""
    parts = by_length(mixture.draw(state.seed, state.steps, size.batch, 1.0 if size.grown_from else progress), _PARTS)
    learnt = sum(int((part.targets != NOT_LEARNT).sum()) for part in parts)
    total = 0.0
    for part in parts:
        losses = _losses(state.weights, size, part)
        (losses.sum() / learnt).backward()
        by_row = losses.detach().sum(1).numpy()
        total += float(by_row.sum())
        mixture.learn(part.tasks, by_row)
        state.tokens += part.tokens.size
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * rate(progress)
        optimizer.step()
        optimizer.zero_grad()
    state.steps += 1
    return total / learnt


def _tell(size: Size, state: Checkpoint, loss: float) -> None:
    speed = state.tokens / max(state.seconds, 1e-9)
    mlflow.log_metrics({"loss": loss, "minutes": state.seconds / 60, "tokens": state.tokens}, step=state.steps)
    print(
        f"{size.name}: step {state.steps:,}, {state.seconds / 60:.1f} min, loss {loss:.3f}, {speed:,.0f} tokens/s",
        file=sys.stderr,
        flush=True,
    )


def _keep(size: Size, state: Checkpoint, optimizers: Sequence[Any], mixture: Mixture) -> None:
    """Write the checkpoint, and a point of the curves."""
    state.wrong, state.optimizers = dict(mixture.wrong), [optimizer.state_dict() for optimizer in optimizers]
    checkpoint.write(state, size.name)
    score = right(state.weights, size, generate(_CURVE_TASKS, _CURVE_SEED)).mean()
    by_family = {f"wrong_{family}": value for family, value in mixture.wrong.items()}
    mlflow.log_metrics({"heldout_score": float(score), **by_family}, step=state.steps)
    told = " ".join(f"{family} {value:.0%}" for family, value in mixture.wrong.items())
    print(f"{size.name}: {score:.1%} of held-out tasks right; wrong in training: {told}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
