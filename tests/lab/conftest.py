"""What tests of the laboratory share: its smallest language model on the real engine, and an HTTP client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from turnout.lab.engine import LabEngine, serve

SMALL = Path(__file__).parents[2] / "models" / "lab" / "small.gguf"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        yield session


@pytest.fixture(scope="session")
def small() -> Iterator[LabEngine]:
    """The engine with the smallest file, for all tests of a process."""
    pytest.importorskip("xllamacpp", reason="the real engine needs xllamacpp")
    with serve(SMALL) as engine:
        engine.connection.close()  # it connects anew by itself
        yield engine


@pytest.fixture
def small_file() -> Path:
    """The smallest file, where the engine is there to run it."""
    pytest.importorskip("xllamacpp", reason="the real engine needs xllamacpp")
    return SMALL
