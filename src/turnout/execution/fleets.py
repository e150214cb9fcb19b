"""The providers of a configuration that changes: another fleet takes over, the old one ends what it has begun."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from turnout.config.schema import Configuration, provider_settings
from turnout.providers import Estimates, Fleet, Pieces
from turnout.types import Answer, Attempt, Embeddings, Request, Snapshot

logger = logging.getLogger(__name__)

_DRAIN_EVERY_S: Final = 0.5


class Fleets:
    """The fleet that serves now. Used from one event loop.

    Args:
        configuration: its providers.
        estimates_path: where measured speeds outlive a restart and a change of providers.
        make: makes a fleet of a configuration.
    """

    def __init__(
        self,
        configuration: Configuration,
        estimates_path: Path | None = None,
        make: Callable[[Configuration, Estimates], Fleet] | None = None,
    ) -> None:
        self._make = make or _make
        self._estimates = Estimates(estimates_path)
        self._wanted = _wanted(configuration)
        self._serving = self._make(configuration, self._estimates)
        self._changing = asyncio.Lock()
        self._closing = asyncio.Event()
        self._draining: set[asyncio.Task[None]] = set()

    @property
    def serving(self) -> Fleet:
        """The fleet that takes new requests."""
        return self._serving

    async def start(self) -> None:
        """Look at every provider once and go on looking."""
        await self._serving.__aenter__()

    async def aclose(self) -> None:
        """Close every connection, those of fleets that still end something too."""
        self._closing.set()
        async with self._changing:  # a change under way ends first
            await asyncio.gather(*self._draining, return_exceptions=True)
            await self._serving.aclose()

    async def configure(self, configuration: Configuration) -> bool:
        """Follow other providers; whether anything had to change. Requests under way end where they began."""
        async with self._changing:
            wanted = _wanted(configuration)
            if wanted == self._wanted or self._closing.is_set():
                return False
            fleet = self._make(configuration, self._estimates)
            await fleet.__aenter__()
            self._wanted, old, self._serving = wanted, self._serving, fleet
            task = asyncio.create_task(self._drain(old))
            self._draining.add(task)
            task.add_done_callback(self._draining.discard)
            return True

    async def complete(
        self,
        candidate: str,
        request: Request,
        *,
        deadline_s: float | None = None,
        expected_s: float | None = None,
        on_attempt: Callable[[Attempt], None] | None = None,
    ) -> Answer:
        """See `Fleet.complete`."""
        return await self._serving.complete(
            candidate, request, deadline_s=deadline_s, expected_s=expected_s, on_attempt=on_attempt
        )

    def stream(
        self,
        candidate: str,
        request: Request,
        *,
        deadline_s: float | None = None,
        patience_s: float | None = None,
        expected_s: float | None = None,
        on_attempt: Callable[[Attempt], None] | None = None,
    ) -> Pieces:
        """See `Fleet.stream`."""
        return self._serving.stream(
            candidate,
            request,
            deadline_s=deadline_s,
            patience_s=patience_s,
            expected_s=expected_s,
            on_attempt=on_attempt,
        )

    async def embed(self, candidate: str, texts: Sequence[str], *, deadline_s: float | None = None) -> Embeddings:
        """See `Fleet.embed`."""
        return await self._serving.embed(candidate, texts, deadline_s=deadline_s)

    def snapshot(self) -> Snapshot:
        """See `Fleet.snapshot`."""
        return self._serving.snapshot()

    async def _drain(self, fleet: Fleet) -> None:
        """Close a fleet when nothing is under way in it any more, or everything ends."""
        while not self._closing.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), _DRAIN_EVERY_S)
            if fleet.is_idle:
                break
        await fleet.aclose()
        logger.info("the providers of the configuration before are closed")


def _wanted(configuration: Configuration) -> tuple[object, ...]:
    """What makes a fleet."""
    return provider_settings(configuration), configuration.performance.health


def _make(configuration: Configuration, estimates: Estimates) -> Fleet:
    return Fleet(provider_settings(configuration), health=configuration.performance.health, estimates=estimates)
