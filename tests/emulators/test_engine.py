"""The emulated machine: loads, slots, queues, evictions, expiry, and slots that are always given back."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from turnout.emulators.engine import Engine
from turnout.emulators.instance import (
    ContextExceededError,
    EngineError,
    LoadFailedError,
    ModelUnloadedError,
    QueueFullError,
    memory_bytes,
)
from turnout.emulators.language_model import model_from_name
from turnout.emulators.policy import Policy

pytestmark = pytest.mark.anyio

A = replace(model_from_name("llama3.1:8b"), name="a", max_context=1000)
B = replace(model_from_name("qwen2.5-coder:7b"), name="b", max_context=1000)
PIECES = ("one", " two", " three", " four")


async def generate(engine: Engine, model: Any = A, pieces: Any = PIECES, prompt_tokens: int = 10, **use: Any) -> str:
    text = ""
    async with engine.use(model, **use) as run:
        async for piece in run.generate(prompt_tokens, pieces):
            text += piece
    return text


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


class Held:
    """A request that holds its slot until it is let go."""

    def __init__(self, engine: Engine, model: Any = A, **use: Any) -> None:
        self.begun = False
        self.go = asyncio.Event()
        self.task = asyncio.create_task(self._run(engine, model, use))

    async def _run(self, engine: Engine, model: Any, use: dict[str, Any]) -> str:
        text = ""
        async with engine.use(model, **use) as run:
            async for piece in run.generate(10, PIECES):
                text += piece
                self.begun = True
                await self.go.wait()
        return text


@pytest.fixture
async def held() -> AsyncIterator[Any]:
    """Starts requests that hold their slots, and ends those that are left."""
    started: list[Held] = []

    async def hold(engine: Engine, model: Any = A, **use: Any) -> Held:
        started.append(Held(engine, model, **use))
        await until(lambda: started[-1].begun)
        return started[-1]

    yield hold
    for one in started:
        one.task.cancel()
    await asyncio.gather(*(one.task for one in started), return_exceptions=True)


async def test_a_model_is_loaded_once_and_then_warm() -> None:
    engine = Engine(Policy())
    assert await generate(engine) == "one two three four"
    assert await generate(engine) == "one two three four"
    assert engine.counters.loads == 1 and engine.counters.tokens == 8


async def test_durations_are_those_of_the_model_even_when_nothing_waits() -> None:
    engine = Engine(Policy())
    async with engine.use(A) as run:
        async for _ in run.generate(100, PIECES):
            pass
    assert run.loaded_here and run.load_s >= A.load_s
    assert run.prefill_s >= 100 / A.prefill_tokens_per_s
    assert run.decode_s >= 4 / A.decode_tokens_per_s
    async with engine.use(A) as warm:
        assert not warm.loaded_here and warm.load_s < 0.5


async def test_speed_scales_what_a_stopwatch_shows() -> None:
    engine = Engine(Policy(), speed=100)
    start = asyncio.get_running_loop().time()
    await generate(engine)
    elapsed = asyncio.get_running_loop().time() - start
    assert A.load_s / 100 < elapsed < A.load_s
    assert engine.clock.shown(5) == 0.05 and Engine(Policy()).clock.shown(5) == 5


async def test_simultaneous_requests_wait_for_one_load() -> None:
    engine = Engine(Policy(slots=4))
    await asyncio.gather(*(generate(engine) for _ in range(6)))
    assert engine.counters.loads == 1
    assert engine.counters.max_running == 4


async def test_without_shared_loads_every_early_request_loads_a_copy() -> None:
    engine = Engine(Policy(one_instance=False))
    await asyncio.gather(*(generate(engine) for _ in range(3)))
    assert [instance.id for instance in engine.loaded()] == ["a", "a:2", "a:3"]
    await generate(engine)
    assert engine.counters.loads == 3


async def test_slots_limit_how_many_run_and_the_others_wait_in_line(held: Any) -> None:
    engine = Engine(Policy(slots=2))
    first, second = await held(engine), await held(engine)
    third = Held(engine)
    await until(lambda: engine.loaded()[0].waiting == 1)
    assert not third.begun and engine.counters.running == 2
    first.go.set()
    await until(lambda: third.begun)
    third.go.set()
    second.go.set()
    await asyncio.gather(first.task, second.task, third.task)
    assert engine.counters.max_running == 2 and engine.counters.running == 0


async def test_a_full_queue_refuses_cold_requests_and_never_warm_ones(held: Any) -> None:
    engine = Engine(Policy(max_loaded=1, max_pending=1))
    busy = await held(engine)
    loading = asyncio.create_task(generate(engine, B))
    await until(lambda: engine.scheduling)
    pending = asyncio.create_task(generate(engine, B))
    await until(lambda: engine.pending == 1)
    with pytest.raises(QueueFullError):
        await generate(engine, B)
    warm = asyncio.create_task(generate(engine, A))
    await until(lambda: engine.loaded()[0].waiting == 1)
    busy.go.set()
    assert await asyncio.gather(warm, loading, pending)
    assert engine.counters.rejected == 1


async def test_a_busy_model_is_waited_for_and_not_evicted(held: Any) -> None:
    engine = Engine(Policy(max_loaded=1))
    busy = await held(engine)
    other = asyncio.create_task(generate(engine, B))
    await until(lambda: engine.scheduling)
    assert [instance.id for instance in engine.loaded()] == ["a"]
    busy.go.set()
    assert await busy.task == "one two three four"
    await other
    assert [instance.id for instance in engine.loaded()] == ["b"] and engine.counters.evictions == 1


async def test_a_harsher_policy_evicts_a_model_in_the_middle_of_its_answer(held: Any) -> None:
    engine = Engine(Policy(one_instance=False, keep_one_automatic=True, evict_busy=True, slots=1))
    busy = await held(engine)
    waiting = Held(engine)
    await until(lambda: engine.loaded()[0].waiting == 1)
    await generate(engine, B)
    busy.go.set()
    results = await asyncio.gather(busy.task, waiting.task, return_exceptions=True)
    assert [type(result) for result in results] == [ModelUnloadedError, ModelUnloadedError]
    assert engine.counters.generations_failed == 1 and engine.counters.running == 0


async def test_models_loaded_on_purpose_stay_and_a_second_load_is_a_copy() -> None:
    engine = Engine(Policy(one_instance=False, keep_one_automatic=True, evict_busy=True, keep_alive_s=10))
    first, second = await engine.load(A, context=500), await engine.load(A)
    assert (first.id, second.id, first.context, second.context) == ("a", "a:2", 500, 1000)
    await generate(engine, B)
    engine.clock.skip(1e9)
    assert [instance.id for instance in engine.loaded()] == ["a", "a:2"]
    assert engine.unload("a:2") and not engine.unload("a:2")


async def test_idle_models_expire_and_use_keeps_them() -> None:
    engine = Engine(Policy(keep_alive_s=300))
    await generate(engine)
    engine.clock.skip(290)
    await generate(engine)
    engine.clock.skip(290)
    assert engine.loaded()
    engine.clock.skip(11)
    assert not engine.loaded() and engine.counters.expirations == 1


async def test_a_request_in_progress_keeps_its_model_past_its_time(held: Any) -> None:
    engine = Engine(Policy(keep_alive_s=300))
    busy = await held(engine)
    engine.clock.skip(1000)
    assert engine.loaded()[0].expires_at < engine.clock.now()
    busy.go.set()
    await busy.task
    assert engine.loaded()[0].expires_at > engine.clock.now()


@pytest.mark.parametrize(("keep_alive_s", "left"), [(0, False), (math.inf, True), (None, False)])
async def test_a_request_says_how_long_its_model_stays(keep_alive_s: float | None, left: bool) -> None:
    engine = Engine(Policy(keep_alive_s=60))
    await generate(engine, keep_alive_s=keep_alive_s)
    assert bool(engine.loaded()) is (keep_alive_s != 0)
    engine.clock.skip(1e6)
    assert bool(engine.loaded()) is left


async def test_some_providers_heed_the_time_only_when_they_load() -> None:
    engine = Engine(Policy(keep_alive_s=60, keep_alive_renewed=False))
    await generate(engine, keep_alive_s=10)
    await generate(engine, keep_alive_s=1000)
    engine.clock.skip(11)
    assert not engine.loaded()


async def test_a_retired_model_leaves_after_its_last_request(held: Any) -> None:
    engine = Engine(Policy())
    busy = await held(engine)
    engine.retire("a")
    assert engine.loaded()
    busy.go.set()
    await busy.task
    assert not engine.loaded()


@pytest.mark.parametrize("other", [{"context": 200}, {"settings": {"shift": False}}])
async def test_another_window_or_setting_means_a_reload_after_the_running_ones(held: Any, other: Any) -> None:
    engine = Engine(Policy())
    busy = await held(engine, context=100, settings={"shift": True})
    reload = asyncio.create_task(generate(engine, **{"context": 100, "settings": {"shift": True}, **other}))
    await until(lambda: engine.scheduling)
    assert engine.counters.loads == 1
    busy.go.set()
    await asyncio.gather(busy.task, reload)
    assert engine.counters.loads == 2 and len(engine.loaded()) == 1


async def test_a_client_that_leaves_aborts_the_load_and_the_next_begins_again() -> None:
    engine = Engine(Policy(), speed=20)
    leaving = asyncio.create_task(generate(engine))
    await until(lambda: engine.snapshot()["loading"])
    staying = asyncio.create_task(generate(engine))
    await until(lambda: engine.pending == 1)
    leaving.cancel()
    assert await staying == "one two three four"
    assert engine.counters.loads_aborted == 1 and engine.counters.loads == 1


@pytest.mark.parametrize("how", ["break", "cancel", "error"])
async def test_the_slot_is_free_again_however_a_request_ends(held: Any, how: str) -> None:
    engine = Engine(Policy())
    if how == "cancel":
        busy = await held(engine)
        busy.task.cancel()
        await asyncio.gather(busy.task, return_exceptions=True)
    else:
        with contextlib.suppress(ZeroDivisionError):
            async with engine.use(A) as run:
                async for _ in run.generate(10, PIECES):
                    if how == "error":
                        raise ZeroDivisionError
                    break
    assert engine.loaded()[0].running == engine.loaded()[0].users == engine.counters.running == 0
    assert engine.counters.generations_cancelled == 1
    async with asyncio.timeout(5):
        assert await generate(engine) == "one two three four"


async def test_one_who_leaves_the_line_does_not_take_a_slot_along(held: Any) -> None:
    engine = Engine(Policy())
    busy = await held(engine)
    waiting = Held(engine)
    await until(lambda: engine.loaded()[0].waiting == 1)
    busy.go.set()
    waiting.task.cancel()
    await asyncio.gather(busy.task, waiting.task, return_exceptions=True)
    assert engine.loaded()[0].running == 0
    async with asyncio.timeout(5):
        await generate(engine)


async def test_reading_a_long_prompt_may_outlive_its_client() -> None:
    engine = Engine(Policy(prefill_outlives_client=True), speed=50)
    await generate(engine)
    leaving = asyncio.create_task(generate(engine, prompt_tokens=int(A.prefill_tokens_per_s * 10)))
    await until(lambda: engine.counters.running == 1)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    assert engine.loaded()[0].running == 1 and engine.counters.running == 0
    await until(lambda: engine.loaded()[0].running == 0)


async def test_slots_that_share_a_window_fail_together_when_it_is_full() -> None:
    engine = Engine(Policy(slots=2, shared_context=True))
    results = await asyncio.gather(
        *(generate(engine, context=100, prompt_tokens=48) for _ in range(2)), return_exceptions=True
    )
    assert [type(result) for result in results] == [ContextExceededError, ContextExceededError]
    assert await generate(engine, context=100, prompt_tokens=48) == "one two three four"
    assert engine.loaded()[0].tokens_held == 0


async def test_memory_decides_what_fits() -> None:
    need = memory_bytes(A, 1000, 1)
    engine = Engine(Policy(memory_bytes=int(need * 1.5)))
    await generate(engine)
    await generate(engine, B)
    assert [instance.id for instance in engine.loaded()] == ["b"]
    with pytest.raises(LoadFailedError, match="memory"):
        await generate(engine, A, context=10_000_000)


async def test_what_was_loaded_on_purpose_is_not_evicted_for_room() -> None:
    engine = Engine(Policy(one_instance=False, max_loaded=1, evict_busy=True))
    await engine.load(A)
    with pytest.raises(LoadFailedError, match="on purpose"):
        await generate(engine, B)


async def test_an_observer_sees_load_and_prefill_from_begin_to_end() -> None:
    seen: list[tuple[str, float]] = []

    async def observe(phase: Any, done: float) -> None:
        seen.append((phase, done))

    engine = Engine(Policy())
    await generate(engine, observe=observe)
    await generate(engine, observe=observe)
    assert [done for phase, done in seen if phase == "load"][:: len(seen)] == [0.0]
    assert ("load", 1.0) in seen
    assert seen.count(("prefill", 0.0)) == seen.count(("prefill", 1.0)) == 2
    assert seen.count(("load", 0.0)) == 1


async def test_embeddings_read_and_generate_nothing() -> None:
    engine = Engine(Policy())
    async with engine.use(A) as run:
        assert [piece async for piece in run.generate(50, ())] == []
    assert run.prefill_s > 0 and run.tokens == 0 and engine.counters.generations_cancelled == 0


async def test_errors_of_the_engine_are_of_one_family() -> None:
    assert all(issubclass(kind, EngineError) for kind in (QueueFullError, LoadFailedError, ModelUnloadedError))
