"""The listening end of an emulator: start, refuse connections for a while, stop fast."""

from __future__ import annotations

import asyncio
import contextlib
import socket

from aiohttp import web


class Listener:
    """Serves one application on one address.

    The port is kept while connections are refused, so that the emulator comes back where it was.
    """

    def __init__(self, application: web.Application, host: str, port: int) -> None:
        self._runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=0.5)
        self._host = host
        self._port = port
        self._server: asyncio.Server | None = None
        self._closed_port: socket.socket | None = None
        self._return: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Listen, and say where.

        Raises:
            OSError: the address is in use or not of this machine.
        """
        bound = self._bind()
        await self._runner.setup()
        await self._listen(bound)
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    def refuse(self, seconds: float, sparing: web.Request | None = None) -> None:
        """Refuse connections for real seconds; those that are open are reset, except the one of `sparing`."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        self._closed_port = self._bind()
        self._abort_connections(sparing)
        self._return = asyncio.get_running_loop().create_task(self._come_back(seconds))

    async def stop(self) -> None:
        """Stop listening and abort every connection; handlers are cancelled."""
        if self._return is not None:
            self._return.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._return
        if self._closed_port is not None:
            self._closed_port.close()
        if self._server is not None:
            self._server.close()
        self._abort_connections(None)
        await self._runner.cleanup()

    def _bind(self) -> socket.socket:
        """A socket with the address, not yet listening: the system refuses who connects to it."""
        family, kind, protocol, _, address = socket.getaddrinfo(
            self._host, self._port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
        except OSError:
            bound.close()
            raise
        self._port = bound.getsockname()[1]
        return bound

    async def _listen(self, bound: socket.socket) -> None:
        protocols = self._runner.server
        assert protocols is not None
        try:
            loop = asyncio.get_running_loop()
            # Known before it listens, so that whoever is cancelled in between leaves nothing open.
            self._server = await loop.create_server(protocols, sock=bound, backlog=512, start_serving=False)
            await self._server.start_serving()
        except OSError:
            self._server = None
            bound.close()
            raise

    async def _come_back(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        bound, self._closed_port = self._closed_port, None
        assert bound is not None
        await self._listen(bound)

    def _abort_connections(self, sparing: web.Request | None) -> None:
        if self._runner.server is None:
            return
        for protocol in self._runner.server.connections:
            if protocol.transport is not None and (sparing is None or protocol is not sparing.protocol):
                protocol.transport.abort()
