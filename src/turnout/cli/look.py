"""One look at the outside for a command: the snapshot that a running Turnout would have, or the status that one gives."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from turnout.config.paths import state_folder
from turnout.types import Snapshot

if TYPE_CHECKING:
    from turnout.config.schema import Configuration

_GATEWAY_WITHIN_S: Final = 0.3
"""A gateway on this machine answers in a hundredth of that; where none runs, nobody should wait for it."""

_MOST_STATUS_BYTES: Final = 8 << 20
_ANYWHERE: Final = ("", "0.0.0.0", "::")  # noqa: S104 - compared with, never bound to


def look(configuration: Configuration) -> Snapshot:
    """Ask every enabled provider once; one that does not answer is part of the result, not an error."""
    import asyncio

    return asyncio.run(_look(configuration))


def ask_gateway(host: str, port: int) -> dict[str, Any] | None:
    """The status of the gateway at an address; None where none answers within `_GATEWAY_WITHIN_S`, or not with one."""
    import http.client
    import json

    connection = http.client.HTTPConnection("127.0.0.1" if host in _ANYWHERE else host, port, timeout=_GATEWAY_WITHIN_S)
    try:
        connection.request("GET", "/turnout/status")
        response = connection.getresponse()
        status = json.loads(response.read(_MOST_STATUS_BYTES)) if response.status == http.HTTPStatus.OK else None
    except (OSError, http.client.HTTPException, ValueError, RecursionError):
        return None
    finally:
        connection.close()
    return status if isinstance(status, dict) and {"version", "configuration", "candidates"} <= status.keys() else None


async def _look(configuration: Configuration) -> Snapshot:
    from turnout.config.schema import provider_settings
    from turnout.providers import Fleet  # network libraries, for commands that talk to providers only
    from turnout.resources import Reader

    state = state_folder()
    fleet = Fleet(
        provider_settings(configuration),
        health=configuration.performance.health,
        estimates_path=state / "speeds.json",
    )
    async with fleet:
        return replace(fleet.snapshot(), resources=Reader(state).read())
