"""A change of providers: another fleet takes over, what has begun ends where it began, nothing stays open."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.providers.fakes import ScriptedProvider, answer, language_model, ticks

from turnout.config.providers import HealthSettings, Provider, ProviderSettings, RetrySettings
from turnout.config.schema import Configuration, provider_settings
from turnout.errors import BusyError, ConfigurationError, NotFoundError
from turnout.execution import fleets as module
from turnout.execution.fleets import Fleets
from turnout.providers import Estimates, Fleet
from turnout.types import Attempt, Chunk, Request

pytestmark = pytest.mark.anyio

HELLO = Request.of("hello")
SELDOM = HealthSettings(interval_s=1000, max_age_s=10_000)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Old fleets are looked at every few thousandths of a second."""
    monkeypatch.setattr(module, "_DRAIN_EVERY_S", 0.002)


def configured(*names: str, **changes: object) -> Configuration:
    """A configuration with a provider of each name."""
    providers = {name: Provider(kind="scripted", base_url=f"http://{name}", **changes) for name in names}  # type: ignore[arg-type]
    return replace(Configuration(), providers=providers)


class Yard:
    """Makes fleets of scripted providers, and remembers all that were made."""

    def __init__(self) -> None:
        self.made: list[Fleet] = []
        self.providers: list[ScriptedProvider] = []
        self.prepares: Callable[[ScriptedProvider], object] = lambda _: None
        self.fails: Exception | None = None

    def __call__(self, configuration: Configuration, estimates: Estimates) -> Fleet:
        if self.fails is not None:
            raise self.fails

        def provider(entry: ProviderSettings) -> ScriptedProvider:
            made = ScriptedProvider(name=entry.name, clock=asyncio.get_running_loop().time)
            self.prepares(made)
            self.providers.append(made)
            return made

        fleet = Fleet(
            provider_settings(configuration),
            health=SELDOM,
            estimates=estimates,
            make_provider=provider,
            now=asyncio.get_running_loop().time,
        )
        self.made.append(fleet)
        return fleet

    def of(self, name: str) -> ScriptedProvider:
        """The provider of this name that was made last."""
        return next(provider for provider in reversed(self.providers) if provider.name == name)


@pytest.fixture
def yard() -> Yard:
    return Yard()


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not done():
            await asyncio.sleep(0.001)


async def a_while() -> None:
    """Long enough for an idle fleet to be closed many times over."""
    await asyncio.sleep(0.05)


# A change


async def test_the_configured_providers_serve(yard: Yard) -> None:
    fleets = Fleets(configured("one"), make=yard)
    await fleets.start()
    assert (await fleets.complete("one/small", HELLO)).candidate == "one/small"
    assert [piece async for piece in fleets.stream("one/small", HELLO)] == [answer("one/small")]
    assert (await fleets.embed("one/small", ["abc"])).vectors == ((3.0,),)
    assert list(fleets.snapshot().candidates) == ["one/small"] and fleets.serving is yard.made[0]
    await fleets.aclose()
    assert yard.of("one").closed


async def test_attempts_and_time_limits_reach_the_fleet(yard: Yard) -> None:
    fleets = Fleets(configured("one"), make=yard)
    await fleets.start()
    heard: list[Attempt] = []
    await fleets.complete("one/small", HELLO, deadline_s=5.0, on_attempt=heard.append)
    async for _ in fleets.stream("one/small", HELLO, deadline_s=5.0, patience_s=2.0, on_attempt=heard.append):
        pass
    assert [attempt.streamed for attempt in heard] == [False, True]
    for call in yard.of("one").calls:
        assert call.clock.left_s(streaming=False)[0] <= 5.0
    assert yard.of("one").calls[1].clock.left_s(streaming=True)[0] <= 2.0
    await fleets.aclose()


async def test_other_providers_take_over_and_the_old_ones_are_closed(yard: Yard) -> None:
    fleets = Fleets(configured("one"), make=yard)
    await fleets.start()
    old = yard.of("one")
    assert await fleets.configure(configured("two"))
    assert fleets.serving is yard.made[1] and list(fleets.snapshot().candidates) == ["two/small"]
    with pytest.raises(NotFoundError):
        await fleets.complete("one/small", HELLO)
    await until(lambda: old.closed)
    assert not yard.of("two").closed
    await fleets.aclose()
    assert yard.of("two").closed


