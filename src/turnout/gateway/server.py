"""The gateway as a process: from the configuration to a socket that answers, and back to a clean end."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from turnout.config.gateway import Gateway
from turnout.config.loader import load
from turnout.errors import TurnoutError
from turnout.execution.client import HybridClient
from turnout.gateway import own
from turnout.gateway.app import make_app
from turnout.gateway.connections import Connection
from turnout.gateway.recent import Recent
from turnout.gateway.siblings import Place
from turnout.gateway.together import Together
from turnout.gateway.traces import Traces

logger = logging.getLogger(__name__)

_BACKLOG: Final = 1024
_COLLECTED_AFTER: Final = 2_000
"""New values that stay before the collector looks at them. Every request waits meanwhile: 11 ms for 20,000 in cycles, 1 for
these."""

_KEEP_ALIVE_S: Final = 75.0
_KIB: Final = 1024

_NOTICE_S: Final = 0.5
"""So long /readyz says that it stops, before new connections are refused: whoever shares out requests looks there."""

_LAST_S: Final = 1.0
"""What is still under way when all patience has ended has so long to notice."""


class ListeningError(TurnoutError):
    """The address is taken, or is none of this machine."""


async def serve(
    path: Path | None,
    *,
    profile: str | None = None,
    settings: Sequence[str] = (),
    listening: socket.socket | None = None,
    on_ready: Callable[[Gateway], Any] = lambda _: None,
    stop: asyncio.Event | None = None,
    place: Place | None = None,
) -> None:
    """Answer until the signal to stop, then let requests under way come to their end. A second signal ends them.

    Args:
        path: the configuration file; None for the one that the loader finds.
        profile: settings for a kind of machine.
        settings: `key=value` over everything else.
        listening: a socket that is bound already; else one is bound as configured.
        on_ready: called when requests are answered, with the port that was found where any would do.
        stop: ends it, beside the signals.
        place: which of several workers this is.

    Raises:
        ConfigurationError: the configuration cannot be used.
        ListeningError: its address cannot.
        ArtifactError: the predictor cannot be served.
    """
    configuration = load(path, profile=profile, settings=settings).configuration
    gateway = configuration.gateway
    recent = Recent(keep_prompts=configuration.history.prompts == "full")
    stop = asyncio.Event() if stop is None else stop
    hurry = asyncio.Event()
    _heed_signals(stop, hurry)
    async with AsyncExitStack() as stack:
        sock = bound(gateway) if listening is None else listening
        stack.callback(sock.close)
        traces = Traces.open() if gateway.traces else None
        observers = (recent,) if traces is None else (recent, traces)
        if traces is not None:
            stack.push_async_callback(asyncio.to_thread, traces.close)
        client = await stack.enter_async_context(
            HybridClient.from_config(path, profile=profile, settings=settings, observers=observers, history_apart=True)
        )
        together = Together(client, recent, place)
        await stack.enter_async_context(together.speaking())
        app = make_app(client, configuration, together, traces)
        runner = web.AppRunner(
            app,
            handle_signals=False,
            access_log=None,
            handler_cancellation=True,  # a client that goes away ends the work upstream
            shutdown_timeout=_LAST_S,
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        server = runner.server
        assert server is not None
        loop = asyncio.get_running_loop()
        connection = partial(
            Connection,
            server,
            loop=loop,
            access_log=None,
            keepalive_timeout=_KEEP_ALIVE_S,
            header_bytes=int((gateway.limits.max_header_kb or 1024) * _KIB),
        )
        listener = await loop.create_server(connection, sock=sock, backlog=_BACKLOG)
        stack.callback(listener.close)
        _spare_collector()
        on_ready(replace(gateway, port=sock.getsockname()[1]))
        await stop.wait()
        app[own.STOPPING].set()
        logger.info("stopping: requests under way have %g s to end", gateway.drain_s)
        await _drained(server, listener, hurry, gateway.drain_s)


def _spare_collector() -> None:
    """What is there now stays: the collector need not look at it again for every few hundred values of a request."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECTED_AFTER, 20, 20)


async def _drained(server: web.Server, listener: asyncio.Server, hurry: asyncio.Event, patience_s: float) -> None:
    """Wait until nothing is under way, or patience ends."""

    async def nothing_runs() -> None:
        await asyncio.sleep(min(_NOTICE_S, patience_s))
        listener.close()
        while any(isinstance(each, Connection) and each.is_answering for each in server.connections):
            await asyncio.sleep(0.02)

    ends = [asyncio.ensure_future(nothing_runs()), asyncio.ensure_future(hurry.wait())]
    await asyncio.wait(ends, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
    if not ends[0].done():
        logger.warning("stopping: what is still under way is broken off")
    for each in ends:
        each.cancel()


def bound(gateway: Gateway) -> socket.socket:
    """A socket at the configured address.

    Raises:
        ListeningError: the address is taken, or is none of this machine.
    """
    try:
        return socket.create_server(
            (gateway.host, gateway.port),
            family=socket.AF_INET6 if ":" in gateway.host else socket.AF_INET,
            backlog=_BACKLOG,
        )
    except (OSError, UnicodeError) as error:
        raise ListeningError(
            f"gateway: {gateway.host} port {gateway.port} cannot be listened on "
            f"({getattr(error, 'strerror', None) or error}); is a gateway running already? Another port: --port N"
        ) from error


def run(main: Any) -> Any:
    """Run a coroutine in the fastest event loop that is installed."""
    factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    with suppress(ImportError):
        from uvloop import new_event_loop as factory
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)


def _heed_signals(stop: asyncio.Event, hurry: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def heed() -> None:
        (hurry if stop.is_set() else stop).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError, RuntimeError):  # Windows, and threads other than the first
            loop.add_signal_handler(number, heed)
