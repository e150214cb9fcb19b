"""One look at providers and machine for a command that routes: the snapshot that a running Turnout would have."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from turnout.config.paths import state_folder
from turnout.types import Snapshot

if TYPE_CHECKING:
    from turnout.config.schema import Configuration


def look(configuration: Configuration) -> Snapshot:
    """Ask every enabled provider once; one that does not answer is part of the result, not an error."""
    return asyncio.run(_look(configuration))


async def _look(configuration: Configuration) -> Snapshot:
    from turnout.config.schema import provider_settings
    from turnout.providers import Fleet  # network libraries, for commands that talk to providers only
    from turnout.resources import Reader

    path = state_folder() / "speeds.json"
    fleet = Fleet(provider_settings(configuration), health=configuration.performance.health, estimates_path=path)
    async with fleet:
        return replace(fleet.snapshot(), resources=Reader().read())