async def test_the_new_providers_were_looked_at_before_they_serve(yard: Yard) -> None:
    fleets = Fleets(configured("one"), make=yard)
    await fleets.start()
    looks = asyncio.Event()
    yard.prepares = lambda provider: setattr(provider, "look_waits", looks)
    change = asyncio.create_task(fleets.configure(configured("one", "two")))
    await ticks()
    assert fleets.serving is yard.made[0] and not yard.of("one").closed
    assert (await fleets.complete("one/small", HELLO)).candidate == "one/small"
    looks.set()
    assert await change
    assert not fleets.snapshot().candidates["two/small"].problem
    await fleets.aclose()


@pytest.mark.parametrize(
    "same", [configured("one"), replace(configured("one"), hybrid=replace(Configuration().hybrid, enabled=False))]
)
async def test_what_does_not_concern_providers_changes_nothing(yard: Yard, same: Configuration) -> None:
    fleets = Fleets(configured("one"), make=yard)
    await fleets.start()
    assert not await fleets.configure(same)
    assert len(yard.made) == 1
    await fleets.aclose()


async def test_shared_limits_concern_providers_that_set_none_of_their_own(yard: Yard) -> None:
    fleets = Fleets(configured("one"), make=yard)
    await fleets.start()
    plain = configured("one")
    patient = replace(plain, fallback=replace(plain.fallback, retry=RetrySettings(retries=7)))
    assert await fleets.configure(patient)
    await fleets.aclose()


async def test_how_often_providers_are_looked_at_is_followed(yard: Yard) -> None:
    fleets = Fleets(configured("one"), make=yard)
    await fleets.start()
    plain = configured("one")
    hasty = replace(plain, performance=replace(plain.performance, health=HealthSettings(interval_s=0.5, max_age_s=2)))
    try:
        assert await fleets.configure(hasty)
    finally:
        await fleets.aclose()


# Requests under way


async def test_what_has_begun_ends_where_it_began(yard: Yard) -> None:
    fleets = Fleets(configured("one"), make=yard)
    await fleets.start()
    old, goes_on = yard.of("one"), asyncio.Event()
    old.plays((goes_on, answer("one/small", "whole")), (Chunk("a"), goes_on, Chunk("b"), answer("one/small", "ab")))
    whole = asyncio.create_task(fleets.complete("one/small", HELLO))
    await until(lambda: old.open == 1)
    stream = fleets.stream("one/small", HELLO)
    assert await anext(stream) == Chunk("a")
    await fleets.configure(configured("one", "two"))
    await a_while()
    assert not old.closed and yard.of("one") is not old
    assert (await fleets.complete("one/small", HELLO)).text == "done" and old.count("complete") == 1
    goes_on.set()
    assert (await whole).text == "whole"
    assert [piece async for piece in stream] == [Chunk("b"), answer("one/small", "ab")]
    await until(lambda: old.closed)
    await fleets.aclose()


async def test_what_waits_for_a_slot_is_under_way_too(yard: Yard) -> None:
    one = configured("one")
    narrow = replace(one, performance=replace(one.performance, queue=replace(one.performance.queue, max_concurrent=1)))
    fleets = Fleets(narrow, make=yard)
    await fleets.start()
    old, goes_on = yard.of("one"), asyncio.Event()
    old.plays((goes_on, answer("one/small", "first")))
    tasks = [asyncio.create_task(fleets.complete("one/small", HELLO)) for _ in range(3)]
    await until(lambda: old.open == 1)
    await fleets.configure(configured("two"))
    await a_while()
    assert not old.closed
    goes_on.set()
    assert [(await task).text for task in tasks] == ["first", "done", "done"]
    await until(lambda: old.closed)
    await fleets.aclose()


async def test_a_stream_that_its_caller_leaves_does_not_keep_the_old_fleet(yard: Yard) -> None:
    fleets = Fleets(configured("one"), make=yard)
    await fleets.start()
    old = yard.of("one")
    old.plays((Chunk("a"), asyncio.Event()))
    stream = fleets.stream("one/small", HELLO)
    await anext(stream)
    await fleets.configure(configured("two"))
    await a_while()
    assert not old.closed
    await stream.aclose()
    await until(lambda: old.closed)
    await fleets.aclose()


async def test_what_waits_to_be_tried_again_is_under_way_too(yard: Yard) -> None:
    fleets = Fleets(configured("one", retry=RetrySettings(retries=2)), make=yard)
    await fleets.start()
    old = yard.of("one")
    old.plays((BusyError("busy", provider="one", model="small", retry_after_s=0.1),))
    task = asyncio.create_task(fleets.complete("one/small", HELLO))
    await until(lambda: old.count("complete") == 1)
    await fleets.configure(configured("two"))
    while old.count("complete") == 1 and not task.done():
        assert not old.closed
        await asyncio.sleep(0.001)
    assert (await task).text == "done"
    await fleets.aclose()


