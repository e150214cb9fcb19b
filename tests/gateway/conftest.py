"""A gateway in front of emulated providers for each module of tests, healed before each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.gateway.world import World, opened


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One gateway for all tests of a module; take `world` instead, which is healed."""
    with opened(tmp_path_factory.mktemp("gateway")) as world:
        yield world


@pytest.fixture
def world(gateway: World) -> World:
    """The gateway of this module with providers that are well and fast."""
    gateway.heal()
    return gateway
