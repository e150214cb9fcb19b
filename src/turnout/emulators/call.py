"""What an emulator knows of the request that it is answering."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from turnout.emulators.faults import Fault, FaultName
from turnout.emulators.streams import Stream


@dataclass
class Call:
    """One request. `body` is its parsed JSON; None when it has none, or is no JSON and `bad_json` says why."""

    body: Any = None
    bad_json: str | None = None
    faults: tuple[Fault, ...] = ()
    stream: Stream | None = None

    @property
    def model(self) -> str | None:
        """The model that the body names."""
        name = self.body.get("model", self.body.get("name")) if isinstance(self.body, Mapping) else None
        return name if isinstance(name, str) else None

    def suffers(self, *names: FaultName) -> bool:
        """Whether one of these faults struck the request."""
        return any(fault.name in names for fault in self.faults)

    def handle(self, name: FaultName) -> None:
        """Take a fault off, because the dialect has done the equivalent itself."""
        self.faults = tuple(fault for fault in self.faults if fault.name is not name)


CALL: Final = web.RequestKey("turnout_call", Call)


async def read_call(request: web.Request) -> Call:
    """Read the whole request."""
    call = Call()
    raw = await request.read() if request.can_read_body else b""
    if raw:
        try:
            call.body = json.loads(raw, parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            call.bad_json = str(error)
    return call


def _refuse(constant: str) -> None:
    raise ValueError(f"Expecting a number, not {constant}")
