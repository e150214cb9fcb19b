"""A clock that moves when told to, and a provider that plays scenes from memory and writes down what it was asked."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeAlias

from turnout.config.providers import ProviderSettings
from turnout.errors import BadRequestError
from turnout.providers.clock import CallClock
from turnout.providers.protocol import Call
from turnout.types import Answer, Chunk, Embeddings, LanguageModel, ProviderState, Usage

Step: TypeAlias = "Chunk | Answer | BaseException | float | asyncio.Event | Callable[[], object]"
"""A piece is handed out, an exception raised, a float is seconds that pass, an event is awaited, the rest is called."""


class FakeClock:
    """A monotonic clock; call it for the time."""

    def __init__(self, now_s: float = 1000.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s

    def advance(self, seconds: float) -> None:
        self.now_s += seconds


class ScriptedProvider:
    """Meets the protocol without any I/O.

    Each call of `complete` or `stream` plays the next scene that `plays` was given, and answers at once when there is
    none; `load` does the same with `loads_like`, and puts out what `max_resident` has no room for. `asked` holds the
    names of the methods in the order they were called.
    """

    def __init__(
        self,
        models: Iterable[LanguageModel | str] = ("small",),
        *,
        name: str = "local",
        loads: bool = False,
        max_resident: int | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.name = name
        self.loads = loads
        self.evicts = True
        self.max_resident = max_resident
        self.clock = clock or FakeClock()
        self.models = {m.name: m for m in map(language_model, models)}
        self.asked: list[str] = []
        self.calls: list[Call] = []
        self.loaded: list[tuple[str, int | None]] = []
        self.problem = ""
        self.look_waits: asyncio.Event | None = None
        self.look_fails: BaseException | None = None
        self.close_fails: BaseException | None = None
        self.closed = False
        self.open = 0
        self.most_open = 0
        self._scenes: deque[Sequence[Step]] = deque()
        self._load_scenes: deque[Sequence[Step]] = deque()

    def plays(self, *scenes: Sequence[Step]) -> None:
        """What the next calls do, one scene each."""
        self._scenes.extend(scenes)

    def forgets_its_scenes(self) -> None:
        """What was not played yet never will be."""
        self._scenes.clear()

    def loads_like(self, *scenes: Sequence[Step]) -> None:
        """What the next loads do, one scene each; a scene that does not raise ends well."""
        self._load_scenes.extend(scenes)

    def count(self, method: str) -> int:
        """How often a method was called."""
        return self.asked.count(method)

    async def state(self, clock: CallClock) -> ProviderState:
        self.asked.append("state")
        if self.look_waits is not None:
            await self.look_waits.wait()
        if self.look_fails is not None:
            raise self.look_fails
        seen_s = self.clock()
        if self.problem:
            return ProviderState(provider=self.name, available=False, observed_s=seen_s, problem=self.problem)
        models = tuple(self.models.values())
        return ProviderState(provider=self.name, available=True, observed_s=seen_s, version="1", models=models)

    async def discover(self, clock: CallClock) -> tuple[LanguageModel, ...]:
        self.asked.append("discover")
        if self.look_fails is not None:
            raise self.look_fails
        return tuple(self.models.values())

    async def complete(self, call: Call) -> Answer:
        scene = self._begin("complete", call)
        try:
            for step in scene:
                if isinstance(step, Answer):
                    return step
                await self._act(step)
            return answer(f"{self.name}/{call.model}")
        finally:
            self.open -= 1

    async def stream(self, call: Call) -> AsyncGenerator[Chunk | Answer, None]:
        scene = self._begin("stream", call)
        try:
            for step in scene:
                if isinstance(step, Chunk):
                    if step.has_content:
                        call.clock.received()
                    elif step.progress is not None:
                        call.clock.progressed()
                if isinstance(step, Chunk | Answer):
                    yield step
                else:
                    await self._act(step)
        finally:
            self.open -= 1
            self.asked.append("closed stream")

    async def embed(self, model: str, texts: Sequence[str], clock: CallClock) -> Embeddings:
        self.asked.append("embed")
        for step in self._scenes.popleft() if self._scenes else ():
            await self._act(step)
        return Embeddings(f"{self.name}/{model}", tuple((float(len(text)),) for text in texts))

    async def load(self, model: str, clock: CallClock, *, context_length: int | None = None) -> None:
        self.asked.append("load")
        self.loaded.append((model, context_length))
        for step in self._load_scenes.popleft() if self._load_scenes else ():
            await self._act(step)
        self.models[model] = replace(self.models[model], loaded=True, loaded_context_length=context_length)
        others = [m for m in self.models.values() if m.loaded and m.name != model]
        for other in others[: len(others) + 1 - (self.max_resident or len(others) + 1)]:
            self.models[other.name] = replace(other, loaded=False)

    async def unload(self, model: str, clock: CallClock) -> None:
        self.asked.append("unload")
        if not self.loads:
            raise BadRequestError("cannot be told to unload", provider=self.name, model=model)
        self.models[model] = replace(self.models[model], loaded=False)

    async def aclose(self) -> None:
        self.closed = True
        if self.close_fails is not None:
            raise self.close_fails

    def _begin(self, method: str, call: Call) -> Sequence[Step]:
        self.asked.append(method)
        self.calls.append(call)
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        return self._scenes.popleft() if self._scenes else (answer(f"{self.name}/{call.model}"),)

    async def _act(self, step: Step) -> None:
        if isinstance(step, BaseException):
            raise step
        if isinstance(step, float):
            assert isinstance(self.clock, FakeClock), "only a fake clock can be moved"
            self.clock.advance(step)
        elif isinstance(step, asyncio.Event):
            await step.wait()
        elif callable(step):
            step()


def language_model(model: LanguageModel | str, **facts: object) -> LanguageModel:
    """A language model by name: in memory unless told otherwise."""
    if isinstance(model, LanguageModel):
        return model
    return LanguageModel(**{"name": model, "loaded": True, **facts})  # type: ignore[arg-type]


def answer(candidate: str = "local/small", text: str = "done", **told: int) -> Answer:
    """A whole answer; keywords are what the provider counted."""
    return Answer(candidate, candidate.partition("/")[2], text, usage=Usage(**told))


def settings(name: str = "local", **changes: object) -> ProviderSettings:
    """The settings of a provider that needs no address."""
    return ProviderSettings(**{"name": name, "kind": "scripted", "base_url": "http://scripted", **changes})  # type: ignore[arg-type]


async def ticks(count: int = 10) -> None:
    """Let everything that can go on go on."""
    for _ in range(count):
        await asyncio.sleep(0)
