"""The world of `chaos.py`: two providers that fail, one that never does, a real engine, and what is asked of them."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from common import PROMPTS, ROOT

from turnout.emulators.admin import ADMIN
from turnout.emulators.faults import FaultName
from turnout.learning.simulation import read_prompts

FAILING: Final = {"lmstudio": "qwen2.5-coder-7b", "ollama": "llama3.3:70b"}
HEALTHY: Final = {"healthy": "llama-3.1-8b"}
ENGINE: Final = "engine"
LEARNED: Final = {
    "lmstudio/qwen2.5-coder-7b": "lmstudio/qwen2.5-coder-7b",
    "lmstudio/llama-3.1-8b": "healthy/llama-3.1-8b",
    "ollama/llama-3.3-70b": "ollama/llama3.3:70b",
}
"""Whose outcomes in the bundled history stand for which candidate; the engine is new to the predictor."""

CHAT_PATHS: Final = {"lmstudio": "/v1/chat", "ollama": "/api/chat"}
SPEED: Final = 200.0
SHARE: Final = 0.35
"""Of the answers that a fault strikes in the first half of its turn; in the second half it strikes everything."""

FAULT_S: Final = 0.5
OFFSET: Final = 11
"""Faults between the two failing providers, so that they never fail alike."""

SLOTS, WINDOW = 4, 1024
"""Of the real engine, to which one byte is one token: some prompts are too long for it."""

DEADLINE_S, SHORT_DEADLINE_S = 10.0, 5.0
MAX_TOKENS: Final = 100
_PATIENCE_S: Final = 10.0
_SCHEMA: Final = {
    "type": "object",
    "properties": {"verdict": {"type": "string"}, "sure": {"type": "boolean"}},
    "required": ["verdict", "sure"],
    "additionalProperties": False,
}
_TOOL: Final = {
    "name": "lookup_track",
    "description": "Finds a track.",
    "parameters": {"type": "object", "properties": {"track": {"type": "string"}}, "required": ["track"]},
}


@contextmanager
def providers(folder: Path, *, engine: bool = True) -> Iterator[dict[str, str]]:
    """The addresses by provider: emulators, llama.cpp's server where it is installed."""
    shared = {"speed": SPEED, "policy": {"keep_alive_s": 1e9}}
    options: dict[str, dict[str, Any]] = {
        "lmstudio": {**shared, "kind": "lmstudio", "models": [FAILING["lmstudio"]]},
        "ollama": {**shared, "kind": "ollama", "models": [FAILING["ollama"]], "slots": 4},
        "healthy": {**shared, "kind": "openai", "models": [HEALTHY["healthy"]], "server": "llamacpp", "slots": 16},
    }
    with ExitStack() as stack:
        healthy = {"healthy": options.pop("healthy")}  # on its own, so that no fault of the others slows it down
        addresses = {**stack.enter_context(emulated(folder, options)), **stack.enter_context(emulated(folder, healthy))}
        if engine and (url := _start_engine(stack, folder)):
            addresses[ENGINE] = url
        yield addresses


