"""The provider of `crowd.py` in a process of its own: an emulator that also counts how many requests are inside it.

    python benchmarks/crowd_server.py KIND SLOTS SPEED

Prints its address; ends with its standard input. GET /_emulator/crowd tells the counts.
"""

from __future__ import annotations

import asyncio
import sys

from aiohttp import web
from fault_trials import emulator
from process import descriptors, resident_bytes

from turnout.emulators.admin import ADMIN
from turnout.emulators.server import Emulator, Handler, serving

INSIDE = f"{ADMIN}crowd"
LINGERS_S = 0.1
"""A client that gives up says so a moment later; only what is inside for longer than this counts as at once."""


class Crowd:
    """Requests for answers between arrival and end."""

    def __init__(self) -> None:
        self.inside: set[int] = set()
        self.most = 0
        self.most_for_long = 0
        self._arrived = 0

    def arrive(self) -> int:
        """One more, by number; look a little later how many of those that are here now still are."""
        self._arrived += 1
        self.inside.add(self._arrived)
        if len(self.inside) > self.most_for_long:
            asyncio.get_running_loop().call_later(LINGERS_S, self._look, frozenset(self.inside))
        self.most = max(self.most, len(self.inside))
        return self._arrived

    def _look(self, then: frozenset[int]) -> None:
        self.most_for_long = max(self.most_for_long, len(then & self.inside))


def count_inside(emulated: Emulator) -> None:
    """Put a counter around everything that the emulator does."""
    crowd, make = Crowd(), emulated.application

    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method != "POST" or request.path.startswith(ADMIN):
            return await handler(request)
        number = crowd.arrive()
        try:
            return await handler(request)
        finally:
            crowd.inside.discard(number)

    async def tell(_request: web.Request) -> web.Response:
        return web.json_response(
            {
                "inside": len(crowd.inside),
                "most": crowd.most,
                "most_for_long": crowd.most_for_long,
                "resident_bytes": resident_bytes(),
                "descriptors": descriptors(),
            }
        )

    def application() -> web.Application:
        application = make()
        application.middlewares.insert(0, count)
        application.router.add_get(INSIDE, tell)
        return application

    emulated.application = application  # type: ignore[method-assign]


async def serve(kind: str, slots: int, speed: float) -> None:
    """Serve on a free port until standard input ends."""
    emulated = emulator(kind, slots=slots, speed=speed)
    count_inside(emulated)
    async with serving(emulated) as url:
        print(url, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
