"""A gateway in front of emulated providers, in a thread of its own, so that clients of any kind can ask it unchanged."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

from aiohttp import web

from turnout.config.gateway import Gateway
from turnout.emulators.call import CALL
from turnout.emulators.faults import Fault, FaultName
from turnout.emulators.server import Emulator, EmulatorOptions, serving
from turnout.gateway.server import bound, serve

_Value = TypeVar("_Value")

MODELS: Mapping[str, tuple[str, ...]] = {
    "lmstudio": ("qwen2.5-coder-7b", "text-embedding-nomic"),
    "ollama": ("llama3.1:8b", "qwen3:4b", "qwen2.5vl:7b", "nomic-embed-text:latest"),
}
FAST = "lmstudio/qwen2.5-coder-7b"
PLAIN = "ollama/llama3.1:8b"
THINKER = "ollama/qwen3:4b"
SEER = "ollama/qwen2.5vl:7b"
EMBEDDER = "lmstudio/text-embedding-nomic"
CHATTING = (FAST, PLAIN, THINKER, SEER)

LONG = "write 900 words about queues"
ENDLESS = "write 20000 words about queues"
"""At the speed of `slow` it takes longer than any test waits."""

ASKS_FOR_WEATHER = "use get_weather for the town"
SHORT = "write 20 words about caching"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
"""A picture of one pixel, PNG in base64."""

WEATHER: Mapping[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a town.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}

BUDGET_S = 20.0
"""What a busy machine may take for anything."""

SETTINGS = """
performance: {health: {interval_s: 3600, max_age_s: 7200}, cache: {exact: {enabled: false}}}
history: {enabled: true}
hybrid: {enabled: false}
ensembles:
  pair: {kind: best_of, description: The better of two., answers: 2, candidates: [FAST, PLAIN]}
