"""llama.cpp's own server under an address that stays: every byte is passed on as it is, to the engine that runs now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final
from urllib.parse import urlsplit

from turnout.lab.fronts_engine import RealEngine

_BLOCK_BYTES: Final = 65_536


class PlainFront:
    """Passes connections on to the engine at an address, or to the one that it is turned to later."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._open: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Listen on a free local port until the block ends; the value is the base URL."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            self._hang_up()
            await asyncio.gather(*self._open, return_exceptions=True)

    def turn_to(self, real: RealEngine) -> None:
        """Pass on to another engine from now on; connections to the one before are closed."""
        self._address = real.address
        self._hang_up()

    def _hang_up(self) -> None:
        for task in self._open:
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            await self._pass(reader, writer)
        except asyncio.CancelledError:
            pass  # hung up; whoever waits for this task wants no more of it
        finally:
            self._open.discard(task)
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Both ways until either side ends: a caller who leaves ends the generation, an engine's end is the caller's."""
        place = urlsplit(self._address)
        with suppress(OSError):
            inner_reader, inner_writer = await asyncio.open_connection(place.hostname, place.port)
            ways = [
                asyncio.create_task(_copy(reader, inner_writer)),
                asyncio.create_task(_copy(inner_reader, writer)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
                inner_writer.transport.abort()
            with suppress(ConnectionError):
                writer.close()
                await writer.wait_closed()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while block := await reader.read(_BLOCK_BYTES):
            writer.write(block)
            await writer.drain()
