"""LM Studio: all of its interfaces, as far as the emulated version has them.

What is emulated where: `lmstudio_openai` chat completions, `lmstudio_responses`, `lmstudio_embeddings`,
`lmstudio_models` lists and loading, `lmstudio_native` its own chat; `lmstudio_base` decides who answers.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from aiohttp import web

from turnout.emulators.lmstudio_base import LMStudioBase, unauthorized
from turnout.emulators.lmstudio_embeddings import EmbeddingRoutes
from turnout.emulators.lmstudio_models import ModelRoutes
from turnout.emulators.lmstudio_native import NativeRoutes
from turnout.emulators.lmstudio_openai import ChatRoutes
from turnout.emulators.lmstudio_responses import ResponsesRoutes
from turnout.emulators.lmstudio_settings import LMStudioSettings
from turnout.emulators.server import EmulatorOptions, Handler


def make(options: EmulatorOptions) -> LMStudio:
    """An LM Studio; `options.policy` may hold fields of `LMStudioSettings` beside those of the engine's policy."""
    names = {field.name for field in fields(LMStudioSettings)}
    own: dict[str, Any] = {name: value for name, value in options.policy.items() if name in names}
    rest = {name: value for name, value in options.policy.items() if name not in names}
    return LMStudio(replace(options, policy=rest), LMStudioSettings(**own))


class LMStudio(LMStudioBase):
    """The whole server."""

    def __init__(self, options: EmulatorOptions, settings: LMStudioSettings | None = None) -> None:
        super().__init__(options, settings or LMStudioSettings())

    def routes(self) -> Sequence[web.RouteDef]:
        parts = (ModelRoutes, ChatRoutes, ResponsesRoutes, EmbeddingRoutes, NativeRoutes)
        routes = [route for part in parts for route in part(self).routes()]
        guarded = [
            web.route(route.method, route.path, self._guarded(route.handler), **route.kwargs) for route in routes
        ]
        # Whether the greeting wants the token is not known; whoever probes for a server has none.
        return [web.get("/lmstudio-greeting", self._greet), *guarded]

    async def _greet(self, _request: web.Request) -> web.StreamResponse:
        return self.json({"lmstudio": True})

    def _guarded(self, handler: Any) -> Handler:
        """A handler behind the token; tokens came with 0.4.0."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            token = self.settings.api_token if self.version.since(0, 4) else None
            given = request.headers.get("Authorization", "")
            if token is not None and not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
                raise unauthorized()
            response: web.StreamResponse = await handler(request)
            return response

        return guarded
