"""The application: every path, behind one door."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from turnout.config.schema import Configuration
from turnout.execution.client import HybridClient
from turnout.gateway import own
from turnout.gateway.door import Door
from turnout.gateway.keys import Keyring
from turnout.gateway.ollama import routes as ollama_routes
from turnout.gateway.openai import routes as openai_routes
from turnout.gateway.recent import Recent
from turnout.gateway.replying import CLIENT

_MIB = 2**20
_UNLIMITED = 2**62


def make_app(client: HybridClient, configuration: Configuration, recent: Recent) -> web.Application:
    """The application over an open client.

    Args:
        client: answers.
        configuration: what of it belongs to the gateway.
        recent: an observer of the client.

    Raises:
        ConfigurationError: the file of keys cannot be used.
    """
    settings = configuration.gateway
    keyring = Keyring(Path(settings.keys_file).expanduser(), settings.limits) if settings.keys_file else None
    door = Door(settings, keyring)
    most = settings.limits.max_body_mb
    app = web.Application(middlewares=[door.let_in], client_max_size=_UNLIMITED if most is None else int(most * _MIB))
    app.on_response_prepare.append(door.tell)
    app[CLIENT] = client
    app[own.RECENT] = recent
    app[own.STOPPING] = own.Stopping()
    app.add_routes(openai_routes.ROUTES)
    app.add_routes(ollama_routes.ROUTES)
    app.add_routes(own.ROUTES)
    return app
