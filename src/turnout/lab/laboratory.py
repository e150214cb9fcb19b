"""The running laboratory: real language models behind three dialects, and a configuration that offers them.

The weakest model speaks LM Studio's dialect, the next one Ollama's, the strongest is llama.cpp's own server. Each runs
in a process of its own on one thread, and each can be replaced by another file under the same name while others ask.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

import aiohttp
import yaml

from turnout.config.loader import load
from turnout.config.schema import Configuration
from turnout.emulators.server import serving
from turnout.errors import ConfigurationError
from turnout.lab.fronts import LMStudioFront, OllamaFront
from turnout.lab.fronts_engine import RealEngine, connected
from turnout.lab.fronts_plain import PlainFront
from turnout.lab.running import MODEL_PREFIX, lab_files, running

Change: TypeAlias = Callable[[RealEngine], None]
"""Lets a front answer with another engine."""

_OFFERED: Final = {
    "small": ("lmstudio", "lmstudio", f"{MODEL_PREFIX}small"),
    "medium": ("ollama", "ollama", "turnout-lab:medium"),  # with a tag, as Ollama lists it
    "large": ("llamacpp", "openai", f"{MODEL_PREFIX}large"),
}
"""The provider's name, its kind and the model's name there, by size."""


def candidate_of(size: str) -> str:
    """The candidate that a size of language model is in the laboratory: provider/model."""
    provider, _, model = _OFFERED[size]
    return f"{provider}/{model}"


@dataclass(slots=True)
class Bench:
    """One candidate of the laboratory: `name` as the router knows it, `file` as it runs now, `base_url` for ever."""

    name: str
    size: str
    model: str
    provider: str
    kind: str
    base_url: str
    file: Path
    change: Change = field(repr=False)
    engine: AsyncExitStack = field(repr=False)


@dataclass(frozen=True, slots=True)
class Laboratory:
    """What runs. `benches` are weakest first; `configuration` is what `config_path` holds, with settings over it."""

    benches: tuple[Bench, ...]
    configuration: Configuration
    config_path: Path
    settings: tuple[str, ...]
    folder: Path
    session: aiohttp.ClientSession = field(repr=False)

    @property
    def candidates(self) -> tuple[str, ...]:
        """Their names, weakest and fastest first."""
        return tuple(bench.name for bench in self.benches)

    @property
    def fast(self) -> str:
        """The weakest candidate."""
        return self.benches[0].name

    @property
    def strong(self) -> str:
        """The strongest one."""
        return self.benches[-1].name

    def bench(self, candidate: str) -> Bench:
        """What belongs to one candidate.

        Raises:
            ConfigurationError: there is no such candidate.
        """
        for bench in self.benches:
            if bench.name == candidate:
                return bench
        raise ConfigurationError(f"the laboratory has no {candidate}; it has {', '.join(self.candidates)}")

    async def swap(self, candidate: str, file: Path) -> None:
        """Run another file under the candidate's name and address; requests under way on the old one are broken off.

        Raises:
            ConfigurationError: no such candidate or file.
            LoadFailedError: the engine cannot run the file; the old one goes on.
        """
        bench = self.bench(candidate)
        engine, real = await _started(self.session, file, bench.size)
        bench.change(real)
        old, bench.engine, bench.file = bench.engine, engine, file
        await old.aclose()


@asynccontextmanager
async def laboratory(
    folder: Path,
    *,
    exploration: float = 0.02,
    settings: Sequence[str] = (),
    models: Path | None = None,
) -> AsyncIterator[Laboratory]:
    """Run the laboratory until the block ends.

    Args:
        folder: for the configuration and the history; made where it is missing.
        exploration: share of requests that try another candidate; 0 switches exploration off.
        settings: `key=value` over the configuration, as the command's `--set` takes them.
        models: where the language models lie, see `lab_files`.

    Raises:
        MissingExtraError: the engine is not installed.
        ConfigurationError: no language model is there, or a setting is wrong.
        LoadFailedError: an engine does not start.
    """
    files = lab_files(models)
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        benches = tuple([await _bench(stack, session, size, file) for size, file in files.items()])
        config_path = folder / "laboratory.yaml"
        config_path.write_text(_text(benches, folder, exploration), encoding="utf-8")
        configuration = load(config_path, settings=settings).configuration
        yield Laboratory(benches, configuration, config_path, tuple(settings), folder, session)


async def _bench(stack: AsyncExitStack, session: aiohttp.ClientSession, size: str, file: Path) -> Bench:
    """A front on a free port and its engine, both until the stack closes."""
    provider, kind, model = _OFFERED[size]
    engine, real = await _started(session, file, size)
    try:
        base_url, change = await _fronted(stack, kind, model, real)
    except BaseException:
        await engine.aclose()
        raise
    bench = Bench(candidate_of(size), size, model, provider, kind, base_url, file, change, engine)

    async def end() -> None:
        await bench.engine.aclose()

    stack.push_async_callback(end)
    return bench


async def _started(session: aiohttp.ClientSession, file: Path, size: str) -> tuple[AsyncExitStack, RealEngine]:
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(running(file, f"{MODEL_PREFIX}{size}"))
        real = await connected(session, address)
        return stack.pop_all(), real


async def _fronted(stack: AsyncExitStack, kind: str, model: str, real: RealEngine) -> tuple[str, Change]:
    """Where the front listens, and how to give it another engine."""
    if kind == "openai":
        plain = PlainFront(real.address)
        return f"{await stack.enter_async_context(plain.serving())}/v1", plain.turn_to
    front = LMStudioFront(model, real) if kind == "lmstudio" else OllamaFront(model, real)
    return await stack.enter_async_context(serving(front)), front.front


def _text(benches: Sequence[Bench], folder: Path, exploration: float) -> str:
    """The configuration as a file. The strongest comes first, which is who answers where nothing is known."""
    providers = {
        bench.provider: {
            "kind": bench.kind,
            "base_url": bench.base_url,
            "models": [bench.model],
            "queue": {"max_concurrent": 1, "max_concurrent_per_candidate": 1},
        }
        for bench in reversed(benches)
    }
    document: Mapping[str, Any] = {
        "hybrid": {
            "exploration": {"enabled": exploration > 0, "rate": exploration},
            "personal": False,  # verdicts are of a judge, not of a person who leans somewhere
        },
        "providers": providers,
        "performance": {"cache": {"exact": {"enabled": False}}},
        "resources": {"memory": {"max_percent": 100, "reserve_mb": 0}},
        "history": {"url": f"sqlite:///{folder / 'history.db'}"},
    }
    text: str = yaml.safe_dump(document, sort_keys=False)
    return f"# Written anew each time the laboratory starts.\n{text}"
