"""One gateway process: from the configuration to a socket that answers, and back to a clean end."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from turnout.config.gateway import Gateway
from turnout.config.loader import load
from turnout.errors import ConfigurationError
from turnout.execution.client import HybridClient
from turnout.gateway import own
from turnout.gateway.app import make_app
from turnout.gateway.recent import Recent

logger = logging.getLogger(__name__)

_BACKLOG: Final = 1024
_KEEP_ALIVE_S: Final = 75.0
_KIB: Final = 1024


async def serve(
    path: Path | None,
    *,
    profile: str | None = None,
    settings: Sequence[str] = (),
    listening: socket.socket | None = None,
    on_ready: Callable[[Gateway], Any] = lambda _: None,
    stop: asyncio.Event | None = None,
) -> None:
    """Answer until the signal to stop, then let requests under way come to their end.

    Args:
        path: the configuration file; None for the one that the loader finds.
        profile: settings for a kind of machine.
        settings: `key=value` over everything else.
        listening: a socket that is bound already; else one is bound as configured.
        on_ready: called when requests are answered.
        stop: ends it, beside the signals.

    Raises:
        ConfigurationError: the configuration cannot be used, or its address.
        ArtifactError: the predictor cannot be served.
    """
    configuration = load(path, profile=profile, settings=settings).configuration
    gateway = configuration.gateway
    recent = Recent(keep_prompts=configuration.history.prompts == "full")
    stop = asyncio.Event() if stop is None else stop
    _heed_signals(stop)
    async with AsyncExitStack() as stack:
        sock = bound(gateway) if listening is None else listening
        stack.callback(sock.close)
        client = await stack.enter_async_context(
            HybridClient.from_config(path, profile=profile, settings=settings, observers=(recent,))
        )
        app = make_app(client, configuration, recent)
        header_bytes = int((gateway.limits.max_header_kb or 1024) * _KIB)
        runner = web.AppRunner(
            app,
            handle_signals=False,
            access_log=None,
            handler_cancellation=True,  # a client that goes away ends the work upstream
            keepalive_timeout=_KEEP_ALIVE_S,
            shutdown_timeout=gateway.drain_s,
            max_line_size=header_bytes,
            max_field_size=header_bytes,
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.SockSite(runner, sock, backlog=_BACKLOG).start()
        on_ready(gateway)
        await stop.wait()
        app[own.STOPPING].set()
        logger.info("stopping: requests under way have %g s to end", gateway.drain_s)


def bound(gateway: Gateway) -> socket.socket:
    """A socket at the configured address.

    Raises:
        ConfigurationError: the address is taken, or is none of this machine.
    """
    try:
        return socket.create_server(
            (gateway.host, gateway.port),
            family=socket.AF_INET6 if ":" in gateway.host else socket.AF_INET,
            backlog=_BACKLOG,
        )
    except OSError as error:
        raise ConfigurationError(
            f"gateway: {gateway.host} port {gateway.port} cannot be listened on ({error.strerror or error}); "
            "is a gateway running already? Another port: --port N"
        ) from error


def run(main: Any) -> Any:
    """Run a coroutine in the fastest event loop that is installed."""
    factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    with suppress(ImportError):
        from uvloop import new_event_loop as factory
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)


def _heed_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError, RuntimeError):  # Windows, and threads other than the first
            loop.add_signal_handler(number, stop.set)
