"""Reading configurations out of texts, and what is wrong with them as (line, path) pairs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from turnout.config.loader import Loaded, load_content
from turnout.config.machine import Machine
from turnout.config.problems import InvalidConfigurationError, Problem

ROOT = Path(__file__).parents[2]
PLAIN = Machine(memory_mb=24_000, cores=8, gpu=False)


@pytest.fixture(scope="session")
def example() -> str:
    """The example at the top of the repository."""
    return (ROOT / "config" / "hybrid.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def read() -> Callable[..., Loaded]:
    """Load a text as f.yaml with an empty environment on an ordinary machine."""

    def read(text: str | bytes, **options: Any) -> Loaded:
        content = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        return load_content(content, "f.yaml", **{"environment": {}, "machine": lambda: PLAIN, **options})

    return read


@pytest.fixture(scope="session")
def refused(read: Callable[..., Loaded]) -> Callable[..., tuple[Problem, ...]]:
    """The problems of a text, which must have some."""

    def refused(text: str | bytes, **options: Any) -> tuple[Problem, ...]:
        with pytest.raises(InvalidConfigurationError) as caught:
            read(text, **options)
        assert caught.value.problems
        return caught.value.problems

    return refused
