"""Where the time of one request through the client goes: stopwatches around its steps, as `decision_timing.py` has them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import contextmanager
from time import perf_counter_ns
from typing import Any

from turnout.execution.fleets import Fleets
from turnout.execution.judging import Judge
from turnout.execution.metrics import Metrics
from turnout.execution.opinions import Opinions
from turnout.execution.orchestrator import Orchestrator
from turnout.execution.recorder import Recorder
from turnout.execution.remembered import Remembered
from turnout.execution.watch import Watch
from turnout.history import History
from turnout.providers.base import HttpProvider

WHOLE = "whole"
STEPS: tuple[tuple[str, Any, str], ...] = (
    ("snapshot", Watch, "snapshot"),
    ("decision", Orchestrator, "_decided"),
    ("strength", Orchestrator, "_strength"),
    ("judging", Judge, "__call__"),
    ("history: records", Recorder, "served"),
    ("history: journal", History, "record"),
    ("metrics", Metrics, "served"),
    ("opinions", Opinions, "served"),
    ("cache key", Remembered, "key"),
    ("cache, kept", Remembered, "keep"),
)
WAITED_FOR: tuple[tuple[str, Any, str], ...] = (
    ("cache, looked up", Remembered, "find"),
    ("fleet", Fleets, "complete"),
)
"""Steps that are awaited; their time is that until they are done, which nobody else uses at one request at a time."""


class Stopwatch:
    """Nanoseconds by step of the request that is under way."""

    def __init__(self) -> None:
        self.spent: dict[str, int] = defaultdict(int)

    def take(self) -> dict[str, int]:
        """What was spent since the last time, steps that hold others without them."""
        spent, self.spent = dict(self.spent), defaultdict(int)
        spent["history: records"] = spent.get("history: records", 0) - spent.get("history: journal", 0)
        spent["fleet"] = spent.get("fleet", 0) - spent.get("adapter", 0)
        return spent


def _timed(watch: Stopwatch, step: str, inner: Any) -> Any:
    def timed(*arguments: Any, **options: Any) -> Any:
        started = perf_counter_ns()
        try:
            return inner(*arguments, **options)
        finally:
            watch.spent[step] += perf_counter_ns() - started

    return timed


def _awaited(watch: Stopwatch, step: str, inner: Any) -> Any:
    async def timed(*arguments: Any, **options: Any) -> Any:
        started = perf_counter_ns()
        try:
            return await inner(*arguments, **options)
        finally:
            watch.spent[step] += perf_counter_ns() - started

    return timed


def _streamed(watch: Stopwatch, step: str, inner: Any) -> Any:
    """Only what passes while a piece is waited for; the reader's time is not the stream's."""

    async def timed(*arguments: Any, **options: Any) -> AsyncIterator[Any]:
        pieces = inner(*arguments, **options)
        try:
            while True:
                started = perf_counter_ns()
                try:
                    piece = await anext(pieces)
                except StopAsyncIteration:
                    return
                finally:
                    watch.spent[step] += perf_counter_ns() - started
                yield piece
        finally:
            await pieces.aclose()

    return timed


@contextmanager
def watching(provider: type[HttpProvider]) -> Any:
    """A stopwatch on every step while the block runs; `provider` is the class of the adapter that is asked."""
    watch = Stopwatch()
    patches = [(owner, name, _timed(watch, step, getattr(owner, name))) for step, owner, name in STEPS]
    patches += [(owner, name, _awaited(watch, step, getattr(owner, name))) for step, owner, name in WAITED_FOR]
    patches += [(Fleets, "stream", _streamed(watch, "fleet", Fleets.stream))]
    patches += [(provider, "complete", _awaited(watch, "adapter", provider.complete))]
    patches += [(provider, "stream", _streamed(watch, "adapter", provider.stream))]
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in patches]
    for owner, name, patch in patches:
        setattr(owner, name, patch)
    try:
        yield watch
    finally:
        for owner, name, inner in before:
            setattr(owner, name, inner)
