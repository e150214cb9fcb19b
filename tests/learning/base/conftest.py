"""What is fitted in the tiny world (`world.py`), which tests/conftest.py makes once for all."""

from __future__ import annotations

import pytest
from tests.learning.base.world import World

from turnout.learning.base.fit import FittedBase
from turnout.learning.base.tables import Tables


@pytest.fixture(scope="session")
def tables(world: World) -> Tables:
    return world.tables


@pytest.fixture(scope="session")
def fitted(world: World) -> FittedBase:
    return world.fitted
