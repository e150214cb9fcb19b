"""The machine behind an emulator: which models are loaded, what they cost to load, who waits, and what is evicted."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any

from turnout.emulators.clock import Clock
from turnout.emulators.engine_run import Counters, Observer, Run, advance
from turnout.emulators.instance import Instance, LoadFailedError, ModelUnloadedError, QueueFullError, memory_bytes
from turnout.emulators.language_model import LanguageModel
from turnout.emulators.policy import Policy


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A model in the form in which a request needs it."""

    model: LanguageModel
    context: int | None
    settings: Mapping[str, Any] | None
    slots: int
    keep_alive_s: float
    observe: Observer | None
    automatic: bool = True
    instance: str | None = None

    def fits(self, instance: Instance) -> bool:
        """Whether a loaded instance will do."""
        return (
            instance.model.name == self.model.name
            and self.instance in (None, instance.id)
            and self.context in (None, instance.context)
            and self.settings in (None, instance.settings)
        )


class Engine:
    """Loads and runs models under a `Policy`, in the time of its `clock`. For one event loop."""

    def __init__(self, policy: Policy, speed: float = 0.0) -> None:
        self.policy = policy
        self.clock = Clock(speed)
        self.counters = Counters()
        self._loaded: dict[str, Instance] = {}
        self._loading: dict[str, Instance] = {}
        self._scheduler = asyncio.Lock()
        self._pending = 0
        self._changed = asyncio.Event()

    def loaded(self) -> tuple[Instance, ...]:
        """The instances that are loaded now, oldest first; those idle for too long are unloaded first."""
        for instance in list(self._loaded.values()):
            if not instance.users and instance.expires_at <= self.clock.now():
                self.counters.expirations += 1
                self._drop(instance)
        return tuple(self._loaded.values())

    @property
    def scheduling(self) -> bool:
        """Whether a request has the scheduler: it loads a model, or waits for room to do so."""
        return self._scheduler.locked()

    @property
    def pending(self) -> int:
        """Requests that wait for the scheduler."""
        return self._pending

    @asynccontextmanager
    async def use(
        self,
        model: LanguageModel,
        *,
        context: int | None = None,
        settings: Mapping[str, Any] | None = None,
        slots: int | None = None,
        keep_alive_s: float | None = None,
        observe: Observer | None = None,
        instance_id: str | None = None,
    ) -> AsyncIterator[Run]:
        """Have a model loaded with this context window and these settings, and keep it until the block ends.

        Args:
            context: tokens; None takes any loaded instance, or the model's longest window for a load.
            settings: anything else that a load depends on; None takes any.
            slots: instead of the policy's, for a load.
            keep_alive_s: idle seconds after this request; 0 unloads, infinity keeps, None leaves it as it is.
            observe: told how a load and the reading of the prompt get on.
            instance_id: one of several loaded copies; None takes any.

        Raises:
            QueueFullError: too many requests wait for the scheduler.
            LoadFailedError: the model does not fit.
        """
        asked = self.clock.now()
        keep = self.policy.keep_alive_s if keep_alive_s is None else keep_alive_s
        wanted = _Wanted(model, context, settings, slots or self.policy.slots, keep, observe, instance=instance_id)
        instance, loaded_here = await self._hand_over(wanted)
        instance.users += 1
        if keep_alive_s is not None and (self.policy.keep_alive_renewed or loaded_here):
            instance.keep_alive_s = keep_alive_s
        waited = self.clock.now() - asked
        run = Run(
            instance,
            self.clock,
            self.counters,
            load_s=max(waited, instance.load_s) if loaded_here else waited,
            loaded_here=loaded_here,
            shared_context=self.policy.shared_context,
            prefill_outlives_client=self.policy.prefill_outlives_client,
            observe=observe,
        )
        try:
            yield run
        finally:
            run.close()
            self._leave(instance)

    async def load(
        self,
        model: LanguageModel,
        *,
        context: int | None = None,
        settings: Mapping[str, Any] | None = None,
        slots: int | None = None,
        observe: Observer | None = None,
    ) -> Instance:
        """Load on purpose: another copy if there is one already, never evicted to make room, without expiry."""
        wanted = _Wanted(model, context, settings, slots or self.policy.slots, math.inf, observe, automatic=False)
        return await self._load(wanted)

    def unload(self, identifier: str) -> bool:
        """Unload an instance at once, whoever uses it. False when there is none of this id."""
        instance = self._loaded.get(identifier)
        if instance is not None:
            self._drop(instance)
        return instance is not None

    def retire(self, name: str) -> None:
        """Unload a model's instances as soon as nobody uses them."""
        for instance in self.loaded():
            if instance.model.name == name:
                instance.keep_alive_s = 0.0
                if not instance.users:
                    self._drop(instance)

    def snapshot(self) -> dict[str, Any]:
        """The state as JSON."""
        now = self.clock.now()
        return {
            "loaded": [instance.to_json(now) for instance in self.loaded()],
            "loading": list(self._loading),
            "pending": self._pending,
            "counters": asdict(self.counters),
        }

    async def _hand_over(self, wanted: _Wanted) -> tuple[Instance, bool]:
        """A loaded instance, and whether it was loaded for this."""
        if found := self._find(wanted):
            return found, False
        if not self.policy.one_instance:
            return await self._load(wanted), True
        limit = self.policy.max_pending
        if limit is not None and self._scheduler.locked() and self._pending >= limit:
            self.counters.rejected += 1
            raise QueueFullError("maximum pending requests exceeded")
        self._pending += 1
        try:
            await self._scheduler.acquire()
        finally:
            self._pending -= 1
        try:
            if found := self._find(wanted):
                return found, False
            return await self._load(wanted), True
        finally:
            self._scheduler.release()

    def _find(self, wanted: _Wanted) -> Instance | None:
        return next((instance for instance in self.loaded() if wanted.fits(instance)), None)

    async def _load(self, wanted: _Wanted) -> Instance:
        model = wanted.model
        context = wanted.context or model.max_context
        need = memory_bytes(model, context, 1 if self.policy.shared_context else wanted.slots)
        await self._make_room(model, need, wanted.automatic)
        instance = Instance(
            id=self._free_id(model.name),
            model=model,
            context=context,
            slots=wanted.slots,
            settings=wanted.settings or {},
            keep_alive_s=wanted.keep_alive_s,
            automatic=wanted.automatic,
            memory_bytes=need,
        )

        async def notice(done: float) -> None:
            if wanted.observe is not None:
                await wanted.observe("load", done)

        start = self.clock.now()
        self._loading[instance.id] = instance
        try:
            await advance(self.clock, model.load_s, notice)
        except BaseException:  # whoever asked has left: the load is given up and its memory is free again
            self.counters.loads_aborted += 1
            raise
        finally:
            del self._loading[instance.id]
            self._signal()
        self.counters.loads += 1
        instance.last_used = self.clock.now()
        instance.load_s = max(instance.last_used - start, model.load_s)
        instance.expires_at = instance.last_used + wanted.keep_alive_s
        self._loaded[instance.id] = instance
        return instance

    def _free_id(self, name: str) -> str:
        taken = self._loaded.keys() | self._loading.keys()
        names = [name, *(f"{name}:{number}" for number in range(2, len(taken) + 3))]
        return next(free for free in names if free not in taken)

    async def _make_room(self, model: LanguageModel, need: int, automatic: bool) -> None:
        """Evict until the model fits; wait for busy ones unless the policy kills them."""
        policy = self.policy
        if policy.memory_bytes is not None and need > policy.memory_bytes:
            raise LoadFailedError(
                f"model requires more system memory ({need / 2**30:.1f} GiB) than is available "
                f"({policy.memory_bytes / 2**30:.1f} GiB)"
            )
        while True:
            victims = [instance for instance in self.loaded() if instance.automatic]
            same = [instance for instance in victims if instance.model.name == model.name]
            if policy.one_instance and same:
                victims = same
            elif policy.keep_one_automatic and automatic and len(victims) > len(same):
                victims = [instance for instance in victims if instance not in same]
            elif self._fits(need):
                return
            free = victims if policy.evict_busy else [instance for instance in victims if not instance.users]
            if free:
                self.counters.evictions += 1
                self._drop(min(free, key=lambda instance: (instance.users > 0, instance.last_used)))
            elif victims or self._loading:
                await self._changed.wait()
            else:
                raise LoadFailedError("insufficient memory: models that were loaded on purpose are not unloaded")

    def _fits(self, need: int) -> bool:
        held = [*self._loaded.values(), *self._loading.values()]
        policy = self.policy
        if policy.max_loaded is not None and len(held) >= policy.max_loaded:
            return False
        used = sum(instance.memory_bytes for instance in held)
        return policy.memory_bytes is None or used + need <= policy.memory_bytes

    def _leave(self, instance: Instance) -> None:
        instance.users -= 1
        if instance.users or instance.ended is not None:
            return
        instance.last_used = self.clock.now()
        instance.expires_at = instance.last_used + instance.keep_alive_s
        if instance.keep_alive_s <= 0:
            self._drop(instance)
        self._signal()

    def _drop(self, instance: Instance) -> None:
        self._loaded.pop(instance.id, None)
        instance.end(ModelUnloadedError("Model unloaded."))
        self._signal()

    def _signal(self) -> None:
        """Wake those who wait for room."""
        self._changed.set()
        self._changed = asyncio.Event()
