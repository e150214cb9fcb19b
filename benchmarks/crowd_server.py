"""The provider of `crowd.py` in a process of its own: an emulator that also counts how many requests are inside it.

    python benchmarks/crowd_server.py KIND SLOTS SPEED

Prints its address; ends with its standard input. GET /_emulator/crowd tells the counts.
"""

from __future__ import annotations

import asyncio
import sys
import time

from aiohttp import web
from fault_trials import emulator
from process import descriptors, resident_bytes

from turnout.emulators.admin import ADMIN
from turnout.emulators.server import Emulator, Handler, serving

INSIDE = f"{ADMIN}crowd"


class Crowd:
    """Requests for answers between arrival and end.

    A client that gives up is noticed a moment later than its next request arrives, so what tells is not the most there
    ever were but for how long at a stretch there were more than the limit.
    """

    def __init__(self, limit: int) -> None:
        self.inside = 0
        self.most = 0
        self.longest_above_s = 0.0
        self._limit = limit
        self._above_since_s = 0.0

    def arrive(self) -> None:
        """One more."""
        self.inside += 1
        self.most = max(self.most, self.inside)
        if self.inside == self._limit + 1:
            self._above_since_s = time.monotonic()

    def leave(self) -> None:
        """One less."""
        self.inside -= 1
        if self.inside == self._limit:
            self.longest_above_s = max(self.longest_above_s, time.monotonic() - self._above_since_s)


def count_inside(emulated: Emulator, limit: int) -> None:
    """Put a counter around everything that the emulator does."""
    crowd, make = Crowd(limit), emulated.application

    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method != "POST" or request.path.startswith(ADMIN):
            return await handler(request)
        crowd.arrive()
        try:
            return await handler(request)
        finally:
            crowd.leave()

    async def tell(_request: web.Request) -> web.Response:
        return web.json_response(
            {
                "inside": crowd.inside,
                "most": crowd.most,
                "longest_above_s": round(crowd.longest_above_s, 4),
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
    count_inside(emulated, slots)
    async with serving(emulated) as url:
        print(url, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
