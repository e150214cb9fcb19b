"""A machine, candidates on it, and the base predictor that ships."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from turnout.predictor.base import BasePredictor
from turnout.predictor.base_artifact import load_base
from turnout.types import CandidateState, LanguageModel, Resources, Snapshot

GB = 10**9
SHIPPED = Path(__file__).parents[2] / "models" / "base"


@pytest.fixture(scope="session")
def base() -> BasePredictor:
    """The base predictor that ships."""
    return load_base(SHIPPED)


@pytest.fixture
def machine() -> Resources:
    """64 GB of memory, 50 of them free, and no card."""
    return Resources(sampled_s=0, ram_total_bytes=64 * GB, ram_free_bytes=50 * GB, cpu_share=0.1, ram_bytes_per_s=40e9)


def snapshot(machine: Resources | None, **models: dict[str, Any]) -> Snapshot:
    """A moment with these language models of one provider, by name."""
    states = {
        f"ollama/{name}": CandidateState(candidate=f"ollama/{name}", model=LanguageModel(name=name, **told))
        for name, told in models.items()
    }
    return Snapshot(taken_s=0.0, candidates=states, resources=machine)
