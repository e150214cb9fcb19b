"""Routes of the emulator's own, by which tests and demos look inside and switch faults on and off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from aiohttp import web

from turnout.emulators.engine import Engine
from turnout.emulators.faults import Fault, FaultPlan
from turnout.errors import ConfigurationError

ADMIN: Final = "/_emulator/"


class Steered(Protocol):
    """What the routes need of an emulator."""

    engine: Engine
    faults: FaultPlan

    @property
    def kind(self) -> str: ...
    @property
    def models(self) -> Mapping[str, Any]: ...
    @property
    def requests(self) -> Mapping[str, int]: ...
    def switch_on(self, fault: Fault, sparing: web.Request | None = None) -> None:
        """Add a fault."""


def admin_routes(emulator: Steered) -> list[web.RouteDef]:
    """`state` to look at, `faults` to add to (POST) and to clear (DELETE)."""

    async def state(_request: web.Request) -> web.Response:
        return web.json_response(
            {
                "kind": emulator.kind,
                "models": list(emulator.models),
                "requests": dict(emulator.requests),
                "faults": emulator.faults.to_json(),
                "struck": emulator.faults.struck,
                **emulator.engine.snapshot(),
            }
        )

    async def add_faults(request: web.Request) -> web.StreamResponse:
        try:
            faults = FaultPlan.read(await request.json())
        except (ConfigurationError, ValueError) as error:
            return web.json_response({"error": str(error)}, status=400)
        response = web.json_response({"added": [fault.name for fault in faults]}, headers={"Connection": "close"})
        await response.prepare(request)
        await response.write_eof()  # before a fault may close the door
        for fault in faults:
            emulator.switch_on(fault, sparing=request)
        return response

    async def clear_faults(_request: web.Request) -> web.Response:
        emulator.faults.clear()
        return web.json_response({"faults": []})

    return [
        web.get(f"{ADMIN}state", state),
        web.post(f"{ADMIN}faults", add_faults),
        web.delete(f"{ADMIN}faults", clear_faults),
    ]