async def test_a_load_that_somebody_waits_for_is_under_way_too(yard: Yard) -> None:
    goes_on = asyncio.Event()

    def cold(provider: ScriptedProvider) -> None:
        provider.loads = True
        provider.models = {"small": language_model("small", loaded=False)}
        provider.loads_like((goes_on,))

    yard.prepares = cold
    fleets = Fleets(configured("one"), make=yard)
    await fleets.start()
    old = yard.of("one")
    task = asyncio.create_task(fleets.serving.load("one/small"))
    await until(lambda: old.count("load") == 1)
    try:
        await fleets.configure(configured("two"))
        await a_while()
        assert not old.closed
        goes_on.set()
        assert await task >= 0
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await fleets.aclose()


# Several changes, and changes that fail


async def test_changes_one_after_the_other_close_all_but_the_last(yard: Yard) -> None:
    fleets = Fleets(configured("p0"), make=yard)
    await fleets.start()
    for at in range(1, 6):
        assert await fleets.configure(configured(f"p{at}"))
    await until(lambda: [provider.closed for provider in yard.providers] == [True] * 5 + [False])
    await fleets.aclose()
    assert yard.of("p5").closed


@pytest.mark.parametrize("error", [ConfigurationError("no such kind"), OSError("no such file")])
async def test_a_fleet_that_cannot_be_made_leaves_the_one_that_serves(yard: Yard, error: Exception) -> None:
    fleets = Fleets(configured("one"), make=yard)
    await fleets.start()
    yard.fails = error
    with pytest.raises(type(error)):
        await fleets.configure(configured("two"))
    assert (await fleets.complete("one/small", HELLO)).text == "done"
    await a_while()
    assert not yard.of("one").closed
    yard.fails = None
    assert await fleets.configure(configured("two"))
    await fleets.aclose()