@contextmanager
def emulated(folder: Path, options: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    """Emulators in a process of their own; see `chaos_server.py`."""
    told = folder / f"emulators-{'-'.join(options)}.json"
    told.write_text(json.dumps(options))
    command = [sys.executable, str(Path(__file__).with_name("chaos_server.py")), str(told)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait(timeout=10)


def _start_engine(stack: ExitStack, folder: Path) -> str:
    """The address of llama.cpp's own server with random weights; nothing where it is not installed."""
    if any(find_spec(package) is None for package in ("xllamacpp", "gguf", "pytest")):
        return ""
    sys.path.insert(0, str(ROOT))
    from tests.real_engine import serve, write_model

    model = write_model(folder / "tiny.gguf", context_length=WINDOW)
    return stack.enter_context(serve(model, folder, slots=SLOTS, context=WINDOW)).url


def configuration(addresses: Mapping[str, str], folder: Path) -> str:
    """The configuration file: short limits, a breaker that tries again soon, everything else as it is by default."""
    limits = "{connect_s: 1, first_token_s: 3, load_s: 3, chunk_s: 2, total_s: 8, probe_s: 2}"
    engine = (
        f"""
  {ENGINE}:
    kind: openai
    base_url: {addresses[ENGINE]}/v1
    models: [{{name: tiny-llama, memory_mb: 10, capabilities: [chat, json_schema]}}]
    queue: {{max_concurrent: {SLOTS}, max_concurrent_per_candidate: {SLOTS}}}
"""
        if ENGINE in addresses
        else ""
    )
    return f"""
providers:
  lmstudio:
    base_url: {addresses["lmstudio"]}
    models: [{{name: {FAILING["lmstudio"]}, memory_mb: 10}}]
  ollama:
    base_url: {addresses["ollama"]}
    models: [{{name: "{FAILING["ollama"]}", memory_mb: 10}}]
    queue: {{max_concurrent: 4, max_concurrent_per_candidate: 4}}
  healthy:
    kind: openai
    base_url: {addresses["healthy"]}/v1
    models: [{{name: {HEALTHY["healthy"]}, memory_mb: 10}}]
    queue: {{max_concurrent: 16, max_concurrent_per_candidate: 16}}
{engine}
performance:
  timeouts: {limits}
  health: {{interval_s: 0.5, max_age_s: 5}}
fallback:
  deadline_s: {DEADLINE_S:g}
  retry: {{retries: 1, base_s: 0.05}}
  breaker: {{open_s: 0.2, max_open_s: 0.5}}
history: {{url: "sqlite:///{folder / "history.db"}"}}
"""


@dataclass(frozen=True, slots=True)
class Turn:
    """What is wrong in one turn: the faults of each failing provider, as the emulators' own interface takes them."""

    name: str
    faults: Mapping[str, Mapping[str, Any]]


def turns() -> list[Turn]:
    """Every fault at both failing providers, first now and then at answers only, then always and everywhere."""
    names = list(FaultName)
    made = []
    for at, name in enumerate(names):
        ours = {"lmstudio": name, "ollama": names[(at + OFFSET) % len(names)]}
        some = {
            provider: {"name": fault, "rate": SHARE, "path": CHAT_PATHS[provider], "seconds": FAULT_S}
            for provider, fault in ours.items()
        }
        always = {provider: {"name": fault, "seconds": FAULT_S} for provider, fault in ours.items()}
        told = " and ".join(ours.values())
        made += [Turn(f"{told}, now and then", some), Turn(f"{told}, always", always)]
    return made


async def look(url: str, path: str = f"{ADMIN}state", faults: Sequence[Any] | None = None, method: str = "") -> Any:
    """What an emulator tells of itself, or is told; while it refuses connections this waits."""

    def ask() -> Any:
        data = None if faults is None else json.dumps(faults).encode()
        request = urllib.request.Request(url + path, data, method=method or None)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())

    loop = asyncio.get_running_loop()
    given_up_s = loop.time() + _PATIENCE_S
    while True:
        try:
            return await asyncio.to_thread(ask)
        except (urllib.error.URLError, ConnectionError):
            if loop.time() > given_up_s:
                raise
        await asyncio.sleep(0.05)


async def switch(addresses: Mapping[str, str], turn: Turn | None) -> None:
    """End the faults that are on, and begin those of a turn."""
    for provider in FAILING:
        await look(addresses[provider], f"{ADMIN}faults", method="DELETE")
        if turn is not None:
            await look(addresses[provider], f"{ADMIN}faults", [turn.faults[provider]])


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: its number, what is said in it, and how its caller behaves.

    `leaves` is how a caller goes away: closes the stream after the first content, drops it, or is cancelled after
    `stays_s`. `shared` requests are asked by many in the same words, so that the cache may answer.
    """

    number: int
    messages: tuple[Mapping[str, str], ...]
    options: Mapping[str, Any]
    streams: bool
    deadline_s: float
    leaves: str = ""
    stays_s: float = 0.0
    shared: bool = False


def asks(count: int, seed: int) -> Iterator[Ask]:
    """So many requests of all kinds, the same for the same seed."""
    texts = [row.prompt for row in read_prompts(PROMPTS) if row.part == "heldout"]
    chance = random.Random(seed)
    for number in range(count):
        yield _drawn(seed * 100_000 + number, chance, chance.choice(texts))


def _drawn(number: int, chance: random.Random, text: str) -> Ask:
    streams = chance.random() < 0.5
    deadline_s = SHORT_DEADLINE_S if chance.random() < 0.1 else DEADLINE_S
    options: dict[str, Any] = {"deadline_s": deadline_s, "metadata": {"number": number}}
    preference = chance.choice((None, None, "fast", "balanced", "quality", 0.1))
    if preference is not None:
        options["preference"] = preference
    if streams and chance.random() < 0.1:
        options["hold"] = True
    shared = chance.random() < 0.05
    tag = 900_000 + number % 10 if shared else number
    if shared:
        text = "say something about trains"
        options = {"deadline_s": deadline_s, "metadata": {"number": number}}
    kind = "plain" if shared else chance.choices(("plain", "tools", "schema", "conversation"), (65, 10, 10, 15))[0]
    messages: list[Mapping[str, str]] = []
    if kind == "tools":
        options["tools"] = [_TOOL]
        text += "\n\nUse lookup_track for it."
    elif kind == "schema":
        from turnout.types import JsonSchema

        options["answer_format"] = JsonSchema(_SCHEMA)
    elif kind == "conversation":
        options["conversation"] = f"conversation {number % 50}"
        messages = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "Hello. What is it?"}]
    options["sampling"] = _sampling(deterministic=shared)
    messages.append({"role": "user", "content": f"{text}\n\nAnswer in 10 words. (request #{tag:06d})"})
    leaves = ""
    if not shared and chance.random() < 0.05:
        leaves = chance.choice(("closes", "drops", "is cancelled") if streams else ("is cancelled",))
    return Ask(number, tuple(messages), options, streams, deadline_s, leaves, chance.uniform(0.0, 0.2), shared)


def _sampling(*, deterministic: bool) -> Any:
    from turnout.types import Sampling

    return Sampling(max_tokens=MAX_TOKENS, temperature=0.0 if deterministic else None)
