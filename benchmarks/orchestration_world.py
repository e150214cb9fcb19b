"""The ways of asking that `orchestration.py` compares, all at the upstream of `overhead.py`: adapter, fleet, client."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from common import PROMPTS, ROOT
from overhead_clients import DIALECTS
from overhead_server import MODEL, TEXT

from turnout import HybridClient
from turnout.config.loader import load
from turnout.config.schema import Configuration, provider_settings
from turnout.learning.simulation import read_prompts
from turnout.policy import Router
from turnout.policy.policy import Policy
from turnout.providers import Call, Fleet
from turnout.providers.clock import CallClock
from turnout.providers.registry import make
from turnout.types import Answer, Chunk, Request, Sampling

EXAMPLE: Final = ROOT / "config" / "hybrid.yaml"
LEARNED: Final = {
    "lmstudio/qwen2.5-coder-7b": f"lmstudio/{MODEL}",
    "ollama/llama-3.3-70b": f"ollama/{MODEL}",
}
"""Whose outcomes in the bundled history stand for which of the two candidates."""

REPEATABLE: Final = Sampling(temperature=0.0)
"""So that the exact cache makes a key, looks, and keeps the answer."""


def settings(port: int, kind: str, folder: Path) -> list[str]:
    """What lies over the example configuration: its two local providers at the upstream, both of one kind."""
    base = f"http://127.0.0.1:{port}{DIALECTS[kind].base}"
    own = "{kind: %s, base_url: '%s', models: [{name: '%s', memory_mb: 10, vram_mb: 0}]}" % (kind, base, MODEL)  # noqa: UP031
    return [
        f"providers.lmstudio={own}",
        f"providers.ollama={own}",
        # The canned answer is no good one; another candidate asked for it would be measured as orchestration.
        "routing.escalation.min_threshold=0",
        "routing.escalation.threshold=0",
        "routing.escalation.adaptive=false",
        f"history.url=sqlite:///{folder / 'history.db'}",
    ]


@dataclass(frozen=True)
class Way:
    """`whole` answers a request; `streamed` too, and gives the moment of the first content on `time.perf_counter`."""

    whole: Callable[[Request], Any]
    streamed: Callable[[Request], Any]


def adapter(configuration: Configuration) -> tuple[Any, Way]:
    """The adapter itself, and what it is to ask it."""
    entry = provider_settings(configuration)[0]
    provider = make(entry)

    def call(request: Request) -> Call:
        return Call(MODEL, request, CallClock(entry.timeouts))

    async def whole(request: Request) -> str:
        return (await provider.complete(call(request))).text

    async def streamed(request: Request) -> tuple[str, float]:
        return await _read(provider.stream(call(request)))

    return provider, Way(whole, streamed)


def fleet_way(fleet: Fleet) -> Way:
    """The adapter with queue, breakers, retries and measuring around it."""
    candidate = f"lmstudio/{MODEL}"

    async def whole(request: Request) -> str:
        return (await fleet.complete(candidate, request)).text

    async def streamed(request: Request) -> tuple[str, float]:
        return await _read(fleet.stream(candidate, request))

    return Way(whole, streamed)


def client_way(client: HybridClient) -> Way:
    """Everything: decision, attempts, judging, caches, history."""

    async def whole(request: Request) -> str:
        return (await client.complete(request)).text

    async def streamed(request: Request) -> tuple[str, float]:
        first_s, parts = 0.0, []
        async with client.stream(request) as stream:
            async for chunk in stream:
                if chunk.text:
                    first_s = first_s or time.perf_counter()
                    parts.append(chunk.text)
        return "".join(parts), first_s

    return Way(whole, streamed)


async def _read(pieces: AsyncIterator[Chunk | Answer]) -> tuple[str, float]:
    first_s, parts = 0.0, []
    async for piece in pieces:
        if isinstance(piece, Chunk) and piece.text:
            first_s = first_s or time.perf_counter()
            parts.append(piece.text)
    return "".join(parts), first_s


@asynccontextmanager
async def opened(
    port: int, kind: str, folder: Path, predictor: Path
) -> AsyncIterator[tuple[dict[str, Way], HybridClient]]:
    """All three ways over connections of their own; health is looked at as the example says."""
    configuration = load(EXAMPLE, settings=settings(port, kind, folder), environment={}).configuration
    router = Router.load(predictor, configuration=Policy(configuration))
    async with AsyncExitStack() as stack:
        provider, alone = adapter(configuration)
        stack.push_async_callback(provider.aclose)
        quiet = replace(configuration.performance.health, interval_s=3600, max_age_s=7200)
        fleet = await stack.enter_async_context(Fleet(provider_settings(configuration), health=quiet))
        client = await stack.enter_async_context(HybridClient(configuration, router=router, state=folder))
        yield {"adapter": alone, "fleet": fleet_way(fleet), "client": client_way(client)}, client


def requests(seed: int) -> Iterator[Request]:
    """Developer prompts in random order, each unlike all before it, none of which anything was fitted on."""
    texts = [row.prompt for row in read_prompts(PROMPTS) if row.part == "heldout"]
    chance = random.Random(seed)
    number = 0
    while True:
        number += 1
        yield replace(Request.of(f"{chance.choice(texts)} ({seed}.{number})"), sampling=REPEATABLE)


async def ask(way: Way, request: Request, streamed: bool) -> tuple[float, float]:
    """Microseconds of one request, and to its first content (as much where it comes whole)."""
    started_s = time.perf_counter()
    if streamed:
        text, first_s = await way.streamed(request)
    else:
        text, first_s = await way.whole(request), 0.0
    ended_s = time.perf_counter()
    if text != TEXT:
        raise RuntimeError(f"not the text that was sent: {text[:100]!r}")
    return 1e6 * (ended_s - started_s), 1e6 * ((first_s or ended_s) - started_s)