async def test_a_fleet_that_cannot_be_started_leaves_the_one_that_serves(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleets = Fleets(configured("one"), make=yard)
    await fleets.start()
    with monkeypatch.context() as patched:

        async def fails(fleet: Fleet) -> Fleet:
            await fleet.aclose()
            raise RuntimeError("not now")

        patched.setattr(Fleet, "__aenter__", fails)
        with pytest.raises(RuntimeError):
            await fleets.configure(configured("two"))
    assert fleets.serving is yard.made[0] and (await fleets.complete("one/small", HELLO)).text == "done"
    assert await fleets.configure(configured("two"))
    await fleets.aclose()


async def test_a_change_that_is_cancelled_leaves_the_one_that_serves_and_nothing_open(yard: Yard) -> None:
    fleets = Fleets(configured("one"), make=yard)
    await fleets.start()
    yard.prepares = lambda provider: setattr(provider, "look_waits", asyncio.Event())
    change = asyncio.create_task(fleets.configure(configured("two")))
    await ticks()
    change.cancel()
    with pytest.raises(asyncio.CancelledError):
        await change
    assert yard.of("two").closed and (await fleets.complete("one/small", HELLO)).text == "done"
    await fleets.aclose()


async def test_an_old_fleet_that_does_not_close_well_is_told_and_harms_nobody(
    yard: Yard, caplog: pytest.LogCaptureFixture
) -> None:
    fleets = Fleets(configured("one"), make=yard)
    await fleets.start()
    old = yard.of("one")
    old.close_fails = OSError("reset")
    with caplog.at_level(logging.WARNING):
        await fleets.configure(configured("two"))
        await until(lambda: old.closed)
        assert (await fleets.complete("two/small", HELLO)).text == "done"
        await fleets.aclose()
    assert "one did not close well: reset" in caplog.text


def slow_look(yard: Yard) -> dict[str, asyncio.Event]:
    """From now on providers answer to their first look when told to, each on its own."""
    looks: dict[str, asyncio.Event] = {}

    def prepare(provider: ScriptedProvider) -> None:
        provider.look_waits = looks.setdefault(provider.name, asyncio.Event())

    yard.prepares = prepare
    return looks


async def test_of_two_changes_at_once_the_later_one_serves(yard: Yard) -> None:
    fleets = Fleets(configured("one"), make=yard)
    await fleets.start()
    looks = slow_look(yard)
    changes = []
    for name in ("slow", "quick"):
        changes.append(asyncio.create_task(fleets.configure(configured(name))))
        await ticks()
    for name in ("quick", "slow"):
        looks.setdefault(name, asyncio.Event()).set()
        await ticks(30)
    await asyncio.gather(*changes)
    served = list(fleets.snapshot().candidates)
    await fleets.aclose()
    assert served == ["quick/small"]


async def test_a_change_that_is_taken_back_before_it_serves_does_not_serve(yard: Yard) -> None:
    fleets = Fleets(configured("one"), make=yard)
    await fleets.start()
    looks = slow_look(yard)
    there = asyncio.create_task(fleets.configure(configured("two")))
    await ticks()
    back = asyncio.create_task(fleets.configure(configured("one")))
    await ticks()
    for name in ("two", "one"):
        looks.setdefault(name, asyncio.Event()).set()
        await ticks(30)
    await asyncio.gather(there, back)
    served = list(fleets.snapshot().candidates)
    await fleets.aclose()
    assert served == ["one/small"]


# The end


async def test_closing_ends_what_still_drains(yard: Yard) -> None:
    fleets = Fleets(configured("one"), make=yard)
    await fleets.start()
    old = yard.of("one")
    old.plays((Chunk("a"), asyncio.Event()))
    stream = fleets.stream("one/small", HELLO)
    await anext(stream)
    await fleets.configure(configured("two"))
    await a_while()
    await fleets.aclose()
    assert old.closed and yard.of("two").closed
    await stream.aclose()
    await ticks()
    assert {task.get_name() for task in asyncio.all_tasks()} >= {asyncio.current_task().get_name()}  # type: ignore[union-attr]


async def test_closing_right_after_a_change_closes_the_old_fleet_too(yard: Yard) -> None:
    fleets = Fleets(configured("one"), make=yard)
    await fleets.start()
    await fleets.configure(configured("two"))
    await fleets.aclose()
    try:
        assert [provider.closed for provider in yard.providers] == [True, True]
    finally:
        for fleet in yard.made:
            await fleet.aclose()


async def test_closing_while_a_change_looks_at_its_providers_leaves_nothing_open(yard: Yard) -> None:
    fleets = Fleets(configured("one"), make=yard)
    await fleets.start()
    looks = slow_look(yard)
    change = asyncio.create_task(fleets.configure(configured("two")))
    await ticks()
    closing = asyncio.create_task(fleets.aclose())
    await ticks()
    looks["two"].set()
    await asyncio.gather(change, closing, return_exceptions=True)
    await a_while()
    try:
        assert [provider.closed for provider in yard.providers] == [True, True]
    finally:
        for fleet in yard.made:
            await fleet.aclose()


async def test_closing_twice_is_no_error(yard: Yard) -> None:
    fleets = Fleets(configured("one"), make=yard)
    await fleets.start()
    await fleets.configure(configured("two"))
    await a_while()
    await fleets.aclose()
    await fleets.aclose()


async def test_a_fleet_that_was_never_started_can_be_closed(yard: Yard) -> None:
    fleets = Fleets(configured("one"), make=yard)
    await fleets.aclose()
    assert yard.of("one").closed
    gc.collect()


# Speeds


async def test_measured_speeds_outlive_a_change_and_a_restart(yard: Yard, tmp_path: Path) -> None:
    path = tmp_path / "speeds.json"
    fleets = Fleets(configured("one"), path, make=yard)
    await fleets.start()
    await fleets.complete("one/small", HELLO)
    await fleets.configure(configured("one", "two"))
    assert fleets.snapshot().candidates["one/small"].speeds.measurements == 1
    await fleets.complete("one/small", HELLO)
    await a_while()
    await fleets.aclose()
    again = Fleets(configured("one"), path, make=yard)
    await again.start()
    assert again.snapshot().candidates["one/small"].speeds.measurements == 2
    await again.aclose()


async def test_what_ends_after_a_change_is_measured_too(yard: Yard, tmp_path: Path) -> None:
    fleets = Fleets(configured("one"), tmp_path / "speeds.json", make=yard)
    await fleets.start()
    old, goes_on = yard.of("one"), asyncio.Event()
    old.plays((goes_on, answer("one/small")))
    task = asyncio.create_task(fleets.complete("one/small", HELLO))
    await until(lambda: old.open == 1)
    await fleets.configure(configured("one", "two"))
    goes_on.set()
    await task
    await until(lambda: old.closed)
    measured = fleets.snapshot().candidates["one/small"].speeds.measurements
    await fleets.complete("one/small", HELLO)
    await fleets.aclose()
    assert measured == 1
