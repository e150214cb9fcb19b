"""A configuration that changes while requests are answered: what new ones meet is exchanged, what has begun goes on."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from pathlib import Path

from turnout.config.live import LiveConfiguration
from turnout.config.loader import Loaded
from turnout.execution.fleets import Fleets
from turnout.execution.orchestrator import Orchestrator
from turnout.execution.remembered import Remembered
from turnout.execution.threshold import Threshold
from turnout.execution.watch import Watch
from turnout.policy.policy import Policy

logger = logging.getLogger(__name__)


class Changes:
    """Brings changes of the configuration to the parts of one client. Used from one event loop.

    Args:
        orchestrator: its router follows the new policy; its caches are exchanged.
        fleets: the providers.
        watch: forgets what it saw of providers that are gone.
        threshold: follows its settings.
        state: the folder of the caches.
    """

    def __init__(
        self, orchestrator: Orchestrator, fleets: Fleets, watch: Watch, threshold: Threshold, state: Path
    ) -> None:
        self._orchestrator = orchestrator
        self._fleets = fleets
        self._watch = watch
        self._threshold = threshold
        self._state = state
        self._retired: list[Remembered] = []

    def follow(self, live: LiveConfiguration, loop: asyncio.AbstractEventLoop) -> None:
        """Let a changed file change what new requests meet."""

        def changed(_: Loaded, after: Loaded) -> None:
            policy = Policy(after.configuration)
            with suppress(RuntimeError):  # the loop has ended: nothing will be asked any more
                asyncio.run_coroutine_threadsafe(self.configure(policy), loop)

        live.on_change(changed)

    async def configure(self, policy: Policy) -> None:
        """Providers first, so that no candidate is chosen that nobody can ask."""
        before, configuration = self._orchestrator.policy.configuration, policy.configuration
        try:
            if await self._fleets.configure(configuration):
                self._watch.forget()
            if configuration.performance.cache != before.performance.cache:
                fresh = Remembered.open(configuration.performance.cache, self._state, self._fleets)
                self._retired.append(self._orchestrator.remembered)
                self._orchestrator.remembered = fresh
        except Exception:
            logger.exception("the changed configuration cannot be used; the one before stays")
            return
        if (before.history, before.hybrid.personal) != (configuration.history, configuration.hybrid.personal):
            logger.warning("history and hybrid.personal have changed; they count from the next start on")
        self._threshold.configure(configuration.routing.escalation)
        self._orchestrator.router.configure(policy)

    async def close_caches(self) -> None:
        """Write what is left to be written, in caches of configurations before too."""
        for cache in (*self._retired, self._orchestrator.remembered):
            await cache.aclose()
