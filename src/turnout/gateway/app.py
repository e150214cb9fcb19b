"""The application: every path, behind one door."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Middleware

from turnout.config.schema import Configuration
from turnout.execution.client import HybridClient
from turnout.gateway import own, page_routes, prometheus
from turnout.gateway.door import Door
from turnout.gateway.keys import Keyring
from turnout.gateway.ollama import routes as ollama_routes
from turnout.gateway.openai import routes as openai_routes
from turnout.gateway.openapi import document
from turnout.gateway.replying import CLIENT
from turnout.gateway.together import TOGETHER, Together
from turnout.gateway.traces import Traces

_MIB = 2**20
_UNLIMITED = 2**62


def make_app(
    client: HybridClient, configuration: Configuration, together: Together, traces: Traces | None = None
) -> web.Application:
    """The application over an open client.

    Args:
        client: answers.
        configuration: what of it belongs to the gateway.
        together: what this worker and its siblings say together.
        traces: where requests are traced; None where they are not.

    Raises:
        ConfigurationError: the file of keys cannot be used.
    """
    settings = configuration.gateway
    keyring = Keyring(Path(settings.keys_file).expanduser(), settings.limits) if settings.keys_file else None
    door = Door(settings, keyring)
    most = settings.limits.max_body_mb
    outside: list[Middleware] = [] if traces is None else [traces.follow]
    app = web.Application(
        middlewares=[*outside, door.let_in], client_max_size=_UNLIMITED if most is None else int(most * _MIB)
    )
    app.on_response_prepare.append(door.tell)
    app[CLIENT] = client
    app[TOGETHER] = together
    app[own.STOPPING] = own.Stopping()
    app.add_routes(openai_routes.ROUTES)
    app.add_routes(ollama_routes.ROUTES)
    app.add_routes(own.ROUTES)
    app.add_routes(document.ROUTES)
    if settings.metrics:
        app.add_routes(prometheus.ROUTES)
    if settings.dashboard:
        app.add_routes(page_routes.ROUTES)
    return app
