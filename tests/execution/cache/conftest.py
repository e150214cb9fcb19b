"""A Redis of one's own, one for each test process, and the event loop that the asynchronous tests run in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.execution.cache.redis_server import serve_redis


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The address of a Redis that nobody else uses. Skips where there is none, fails with TURNOUT_REQUIRE_REDIS=1."""
    with serve_redis() as url:
        yield url
