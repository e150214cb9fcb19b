"""One request on a loaded model: wait for a slot, read the prompt, generate piece by piece, free the slot always."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, TypeVar

from turnout.emulators.clock import Clock
from turnout.emulators.instance import ContextExceededError, EngineError, Instance

T = TypeVar("T")

Observer: TypeAlias = Callable[[Literal["load", "prefill"], float], Awaitable[None]]
"""Told how far a load or the reading of the prompt is, from 0 to 1."""

_STEPS: Final = 8
_SHORTEST_STEP_S: Final = 0.05


@dataclass
class Counters:
    """What happened on the machine since it started; `running` is now, everything else is in total."""

    loads: int = 0
    loads_aborted: int = 0
    evictions: int = 0
    expirations: int = 0
    rejected: int = 0
    generations: int = 0
    generations_cancelled: int = 0
    generations_failed: int = 0
    running: int = 0
    max_running: int = 0
    tokens: int = 0


async def advance(clock: Clock, seconds: float, notice: Callable[[float], Awaitable[None]]) -> None:
    """Let time pass in steps and call `notice` with the share done, 0 and 1 included."""
    start = clock.now()
    steps = max(1, min(_STEPS, int(seconds / _SHORTEST_STEP_S)))
    await notice(0.0)
    for step in range(1, steps + 1):
        await clock.sleep_until(start + seconds * step / steps)
        await notice(step / steps)


class Run:
    """A request that was handed a loaded model.

    Seconds are of the engine's clock. `load_s` is the time until the model was handed over, waiting for others' loads
    included; `loaded_here` says that this request loaded it. `wait_s` is the time until a slot was free.
    """

    def __init__(
        self,
        instance: Instance,
        clock: Clock,
        counters: Counters,
        *,
        load_s: float,
        loaded_here: bool,
        shared_context: bool,
        prefill_outlives_client: bool,
        observe: Observer | None,
    ) -> None:
        self.instance = instance
        self.load_s = load_s
        self.loaded_here = loaded_here
        self.wait_s = self.prefill_s = self.decode_s = 0.0
        self.tokens = 0
        self.failure: EngineError | None = None
        self._clock = clock
        self._counters = counters
        self._shared_context = shared_context
        self._prefill_outlives_client = prefill_outlives_client
        self._observe = observe
        self._prefill_ends: float | None = None
        self._held: int | None = None

    async def generate(self, prompt_tokens: int, pieces: Iterable[T]) -> AsyncGenerator[T, None]:
        """Read the prompt, then yield the pieces at the model's speed. No pieces: only read, as embeddings do.

        Raises:
            EngineError: the model was unloaded or its context overflowed; pieces made before were yielded.
        """
        await self._start()
        with self._closed():
            await self._prefill(prompt_tokens)
            start = self._clock.now()
            rate = self.instance.model.decode_tokens_per_s
            for piece in pieces:
                await self._clock.sleep_until(start + (self.tokens + 1) / rate)
                self._hold(1)
                self.tokens += 1
                self._counters.tokens += 1
                self.decode_s = max(self._clock.now() - start, self.tokens / rate)
                yield piece

    async def relay(self, pieces: AsyncIterable[T]) -> AsyncGenerator[T, None]:
        """Yield what a real engine makes, as it makes it; until the first piece it reads the prompt.

        Raises:
            EngineError: the engine failed, or the model was unloaded.
        """
        await self._start()
        with self._closed():
            start = self._clock.now()
            async for piece in pieces:
                if not self.tokens:
                    self.prefill_s = self._clock.now() - start
                if self.failure is not None:
                    raise self.failure
                self.tokens += 1
                self._counters.tokens += 1
                self.decode_s = self._clock.now() - start - self.prefill_s
                yield piece

    @contextmanager
    def _closed(self) -> Iterator[None]:
        """Close it at the end of the block, as unfinished where whoever listens has gone."""
        finished = False
        try:
            yield
            finished = True
        except EngineError:
            finished = True
            self._counters.generations_failed += 1
            raise
        finally:
            self.close(finished)

    async def _start(self) -> None:
        asked = self._clock.now()
        await self.instance.acquire()
        self._held = 0
        self.wait_s = self._clock.now() - asked
        self.instance.holders.add(self)
        self._counters.generations += 1
        self._counters.running += 1
        self._counters.max_running = max(self._counters.max_running, self._counters.running)

    async def _prefill(self, prompt_tokens: int) -> None:
        start = self._clock.now()
        seconds = prompt_tokens / self.instance.model.prefill_tokens_per_s
        self._prefill_ends = start + seconds

        async def notice(done: float) -> None:
            self._hold(0)
            if self._observe is not None:
                await self._observe("prefill", done)

        await advance(self._clock, seconds, notice)
        self._prefill_ends = None
        self.prefill_s = max(self._clock.now() - start, seconds)
        self._hold(prompt_tokens)

    def _hold(self, tokens: int) -> None:
        """Put tokens into the context window, if nothing has failed."""
        instance = self.instance
        instance.tokens_held += tokens
        self._held = (self._held or 0) + tokens
        if self._shared_context and instance.tokens_held > instance.context:
            instance.fail_holders(ContextExceededError("Context size has been exceeded."))
        if self.failure is not None:
            raise self.failure

    def close(self, finished: bool = False) -> None:
        """Free the slot; safe to call again."""
        if self._held is None:
            return
        self.instance.tokens_held -= self._held
        self.instance.holders.discard(self)
        self._held = None
        self._counters.running -= 1
        self._counters.generations_cancelled += not finished
        remaining_s = 0.0 if self._prefill_ends is None else self._prefill_ends - self._clock.now()
        if self._prefill_outlives_client and remaining_s > 0 and self._clock.speed and self.failure is None:
            asyncio.get_running_loop().call_later(remaining_s / self._clock.speed, self.instance.release)
        else:
            self.instance.release()
