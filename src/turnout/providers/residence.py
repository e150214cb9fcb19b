"""Which language models of one provider are in memory, and bringing one there at most once at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from turnout.config.providers import ProviderSettings
from turnout.errors import BadRequestError, LoadFailedError, ProviderTimeoutError
from turnout.providers.clock import CallClock
from turnout.providers.protocol import Provider
from turnout.types import LanguageModel


class Residence:
    """What a provider told of its language models, with the loads that run from here.

    `on_load` hears of each load that ended well: the language model and the seconds it took. `running` says how many
    requests of one hold a slot, `resident` what may stay in memory (None: everything).
    """

    def __init__(
        self,
        provider: Provider,
        settings: ProviderSettings,
        *,
        on_load: Callable[[str, float], None],
        running: Callable[[str], int],
        resident: Callable[[], Collection[str] | None] = lambda: None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._provider = provider
        self._settings = settings
        self._on_load = on_load
        self._running = running
        self._resident = resident
        self._loading = asyncio.Lock()
        self._now = now
        self._models: dict[str, LanguageModel] = {}
        self._loads: dict[str, asyncio.Task[float]] = {}

    def observe(self, models: Iterable[LanguageModel]) -> None:
        """What the provider says now."""
        self._models = {model.name: model for model in models}

    def get(self, model: str) -> LanguageModel | None:
        """What is known of one language model; None where the provider does not list it."""
        known = self._models.get(model)
        return replace(known, loading=True) if known is not None and model in self._loads else known

    @property
    def names(self) -> tuple[str, ...]:
        """The language models that the provider listed when it was last there, those for embeddings left out."""
        return tuple(name for name, model in self._models.items() if "embedding" not in model.capabilities)

    def keep_only(self, resident: Collection[str]) -> None:
        """All others were put out of memory to make room."""
        for name, model in self._models.items():
            if model.loaded and name not in resident:
                self._models[name] = replace(model, loaded=False)

    def forget(self, model: str) -> None:
        """It turned out not to be in memory."""
        known = self._models.get(model)
        if known is not None:
            self._models[model] = replace(known, loaded=False)

    def window(self, model: str) -> int | None:
        """The context window that a request for it will have; None where nobody knows."""
        known = self._models.get(model)
        if known is None:
            return self._settings.candidate(model).context_length
        wanted, most = self._settings.candidate(model).context_length, known.context_length
        if wanted is None:
            return known.loaded_context_length or most
        return wanted if most is None else min(wanted, most)

    async def bring_up(self, model: str, left_s: float | None, *, mine: int = 1) -> float:
        """Seconds waited until the language model is in memory with its window; 0 where nothing was to be done.

        `mine` is how many of the requests that hold a slot are the caller's own.

        A load is one task for all who wait and outlives them: leaving makes Ollama abort it, and two loads at once
        make LM Studio keep two copies.

        Raises:
            ProviderTimeoutError: the caller's time was over first; the load goes on.
            ProviderError: the load failed.
        """
        known = self._models.get(model)
        task = self._loads.get(model)
        if not self._provider.loads or known is None:
            return 0.0
        if task is None and known.loaded and not self._too_small(model, known, mine):
            return 0.0
        started_s = self._now()
        if task is None:
            task = self._loads[model] = asyncio.create_task(self._load(model))
            task.add_done_callback(lambda done: self._ended(model, done))
        try:
            async with asyncio.timeout(left_s):
                await asyncio.shield(task)
        except TimeoutError:
            raise ProviderTimeoutError(
                "still loading when the deadline came", phase="load", provider=self._provider.name, model=model
            ) from None
        except asyncio.CancelledError:
            own = asyncio.current_task()
            if task.cancelled() and not (own is not None and own.cancelling()):
                raise LoadFailedError(
                    "the load was given up because Turnout closes", provider=self._provider.name, model=model
                ) from None
            raise
        except BadRequestError:
            return 0.0  # this version loads on its own, with the request
        return self._now() - started_s

    def _too_small(self, model: str, known: LanguageModel, mine: int) -> bool:
        wanted, window = self._settings.candidate(model).context_length, known.loaded_context_length
        if wanted is None or window is None:
            return False
        # A reload ends what runs on the small window, so it waits until only the request that asks for it does.
        return window < min(wanted, known.context_length or wanted) and self._running(model) <= mine

    async def _load(self, model: str) -> float:
        started_s = self._now()
        load_s = self._settings.timeouts.load_s
        clock = CallClock(replace(self._settings.timeouts, total_s=load_s), now=self._now)
        window = self._settings.candidate(model).context_length
        try:
            if self._provider.evicts:
                await self._provider.load(model, clock, context_length=window)
            else:
                async with self._loading:  # two at once would each find the other in the way
                    await self._make_room(model, clock)
                    await self._provider.load(model, clock, context_length=window)
        except ProviderTimeoutError as error:
            raise ProviderTimeoutError(
                f"not loaded within {load_s:g} s", phase="load", provider=error.provider, model=model
            ) from error
        return self._now() - started_s

    async def _make_room(self, model: str, clock: CallClock) -> None:
        """Unload what the queue has put out: it is idle, and the provider would keep it."""
        stays = self._resident()
        for name, known in list(self._models.items()):
            if stays is not None and known.loaded and name != model and name not in stays and not self._running(name):
                await self._provider.unload(name, clock)
                self.forget(name)

    def _ended(self, model: str, task: asyncio.Task[float]) -> None:
        self._loads.pop(model, None)
        if task.cancelled() or task.exception() is not None:
            return
        known = self._models.get(model)
        if known is not None:
            self._models[model] = replace(known, loaded=True, loaded_context_length=self.window(model))
        self._on_load(model, task.result())

    async def aclose(self) -> None:
        """Give up the loads that run."""
        tasks = list(self._loads.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
