"""Checkpoints of the laboratory's trainings: everything that going on needs, written whole or not at all."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch  # type: ignore[import-not-found, unused-ignore]
from turnout_pipelines.lab import gguf_file
from turnout_pipelines.lab.model import Weights
from turnout_pipelines.lab.sizes import Size

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
    wrong: dict[str, float] = field(default_factory=dict)
    """By family; see `data.Mixture`."""
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


def shipped(name: str) -> Path:
    """Where the file of that size is shipped."""
    return models_folder() / "lab" / f"{name}.gguf"


def read(name: str) -> Checkpoint:
    """The last one of that size, or the shipped file as one whose optimizers begin anew.

    Raises:
        ArtifactMissingError: it was never trained here, and none is shipped.
        ArtifactCorruptError: the shipped file is not one of the laboratory's.
    """
    path = path_of(name)
    if path.exists():
        return Checkpoint(**torch.load(path, weights_only=True))
    file = shipped(name)
    if file.exists() and (known := gguf_file.trained(file)):
        weights = load(file)[1]
        return Checkpoint(weights, known.seed, known.steps, known.minutes * 60.0, known.tokens)
    raise ArtifactMissingError(f"{path}: no training to use; python -m turnout_pipelines.lab.training --model {name}")


def load(path: Path) -> tuple[Size, Weights]:
    """A file's weights for PyTorch, float32.

    Raises:
        ArtifactMissingError: there is no such file.
        ArtifactCorruptError: it is not one of the laboratory's.
    """
    size, arrays = gguf_file.read(path)
    return size, {name: torch.from_numpy(values) for name, values in arrays.items()}
