"""Where a life is played: the files that play, and folders of its own for all that is learned.

Nothing of the user's is touched: champion, versions and tracked runs of the life lie in its own folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

from turnout_pipelines.lab import gguf_file
from turnout_pipelines.lab.story_plan import Phase, Served

_ALWAYS: Final = (
    "hybrid.personal=false",
    "routing.escalation.enabled=false",
    "routing.conversations.enabled=false",
    "performance.health.interval_s=1",
)
"""Escalation asks twice where the first answer is not trusted; this life is about the first choice alone."""


@dataclass(frozen=True, slots=True)
class Stage:
    """The folder of a life, laid out. `strong` are the files that the strong candidate's name stands for."""

    folder: Path
    strong: Mapping[Served, Path]
    preference: str

    @classmethod
    def build(cls, folder: Path, fast: Path, strong: Path, preference: str) -> Self:
        """With both files in a folder that the laboratory opens, and a worse copy of the strong one elsewhere.

        Raises:
            ArtifactCorruptError: the strong file is not a language model of the laboratory.
        """
        stage = cls(folder, {"right": strong, "worse": folder / "worse" / strong.name}, preference)
        stage.files.mkdir(parents=True)
        for file in (fast, strong):
            (stage.files / file.name).symlink_to(file.absolute())
        write_pruned(strong, stage.strong["worse"])
        return stage

    @property
    def files(self) -> Path:
        """The language models that the laboratory runs."""
        return self.folder / "files"

    @property
    def state(self) -> Path:
        """The state folder of the client that serves, with its history."""
        return self.folder / "state"

    @property
    def history(self) -> str:
        """The history's address."""
        return f"sqlite:///{self.state.absolute() / 'history.db'}"

    def settings(self, phase: Phase) -> tuple[str, ...]:
        """What the operator configures for a phase, over the laboratory's own configuration."""
        explored = f"hybrid.exploration.rate={phase.exploration}"
        return (*_ALWAYS, explored, f"routing.preference={self.preference}")


@contextmanager
def at_home(folder: Path) -> Iterator[None]:
    """Let models, state and tracked runs live in `folder`, without the base predictor, until the block ends."""
    told = {
        "TURNOUT_MODELS": str(folder / "models"),
        "TURNOUT_STATE": str(folder / "state"),
        "TURNOUT_BASE": "off",
        "MLFLOW_TRACKING_URI": "",
    }
    before = {name: os.environ.get(name) for name in told}
    os.environ.update(told)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def write_pruned(source: Path, target: Path) -> None:
    """Write a language model without its last layer: it answers at once, in the same voice, and hardly ever right.

    Raises:
        ArtifactMissingError: there is no source.
        ArtifactCorruptError: it is not a language model of the laboratory.
    """
    size, weights = gguf_file.read(source)
    kept = size.layers - 1
    target.parent.mkdir(parents=True, exist_ok=True)
    gguf_file.write(
        target, replace(size, layers=kept), {name: each for name, each in weights.items() if _layer(name) < kept}
    )


def _layer(weight: str) -> int:
    """The layer that a weight is of, counted from 0; -1 for what is of none."""
    found = re.match(r"blk\.(\d+)\.", weight)
    return int(found[1]) if found else -1
