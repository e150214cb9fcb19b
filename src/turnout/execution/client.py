"""`HybridClient`: one interface over all providers. Decides, asks, escalates, falls back, remembers, and tells why."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from os import PathLike
from pathlib import Path
from typing import Self, Unpack

from turnout.config.live import LiveConfiguration, LiveStatus
from turnout.config.loader import Loaded, load
from turnout.config.paths import challenger_folder, champion_folder, confidence_file, state_folder
from turnout.config.schema import Configuration
from turnout.errors import ConfigurationError, RequestError
from turnout.execution.answering import Answering
from turnout.execution.asked import Asked, Options
from turnout.execution.changes import Changes
from turnout.execution.drift_note import DriftNote
from turnout.execution.fleets import Fleets
from turnout.execution.followed_confidence import FollowedConfidence
from turnout.execution.following import Following
from turnout.execution.judging import Judge
from turnout.execution.keeping import Keeping
from turnout.execution.metrics import Metrics
from turnout.execution.opinions import Opinions
from turnout.execution.orchestrator import Orchestrator
from turnout.execution.personal import Personal
from turnout.execution.remembered import Remembered
from turnout.execution.served import Observer
from turnout.execution.shadow import Shadow
from turnout.execution.status import Status, status
from turnout.execution.streaming import Streaming
from turnout.execution.threshold import Threshold
from turnout.execution.watch import Watch
from turnout.execution.windows import Windows
from turnout.history import History
from turnout.policy import Router
from turnout.policy.policy import Policy
from turnout.resources import Reader, ResourceSampler
from turnout.types import Completion, Decision, Embeddings, RequestLike, Snapshot


class HybridClient:
    """Answers requests with whatever the configuration offers.

    Used as an async context manager, in one event loop:

        async with HybridClient.from_config("config/hybrid.yaml") as client:
            completion = await client.complete("why does this lock?")

    Args:
        configuration: providers, rules and limits.
        router: decides; by default the champion under this configuration.
        state: folder of what is measured here and outlives a restart.
        observers: hear of every request as it ends.
        history_apart: bring records into the history's database in a process of its own.
    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        router: Router | None = None,
        state: Path | None = None,
        observers: Sequence[Observer] = (),
        history_apart: bool = False,
    ) -> None:
        state = state_folder() if state is None else state
        self._router = router or Router.load(configuration=Policy(configuration))
        if self._router.policy is None:
            raise ConfigurationError("the hybrid client needs a router with a configuration")
        self._fleets = Fleets(configuration, state / "speeds.json")
        self._sampler = ResourceSampler(configuration.resources.interval_s, Reader(state).read)
        self._watch = Watch(self._fleets, lambda: self._sampler.latest)
        self._threshold = Threshold(configuration.routing.escalation, state / "threshold.json")
        kept = configuration.history
        self._history = History.from_settings(kept, folder=state, apart=history_apart) if kept.enabled else None
        self._personal = Personal(state / "personal.json") if configuration.hybrid.personal else None
        self._metrics = Metrics()
        self._opinions = Opinions(
            self._history, self._personal, self._metrics, lambda name: name not in self._orchestrator.fast_half
        )
        self._shadow = Shadow(self._metrics)
        self._keeping = Keeping(self._history, kept, lambda: self.configuration, self._fleets, self._watch.snapshot)
        self._orchestrator = Orchestrator(
            self._router,
            self._fleets,
            self._watch,
            Judge(),
            self._threshold,
            Remembered.open(configuration.performance.cache, state, self._fleets),
            personal=self._personal,
            observers=(*self._keeping.observers, self._metrics, self._opinions, self._shadow, *observers),
        )
        self._note = DriftNote(state / "drift.json")
        self._following = Following(
            self._router,
            challenger_folder() if self._router.folder == champion_folder() else None,
            lambda: self.configuration.hybrid.challenger,
            self._note,
            FollowedConfidence(confidence_file(), self._orchestrator.judge_by),
        )
        self._changes = Changes(self._orchestrator, self._fleets, self._watch, self._threshold, state)
        self._live: LiveConfiguration | None = None
        self._loaded: Loaded | None = None
        self._opened_s = time.monotonic()
        self._open = AsyncExitStack()
        self._was_open = False
        self._answering = Answering()

    @classmethod
    def from_config(
        cls,
        path: str | PathLike[str] | None = None,
        *,
        profile: str | None = None,
        settings: Sequence[str] = (),
        predictor: str | PathLike[str] | None = None,
        state: str | PathLike[str] | None = None,
        live: bool = True,
        observers: Sequence[Observer] = (),
        history_apart: bool = False,
    ) -> Self:
        """A client for a configuration file; without a path the one that the loader finds.

        Args:
            path: the file.
            profile: settings for a kind of machine, see the loader.
            settings: `key=value` over everything else.
            predictor: another folder than the champion's.
            state: another folder than TURNOUT_STATE or `state/`.
            live: follow the file while the client is open.
            observers: hear of every request as it ends.
            history_apart: see the class.

        Raises:
            ConfigurationError: the file is not valid; every problem with its line.
            ArtifactError: the predictor cannot be served.
        """
        loaded = load(None if path is None else Path(path), profile=profile, settings=settings)
        policy = Policy(loaded.configuration)
        client = cls(
            loaded.configuration,
            router=Router.load(predictor, configuration=policy),
            state=None if state is None else Path(state),
            observers=observers,
            history_apart=history_apart,
        )
        client._loaded = loaded
        if live and Path(loaded.source).is_file():
            client._live = LiveConfiguration(loaded.source, profile=profile, settings=settings)
        return client

    async def __aenter__(self) -> Self:
        if self._was_open:
            raise RequestError("a client is opened once; make another one")
        self._was_open = True
        async with AsyncExitStack() as stack:
            if self._history is not None:
                history = await asyncio.to_thread(self._history.open)
                stack.push_async_callback(asyncio.to_thread, history.close)
            stack.enter_context(self._sampler)
            stack.push_async_callback(self._changes.close_caches)
            stack.push_async_callback(self._fleets.aclose)
            await self._fleets.start()
            stack.push_async_callback(self._keeping.aclose)
            stack.callback(self._threshold.save)
            await asyncio.to_thread(self._following.look)
            for task in (self._keep_saved(), self._following.run(), self._shadow.run()):
                stack.callback(asyncio.create_task(task).cancel)
            if self._live is not None:
                self._changes.follow(self._live, asyncio.get_running_loop())
                stack.callback(self._live.stop)
                self._live.start()
            await asyncio.to_thread(Judge.warm)
            self._open = stack.pop_all()
        self._answering.begin()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop the background work, save what was measured, close every connection."""
        await self._answering.stop()
        await self._open.aclose()

    @property
    def configuration(self) -> Configuration:
        """What is configured now."""
        return self._orchestrator.policy.configuration

    @property
    def snapshot(self) -> Snapshot:
        """What is known of providers and candidates now; from memory."""
        return self._watch.snapshot()

    @property
    def history(self) -> History | None:
        """The log of what happened; None where none is kept."""
        return self._history

    @property
    def personal(self) -> Personal | None:
        """Where each user leans by their feedback; None where that is switched off."""
        return self._personal

    @property
    def live(self) -> LiveStatus | None:
        """What became of the configuration file; None where it is not followed."""
        return self._live.status if self._live is not None else None

    @property
    def windows(self) -> Windows:
        """What was counted of requests, as those of several processes can be added up."""
        return self._metrics.windows()

    async def complete(self, request: RequestLike, **options: Unpack[Options]) -> Completion:
        """One whole answer to a prompt, messages or a request; see `Options` for what can be said beside it.

        Raises:
            RequestError: nothing to route, an unknown option, or no candidate can serve it.
            NoAnswerError: every attempt failed, or the deadline passed.
        """
        asked = Asked.of(request, **options)
        with self._answering.one():
            return await self._orchestrator.complete(asked)

    def stream(self, request: RequestLike, **options: Unpack[Options]) -> Streaming:
        """The answer in pieces as they come; its `completion` is there at the end."""
        asked = Asked.of(request, **options)
        report = None if asked.ensemble else self._orchestrator.report(asked)
        return self._answering.follow(Streaming(self._orchestrator.pieces(asked, report), report))

    def route(self, request: RequestLike, **options: Unpack[Options]) -> Decision:
        """Who would be asked now, and why; asks nobody.

        Raises:
            RequestError: nothing to route, an unknown option, or no candidate can serve it.
        """
        return self._orchestrator.decide(Asked.of(request, **options))

    async def feedback(
        self, decision_id: str, kind: str, value: float | None = None, comment: str = "", *, caller: str = ""
    ) -> None:
        """What a user says about an answer; see `Opinions.heard`.

        Raises:
            RequestError: an unknown kind or id, or a value that is missing or out of range.
            NotYoursError: the answer was given to another caller's users.
        """
        await self._opinions.heard(decision_id, kind, value, comment, caller)

    async def embed(self, texts: Sequence[str], candidate: str, *, deadline_s: float | None = None) -> Embeddings:
        """One vector for each text, by a candidate that makes them. Nobody else is asked where it fails: vectors of
        different language models do not go together.

        Raises:
            RequestError: the client is not open.
            ProviderError: it failed.
        """
        with self._answering.one():
            return await self._fleets.embed(candidate, texts, deadline_s=deadline_s)

    async def warm(self, candidate: str) -> float:
        """Bring a candidate into memory; seconds that took, 0 where it was there or cannot be asked."""
        return await self._fleets.serving.load(candidate)

    async def status(self, windows: Windows | None = None) -> Status:
        """Everything at one moment: configuration, predictor, providers, candidates, figures.

        Args:
            windows: what several processes counted together; None for what this one did.
        """
        loaded, history = self._loaded, self._history
        return status(
            self._watch.snapshot(),
            fingerprint=self._orchestrator.policy.fingerprint,
            uptime_s=time.monotonic() - self._opened_s,
            live=self.live,
            path=loaded.source if loaded is not None else "",
            profile=loaded.profile if loaded is not None else "none",
            predictor=self._router.predictor,
            since=self._router.since,
            problem=self._router.problem,
            challenger=self._following.challenging,
            drift=self._note.drift,
            threshold=self._threshold.value,
            metrics=(windows or self.windows).figures(self._orchestrator.fast_half),
            history=None if history is None else history.status().to_json(),
            caches=await self._orchestrator.remembered.stats(),
        )

    async def _keep_saved(self) -> None:
        while True:
            await asyncio.sleep(60.0)
            self._threshold.save()