""".replace("FAST", f"'{FAST}'").replace("PLAIN", f"'{PLAIN}'")
"""Providers are looked at once, so that faults meet requests alone; the configured order, whatever speeds are measured."""


@dataclass(frozen=True)
class Reached:
    """One request that reached the language models of a provider; faults that need no answer strike before."""

    kind: str
    path: str
    body: Mapping[str, Any]


@dataclass
class World:
    """Providers and the gateway before them. Everything here may be called from any thread."""

    loop: asyncio.AbstractEventLoop
    emulators: Mapping[str, Emulator]
    url: str = ""
    reached: list[Reached] = field(default_factory=list)

    def call(self, do: Callable[[], _Value]) -> _Value:
        """Do something in the event loop of the providers."""

        async def done() -> _Value:
            return do()

        return asyncio.run_coroutine_threadsafe(done(), self.loop).result(BUDGET_S)

    def fails(self, name: str, *kinds: str, **fields: Any) -> None:
        """Switch a fault on, at every provider if none is named."""
        for kind in kinds or self.emulators:
            self.call(lambda kind=kind: self.emulators[kind].switch_on(Fault(FaultName(name), **fields)))  # type: ignore[misc]

    def breaks(self) -> None:
        """Let every stream of FAST fail after its first pieces, and nothing that comes before a stream."""
        self.fails("error_event_mid_stream", "lmstudio", path="/v1/chat/completions", after=3)

    def slow(self, speed: float = 5.0) -> None:
        """Slow enough that something can happen while somebody generates."""
        for each in self.emulators.values():
            self.call(lambda clock=each.engine.clock: setattr(clock, "speed", speed))  # type: ignore[misc]

    def heal(self) -> None:
        """No fault, no delay, nothing seen; what still generates comes to its end first."""
        for each in self.emulators.values():
            self.call(each.faults.clear)
        self.slow(0.0)
        self.is_quiet()
        self.reached.clear()

    @property
    def generating(self) -> int:
        """Answers that are being generated now."""
        return sum(each.engine.counters.running for each in self.emulators.values())

    def count(self, name: str) -> int:
        """A counter of the engines, over all providers."""
        return sum(getattr(each.engine.counters, name) for each in self.emulators.values())

    def is_busy(self) -> None:
        """Wait until somebody generates."""
        until(lambda: self.generating > 0)

    def is_quiet(self) -> None:
        """Wait until nobody does: a server notices a little later that its client has gone."""
        until(lambda: self.generating == 0)

    def patience(self, most_s: float = BUDGET_S) -> Iterator[float]:
        """Seconds after which a client gives up, more each time, until a generation was stopped by that: how soon it
        begins depends on the machine.

        Raises:
            TimeoutError: none was stopped.
        """
        self.slow()
        before, patience_s = self.count("generations_cancelled"), 1.0
        while self.count("generations_cancelled") == before:
            if patience_s > most_s:
                raise TimeoutError("clients gave up and nothing was stopped")
            yield patience_s
            with suppress(TimeoutError):
                until(lambda: self.count("generations_cancelled") > before, 1.0)
            patience_s *= 2

    def calls(self) -> int:
        """How often a provider was called with anything, refused calls included."""
        return sum(sum(each.requests.values()) for each in self.emulators.values())

    @property
    def chats(self) -> list[Reached]:
        """The requests that asked for an answer, in order."""
        return [one for one in self.reached if one.body.get("messages") or one.body.get("input")]

    @property
    def asked(self) -> Mapping[str, Any]:
        """The body of the only one of them."""
        (one,) = self.chats
        return one.body


def until(done: Callable[[], bool], within_s: float = BUDGET_S) -> None:
    """Wait for something.

    Raises:
        TimeoutError: it did not happen.
    """
    limit_s = time.monotonic() + within_s
    while not done():
        if time.monotonic() > limit_s:
            raise TimeoutError("what was waited for did not happen")
        time.sleep(0.005)


@contextmanager
def opened(folder: Path, settings: str = SETTINGS, gateway: str = "{}") -> Iterator[World]:
    """A world whose files lie in a folder.

    Args:
        folder: an empty one.
        settings: the configuration beside providers and gateway, in YAML.
        gateway: that of the gateway, in YAML.
    """
    emulators = {
        kind: import_module(f"turnout.emulators.{kind}").make(EmulatorOptions(models=models))
        for kind, models in MODELS.items()
    }
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="world", daemon=True)
    thread.start()
    world = World(loop, emulators)
    for kind, emulator in emulators.items():
        _note(world, kind, emulator)
    try:
        with _running(loop, _life(world, folder, settings, gateway)):
            yield world
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(BUDGET_S)
        loop.close()


@contextmanager
def _running(loop: asyncio.AbstractEventLoop, life: _Life) -> Iterator[None]:
    """Let it run in the loop while the block does."""
    ready = threading.Event()
    stop = asyncio.Event()
    future = asyncio.run_coroutine_threadsafe(life(ready.set, stop), loop)
    future.add_done_callback(lambda _: ready.set())
    if not ready.wait(3 * BUDGET_S) or future.done():
        future.result(0)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        future.result(3 * BUDGET_S)


_Life = Callable[[Callable[[], object], asyncio.Event], Coroutine[Any, Any, None]]


def _life(world: World, folder: Path, settings: str, gateway: str) -> _Life:
    async def life(ready: Callable[[], object], stop: asyncio.Event) -> None:
        async with AsyncExitStack() as stack:
            file = folder / "hybrid.yaml"
            lines = []
            for kind, emulator in world.emulators.items():
                url = await stack.enter_async_context(serving(emulator))
                limits = "retry: {retries: 0}, breaker: {minimum_calls: 1000, window: 1000}"
                lines.append(f"  {kind}: {{kind: {kind}, base_url: '{url}', models: [], {limits}}}")
            file.write_text("providers:\n" + "\n".join(lines) + f"\n{settings}\ngateway: {gateway}\n")
            listening = bound(Gateway(port=0))
            world.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            folders = {"TURNOUT_MODELS": str(folder / "models"), "TURNOUT_STATE": str(folder / "state")}
            with mock.patch.dict(os.environ, folders):
                await serve(file, listening=listening, on_ready=lambda _: ready(), stop=stop)

    return life


def _note(world: World, kind: str, emulator: Emulator) -> None:
    """Let the emulator tell the world what it is asked."""
    made = emulator.application

    @web.middleware
    async def noted(request: web.Request, handler: Any) -> web.StreamResponse:
        call = request.get(CALL)
        if call is not None and isinstance(call.body, dict):
            world.reached.append(Reached(kind, request.path, call.body))
        response: web.StreamResponse = await handler(request)
        return response

    def application() -> web.Application:
        app = made()
        app.middlewares.append(noted)
        return app

    emulator.application = application  # type: ignore[method-assign]
