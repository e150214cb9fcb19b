"""Checkpoints of the laboratory's trainings: everything that going on needs, written whole or not at all."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch  # type: ignore[import-not-found, unused-ignore]
from turnout_pipelines.lab.model import Weights

from turnout.config.paths import models_folder
from turnout.errors import ArtifactMissingError
from turnout.files import write_aside


@dataclass(slots=True)
class Checkpoint:
    """A training after `steps` steps and `seconds` of work; `run_id` is its MLflow run."""

    weights: Weights
    seed: int
    steps: int = 0
    seconds: float = 0.0
    tokens: int = 0
    run_id: str = ""
    loss: dict[str, float] = field(default_factory=dict)
    optimizers: list[dict[str, Any]] = field(default_factory=list)


def path_of(name: str) -> Path:
    """Where the training of that size is kept."""
    return models_folder() / "lab-training" / f"{name}.pt"


def write(checkpoint: Checkpoint, name: str) -> None:
    """Put it in the place of the one before."""
    content = io.BytesIO()
    weights = {key: value.detach() for key, value in checkpoint.weights.items()}
    kept = {key: getattr(checkpoint, key) for key in checkpoint.__slots__}
    torch.save(kept | {"weights": weights}, content)
    write_aside(path_of(name), content.getvalue())


def read(name: str) -> Checkpoint:
    """The last one of that size.

    Raises:
        ArtifactMissingError: it was never trained here.
    """
    path = path_of(name)
    if not path.exists():
        raise ArtifactMissingError(
            f"{path}: no training to use; python -m turnout_pipelines.lab.training --model {name}"
        )
    return Checkpoint(**torch.load(path, weights_only=True))
