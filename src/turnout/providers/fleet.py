"""All providers together: candidates by name, state kept fresh in the background, one snapshot for the policy."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from turnout.config.providers import HealthSettings, ProviderSettings
from turnout.errors import ConfigurationError, NotFoundError
from turnout.providers.clock import CallClock
from turnout.providers.estimates import Estimates
from turnout.providers.lane import Lane
from turnout.providers.protocol import Pieces, Provider
from turnout.providers.registry import make
from turnout.types import (
    Answer,
    Attempt,
    CandidateState,
    Embeddings,
    LanguageModel,
    ProviderEvent,
    ProviderState,
    Request,
    Snapshot,
)

logger = logging.getLogger(__name__)

_News = TypeVar("_News", Attempt, ProviderEvent)
_SAVED_EVERY_S = 60.0


class Fleet:
    """Every configured provider.

    Used as an async context manager: entering looks at each provider once and starts the background refresh,
    leaving stops it, saves the measured speeds and closes every connection.

    Args:
        settings: the providers; names are unique.
        health: how often they are looked at.
        estimates_path: where measured speeds outlive a restart; None forgets them.
        estimates: those of another fleet, to be shared with it; they know their path themselves.
        make_provider: makes an adapter from its settings.
        now: the monotonic clock.

    Raises:
        ConfigurationError: two providers of one name, an unknown kind, an option that the kind does not know.
    """

    def __init__(
        self,
        settings: Sequence[ProviderSettings],
        *,
        health: HealthSettings | None = None,
        estimates_path: Path | None = None,
        estimates: Estimates | None = None,
        make_provider: Callable[[ProviderSettings], Provider] = make,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._now = now
        self._health = health or HealthSettings()
        self._estimates = estimates or Estimates(estimates_path)
        self._attempt_listeners: list[Callable[[Attempt], None]] = []
        self._event_listeners: list[Callable[[ProviderEvent], None]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._lanes: dict[str, Lane] = {}
        for entry in settings:
            if entry.name in self._lanes:
                raise ConfigurationError(f"two providers are named {entry.name}")
            self._lanes[entry.name] = Lane(
                make_provider(entry),
                entry,
                self._estimates,
                on_attempt=self._tell_attempt,
                on_event=self._tell_event,
                now=now,
            )

    async def __aenter__(self) -> Self:
        try:
            await asyncio.gather(*(self._refresh(lane) for lane in self._lanes.values()))
        except BaseException:
            await self.aclose()
            raise
        self._tasks = [asyncio.create_task(self._keep_fresh(lane)) for lane in self._lanes.values()]
        self._tasks.append(asyncio.create_task(self._keep_saved()))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop the background work, save the measured speeds, close every connection."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        ends = await asyncio.gather(*(lane.aclose() for lane in self._lanes.values()), return_exceptions=True)
        self._estimates.save()
        for lane, end in zip(self._lanes.values(), ends, strict=True):
            if isinstance(end, Exception):
                logger.warning("%s did not close well: %s", lane.provider.name, end)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way at any provider, waits between two tries and loads included."""
        return all(lane.is_idle for lane in self._lanes.values())

    def save(self) -> None:
        """Write the measured speeds now."""
        self._estimates.save()

    def on_attempt(self, listener: Callable[[Attempt], None]) -> None:
        """Hear of every attempt as it ends, in the event loop's thread. A listener that raises is logged."""
        self._attempt_listeners.append(listener)

    def on_event(self, listener: Callable[[ProviderEvent], None]) -> None:
        """Hear of every change of a breaker or of availability."""
        self._event_listeners.append(listener)

    async def complete(
        self,
        candidate: str,
        request: Request,
        *,
        deadline_s: float | None = None,
        expected_s: float | None = None,
        on_attempt: Callable[[Attempt], None] | None = None,
    ) -> Answer:
        """One whole answer of one candidate. `on_attempt` hears of the attempts of this call alone; `expected_s` is how
        long the answer itself should take, as far as the caller knows.

        Raises:
            ProviderError: the attempt failed, after retries where these could help.
        """
        lane, model = self._find(candidate)
        return await lane.complete(model, request, deadline_s=deadline_s, expected_s=expected_s, on_attempt=on_attempt)

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
        """Chunks of one candidate's answer, then the whole `Answer`, last. Closing it early stops the work upstream.

        `patience_s` is for the first content, `deadline_s` for everything; see `complete` for the others.
        """
        lane, model = self._find(candidate)
        return lane.stream(
            model,
            request,
            deadline_s=deadline_s,
            patience_s=patience_s,
            expected_s=expected_s,
            on_attempt=on_attempt,
        )

    async def embed(self, candidate: str, texts: Sequence[str], *, deadline_s: float | None = None) -> Embeddings:
        """One vector for each text."""
        lane, model = self._find(candidate)
        return await lane.embed(model, texts, deadline_s=deadline_s)

    async def load(self, candidate: str) -> float:
        """Bring a candidate into memory; returns the seconds that took, 0 where it was there or cannot be asked."""
        lane, model = self._find(candidate)
        return await lane.load(model)

    async def unload(self, candidate: str) -> None:
        """Take a candidate out of memory."""
        lane, model = self._find(candidate)
        await lane.unload(model)

    async def discover(self) -> dict[str, tuple[LanguageModel, ...]]:
        """Every language model of every provider that answers, with all that is told of it."""
        names = [name for name, lane in self._lanes.items() if lane.state.available]
        found = await asyncio.gather(
            *(
                self._lanes[name].provider.discover(CallClock(self._lanes[name].settings.timeouts, now=self._now))
                for name in names
            ),
            return_exceptions=True,
        )
        for name, models in zip(names, found, strict=True):
            if isinstance(models, BaseException):
                logger.warning("the language models of %s could not be listed: %s", name, models)
        return {name: m for name, m in zip(names, found, strict=True) if not isinstance(m, BaseException)}

    async def refresh(self) -> None:
        """Look at every provider now."""
        await asyncio.gather(*(self._refresh(lane) for lane in self._lanes.values()))

    def snapshot(self) -> Snapshot:
        """What is known now. Reads memory only; a look older than the configured age counts as unavailable."""
        now = self._now()
        providers = {name: self._aged(lane.state, now) for name, lane in self._lanes.items()}
        candidates = {}
        for name, lane in self._lanes.items():
            models = lane.settings.models or lane.residence.names
            for model in models:
                candidate = f"{name}/{model}"
                candidates[candidate] = self._candidate(candidate, model, lane, providers[name])
        return Snapshot(taken_s=now, providers=providers, candidates=candidates)

    def _aged(self, state: ProviderState, now: float) -> ProviderState:
        age_s = now - state.observed_s
        if not state.available or age_s <= self._health.max_age_s:
            return state
        return replace(state, available=False, problem=f"not seen for {age_s:.0f} s")

    def _candidate(self, candidate: str, model: str, lane: Lane, provider: ProviderState) -> CandidateState:
        known, breaker = lane.residence.get(model), lane.circuits.state(model)
        problem = provider.problem if not provider.available else ""
        # Clouds answer to aliases that they do not list; a provider that loads knows all it has.
        if not problem and known is None and lane.provider.loads:
            problem = "not among the language models of the provider"
        if not problem and lane.circuits.refuses(model):
            problem = (
                "left alone after failures" if breaker == "open" else "tried again after failures by another request"
            )
        schedule, speeds = lane.queue.schedule, self._estimates.speeds(candidate)
        return CandidateState(
            candidate=candidate,
            model=known,
            breaker=breaker,
            running=schedule.running_for(model),
            waiting=schedule.waiting_for(model),
            work_s=schedule.work_s(model, speeds.service_s),
            speeds=speeds,
            problem=problem,
        )

    def _find(self, candidate: str) -> tuple[Lane, str]:
        name, slash, model = candidate.partition("/")
        lane = self._lanes.get(name)
        if lane is None or not slash or not model:
            known = ", ".join(self._lanes) or "none"
            raise NotFoundError(f"no candidate {candidate!r}: it is named provider/model, and providers are {known}")
        return lane, model

    async def _refresh(self, lane: Lane) -> None:
        try:
            await lane.refresh()
        except Exception:  # an adapter of somebody else may break its promise; the others go on
            logger.exception("looking at %s failed", lane.provider.name)

    async def _keep_fresh(self, lane: Lane) -> None:
        while True:
            # Spread out, so that many providers or many processes are not looked at in one moment.
            await asyncio.sleep(self._health.interval_s * random.uniform(0.9, 1.1))  # noqa: S311
            await self._refresh(lane)

    async def _keep_saved(self) -> None:
        while True:
            await asyncio.sleep(_SAVED_EVERY_S)
            content = self._estimates.content()
            if content is not None:
                await asyncio.to_thread(self._estimates.write, content)

    def _tell_attempt(self, attempt: Attempt) -> None:
        for listener in self._attempt_listeners:
            _tell(listener, attempt)

    def _tell_event(self, event: ProviderEvent) -> None:
        logger.info("%s/%s: %s to %s %s", event.provider, event.model or "*", event.before, event.after, event.reason)
        for listener in self._event_listeners:
            _tell(listener, event)


def _tell(listener: Callable[[_News], None], news: _News) -> None:
    try:
        listener(news)
    except Exception:  # whoever listens must not be able to fail a request
        logger.exception("a listener failed")
