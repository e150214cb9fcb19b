"""One provider with everything around its adapter: queue, breakers, loading, time limits, retries, measuring."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace

from turnout.config.providers import ProviderSettings
from turnout.errors import ContextOverflowError, IncompleteError, InternalError, NotLoadedError, ProviderError
from turnout.providers.circuits import Circuits
from turnout.providers.clock import CallClock, Deadline
from turnout.providers.errand import Errand
from turnout.providers.estimates import Estimates
from turnout.providers.meter import Meter
from turnout.providers.protocol import Call, Pieces, Provider
from turnout.providers.queue import Queue
from turnout.providers.residence import Residence
from turnout.providers.retry import retry_wait_s
from turnout.types import Answer, Attempt, Chunk, Embeddings, ProviderEvent, ProviderState, Request
from turnout.types.tokens import least_tokens, likely_tokens


class Lane:
    """One provider. `on_attempt` hears of every attempt, `on_event` of every change of a breaker or availability."""

    def __init__(
        self,
        provider: Provider,
        settings: ProviderSettings,
        estimates: Estimates,
        *,
        on_attempt: Callable[[Attempt], None],
        on_event: Callable[[ProviderEvent], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.provider = provider
        self.settings = settings
        self.queue = Queue(provider.name, settings.queue, max_resident=provider.max_resident, now=now)
        self.state = ProviderState(
            provider=provider.name, available=False, observed_s=float("-inf"), problem="not looked at yet"
        )
        self.circuits = Circuits(provider.name, settings.breaker, on_event=on_event, now=now)
        self.residence = Residence(
            provider,
            settings,
            on_load=self._loaded,
            running=self.queue.schedule.running_for,
            resident=lambda: self.queue.schedule.resident,
            now=now,
        )
        self._estimates = estimates
        self._on_attempt = on_attempt
        self._on_event = on_event
        self._now = now
        self._closed = False
        self._elsewhere = 0  # requests between two tries, and loads: they hold no slot

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for anything here."""
        return not (self._elsewhere or self.queue.schedule.running or self.queue.schedule.waiting)

    async def refresh(self) -> None:
        """One look at the provider."""
        timeouts = replace(self.settings.timeouts, total_s=self.settings.timeouts.probe_s)
        state = await self.provider.state(CallClock(timeouts, now=self._now))
        before, self.state = self.state, state
        if state.available:
            self.circuits.seen()
            self.residence.observe(state.models)
            self.queue.observe(model.name for model in state.models if model.loaded)
        if before.available != state.available:
            words = {True: "available", False: "unavailable"}
            self._on_event(
                ProviderEvent(
                    kind="availability",
                    provider=self.provider.name,
                    before=words[before.available],
                    after=words[state.available],
                    reason=state.problem,
                )
            )

    async def complete(
        self,
        model: str,
        request: Request,
        *,
        deadline_s: float | None = None,
        expected_s: float | None = None,
        on_attempt: Callable[[Attempt], None] | None = None,
    ) -> Answer:
        """One whole answer, tried again where the error says that this may help."""
        deadline = Deadline(deadline_s, now=self._now)
        errand = Errand(request=request, deadline=deadline, expected_s=expected_s, on_attempt=on_attempt)
        tries = 0
        while True:
            tries += 1
            try:
                async with self._attempt(model, errand, tries) as (call, meter):
                    answer = meter.answer = await self.provider.complete(call)
                return answer
            except ProviderError as error:
                wait_s = self._retry_wait_s(model, error, tries, deadline)
                if wait_s is None:
                    raise
            await self._rest(wait_s)

    def stream(
        self,
        model: str,
        request: Request,
        *,
        deadline_s: float | None = None,
        patience_s: float | None = None,
        expected_s: float | None = None,
        on_attempt: Callable[[Attempt], None] | None = None,
    ) -> Pieces:
        """A streamed answer; tried again only as long as no content was handed out."""
        deadline = Deadline(deadline_s, patience_s, now=self._now)
        errand = Errand(request=request, deadline=deadline, streamed=True, expected_s=expected_s, on_attempt=on_attempt)
        return self._stream(model, errand)

    async def _stream(self, model: str, errand: Errand) -> AsyncGenerator[Chunk | Answer, None]:
        tries = 0
        begun = False
        texts: list[str] = []
        while True:
            tries += 1
            try:
                async with (
                    self._attempt(model, errand, tries) as (call, meter),
                    aclosing(self.provider.stream(call)) as pieces,
                ):
                    async for piece in pieces:
                        if isinstance(piece, Answer):
                            meter.answer = piece
                            break
                        if piece.has_content and not begun:
                            begun = True
                            meter.began()
                        texts.append(piece.text)
                        since_s = self._now()
                        yield piece
                        meter.held_s += self._now() - since_s
                    if meter.answer is None:
                        raise IncompleteError(
                            "the stream ended without an answer",
                            provider=self.provider.name,
                            model=model,
                            partial_text="".join(texts),
                        )
                # Handed out after the slot is free: the caller may take its time with it.
                assert meter.answer is not None
                yield meter.answer
                return
            except ProviderError as error:
                wait_s = None if begun else self._retry_wait_s(model, error, tries, errand.deadline)
                if wait_s is None:
                    raise
            await self._rest(wait_s)

    async def embed(self, model: str, texts: Sequence[str], *, deadline_s: float | None = None) -> Embeddings:
        """One vector for each text. Measured and guarded like an answer, but not retried."""
        errand = Errand(request=None, deadline=Deadline(deadline_s, now=self._now))
        async with self._attempt(model, errand, 1) as (call, _):
            return await self.provider.embed(model, texts, call.clock)

    async def _rest(self, wait_s: float) -> None:
        self._elsewhere += 1
        try:
            await asyncio.sleep(wait_s)
        finally:
            self._elsewhere -= 1

    def _retry_wait_s(self, model: str, error: ProviderError, tries: int, deadline: Deadline) -> float | None:
        if isinstance(error, NotLoadedError):
            self.residence.forget(model)
        if self._closed:
            return None
        return retry_wait_s(error, tries, self.settings.retry, left_s=deadline.begin_left_s)

    @asynccontextmanager
    async def _attempt(self, model: str, errand: Errand, number: int) -> AsyncIterator[tuple[Call, Meter]]:
        """Everything around one call. Whatever happens inside, the slot and the permits come back."""
        request, deadline = errand.request, errand.deadline
        meter = Meter(f"{self.provider.name}/{model}", number, streamed=errand.streamed, now=self._now)
        try:
            if request is not None:
                self._check_window(model, request)
            self.circuits.check(model)
            async with self.queue.slot(
                model, deadline_s=deadline.begin_left_s, since_s=deadline.started_s, expected_s=errand.expected_s
            ) as meter.queue_s:
                admission = self.circuits.admit(model)
                was_loaded, left_s = False, None
                try:
                    meter.load_s = await self.residence.bring_up(model, deadline.begin_left_s)
                    known, left_s = self.residence.get(model), deadline.left_s
                    was_loaded = meter.was_loaded = known is None or known.loaded is not False
                    meter.began = admission.began
                    yield self._call(model, request, deadline, meter), meter
                    slow_s = self.settings.breaker.slow_first_token_s
                    admission.succeeded(slowly=was_loaded and meter.late_s > slow_s)
                except Exception as error:
                    failure = self._ours(error, model)
                    own_deadline = left_s is not None and left_s < self.settings.timeouts.total_s
                    admission.failed(failure, was_loaded=was_loaded, own_deadline=own_deadline)
                    if failure is error:
                        raise
                    raise failure from error
                finally:
                    admission.ended()
        except ProviderError as error:
            meter.failed(error)
            raise
        except (asyncio.CancelledError, GeneratorExit):
            meter.cancelled = True
            raise
        finally:
            attempt = meter.attempt()
            if meter.answer is not None:
                self._estimates.answered(
                    meter.answer,
                    first_token_s=meter.first_token_s,
                    total_s=attempt.answer_s,  # what queueing, loading and reading took is not its speed
                    was_loaded=meter.was_loaded,
                )
            self._on_attempt(attempt)
            if errand.on_attempt is not None:
                errand.on_attempt(attempt)

    def _ours(self, error: Exception, model: str) -> ProviderError:
        """The error itself, or one of ours for an adapter that breaks its promise."""
        if isinstance(error, ProviderError):
            return error
        told = f"the adapter failed ({type(error).__name__}: {error})"
        return InternalError(told, provider=self.provider.name, model=model)

    def _loaded(self, model: str, load_s: float) -> None:
        self._estimates.loaded(f"{self.provider.name}/{model}", load_s)
        resident = self.queue.schedule.resident
        if resident is not None:
            self.residence.keep_only(resident | {model})

    def _call(self, model: str, request: Request | None, deadline: Deadline, meter: Meter) -> Call:
        settings, known = self.settings.candidate(model), self.residence.get(model)
        request = request if request is not None else Request(())
        meter.prefill_s = self._estimates.prefill_s(meter.candidate, likely_tokens(request))
        patience_s = self.settings.timeouts.first_token_s + meter.prefill_s
        if known is not None and known.loaded is False:
            patience_s += self.settings.timeouts.load_s  # it loads on its own, with the request
        clock = CallClock(
            self.settings.timeouts,
            first_token_s=patience_s,
            deadline_s=deadline.left_s,
            begin_within_s=deadline.begin_left_s,
            now=self._now,
        )
        meter.clock = clock
        return Call(
            model,
            request,
            clock,
            context_length=settings.context_length,
            keep_alive_s=settings.keep_alive_s,
            window=known.loaded_context_length if known is not None else None,
        )

    def _check_window(self, model: str, request: Request) -> None:
        window = self.residence.window(model)
        least = least_tokens(request) if window is not None else 0
        if window is not None and least > window:
            raise ContextOverflowError(
                f"the prompt takes at least {least} tokens, the context window holds {window}",
                provider=self.provider.name,
                model=model,
            )

    async def load(self, model: str) -> float:
        """Bring a language model into memory now; returns the seconds it took, 0 where it was there."""
        self._elsewhere += 1
        try:
            return await self.residence.bring_up(model, None, mine=0)
        finally:
            self._elsewhere -= 1

    async def unload(self, model: str) -> None:
        """Take a language model out of memory."""
        await self.provider.unload(model, CallClock(self.settings.timeouts, now=self._now))
        self.residence.forget(model)

    async def aclose(self) -> None:
        """Give up the loads that run and close every connection."""
        self._closed = True
        await self.residence.aclose()
        await self.provider.aclose()
