"""Bringing language models into memory: once for all who wait, never in the way of what runs."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from tests.providers.fakes import FakeClock, ScriptedProvider, language_model, settings, ticks

from turnout.config.providers import CandidateSettings, Timeouts
from turnout.errors import (
    BadRequestError,
    LoadFailedError,
    ProviderError,
    ProviderTimeoutError,
    UnreachableError,
)
from turnout.providers.residence import Residence
from turnout.types import LanguageModel

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class House:
    """A residence with its provider; `running` says how many requests hold a slot."""

    def __init__(self, *models: LanguageModel, wanted: int | None = None, **options: Any) -> None:
        self.clock = FakeClock()
        options = {"loads": True, "clock": self.clock, **options}
        self.provider = ScriptedProvider(models or (language_model("small", loaded=False),), **options)
        self.running: Counter[str] = Counter()
        self.told: list[tuple[str, float]] = []
        chosen = {"small": CandidateSettings(context_length=wanted)}
        self.residence = Residence(
            self.provider,
            settings(models=chosen, timeouts=Timeouts(load_s=300)),
            on_load=lambda model, load_s: self.told.append((model, load_s)),
            running=lambda model: self.running[model],
            now=self.clock,
        )
        self.residence.observe(self.provider.models.values())

    def ask(self, model: str = "small", left_s: float | None = None) -> asyncio.Task[float]:
        return asyncio.create_task(self.residence.bring_up(model, left_s))

    def is_loaded(self, model: str = "small") -> bool | None:
        known = self.residence.get(model)
        return known.loaded if known is not None else None


# Whether there is something to do


async def test_what_is_in_memory_is_not_loaded() -> None:
    house = House(language_model("small"))
    assert await house.ask() == 0
    assert house.provider.asked == []


async def test_a_provider_that_cannot_be_told_is_not_told() -> None:
    house = House(loads=False)
    assert await house.ask() == 0
    assert house.provider.asked == []


async def test_what_the_provider_does_not_list_is_left_to_the_provider() -> None:
    house = House()
    assert await house.ask("unheard of") == 0
    assert house.provider.asked == []


async def test_a_load_tells_its_seconds_to_the_caller_and_to_the_listener() -> None:
    house = House()
    house.provider.loads_like([12.0])
    assert await house.ask() == 12.0
    assert house.told == [("small", 12.0)]
    assert house.is_loaded()
    assert await house.ask() == 0, "now it is there"


async def test_it_is_loaded_with_the_configured_window() -> None:
    house = House(wanted=8192)
    await house.ask()
    assert house.provider.loaded == [("small", 8192)]
    known = house.residence.get("small")
    assert known is not None and known.loaded_context_length == 8192


# One load for all


async def test_one_load_serves_all_who_wait() -> None:
    house, done = House(), asyncio.Event()
    house.provider.loads_like([done])
    waiters = [house.ask() for _ in range(20)]
    await ticks()
    assert house.residence.get("small") == language_model("small", loaded=False, loading=True)
    house.clock.advance(5)
    done.set()
    assert await asyncio.gather(*waiters) == [5.0] * 20
    assert (house.provider.count("load"), house.told) == (1, [("small", 5.0)])


async def test_one_who_comes_late_waits_only_for_the_rest() -> None:
    house, done = House(), asyncio.Event()
    house.provider.loads_like([done])
    early = house.ask()
    await ticks()
    house.clock.advance(7)
    late = house.ask()
    await ticks()
    house.clock.advance(1)
    done.set()
    assert (await early, await late) == (8.0, 1.0)


async def test_two_language_models_load_side_by_side() -> None:
    house = House(language_model("small", loaded=False), language_model("large", loaded=False))
    gates = [asyncio.Event(), asyncio.Event()]
    house.provider.loads_like([gates[0]], [gates[1]])
    first, second = house.ask("small"), house.ask("large")
    await ticks()
    assert [model for model, _ in house.provider.loaded] == ["small", "large"]
    gates[1].set()
    await second
    assert not first.done()
    gates[0].set()
    await first


async def test_a_load_outlives_those_who_no_longer_wait() -> None:
    house, done = House(), asyncio.Event()
    house.provider.loads_like([done])
    waiters = [house.ask() for _ in range(3)]
    await ticks()
    for waiter in waiters:
        waiter.cancel()
    await asyncio.gather(*waiters, return_exceptions=True)
    assert all(waiter.cancelled() for waiter in waiters)
    done.set()
    await ticks()
    assert house.is_loaded() and house.provider.count("load") == 1


async def test_a_deadline_ends_the_wait_but_not_the_load() -> None:
    house, done = House(), asyncio.Event()
    house.provider.loads_like([done])
    patient = house.ask()
    with pytest.raises(ProviderTimeoutError, match=r"^local/small: still loading when the deadline came") as caught:
        await house.ask(left_s=0.01)
    assert caught.value.phase == "load"
    done.set()
    await patient
    assert house.is_loaded() and house.provider.count("load") == 1


async def test_a_deadline_that_is_over_still_begins_the_load_for_the_next() -> None:
    house, done = House(), asyncio.Event()
    house.provider.loads_like([done])
    with pytest.raises(ProviderTimeoutError):
        await house.ask(left_s=0.0)
    done.set()
    await ticks()
    assert house.is_loaded()


# Loads that fail


async def test_a_failure_reaches_all_who_wait_and_the_next_loads_anew() -> None:
    house, fail = House(), asyncio.Event()
    house.provider.loads_like([fail, LoadFailedError("out of memory", provider="local", model="small")])
    waiters = [house.ask() for _ in range(5)]
    await ticks()
    fail.set()
    ends = await asyncio.gather(*waiters, return_exceptions=True)
    assert [type(end) for end in ends] == [LoadFailedError] * 5
    assert house.told == [] and not house.is_loaded()
    known = house.residence.get("small")
    assert known is not None and not known.loading
    await house.ask()
    assert house.provider.count("load") == 2 and house.is_loaded()


async def test_a_failure_that_nobody_waits_for_any_more_is_no_noise(caplog: pytest.LogCaptureFixture) -> None:
    house, fail = House(), asyncio.Event()
    house.provider.loads_like([fail, UnreachableError("gone")])
    waiter = house.ask()
    await ticks()
    waiter.cancel()
    await asyncio.gather(waiter, return_exceptions=True)
    fail.set()
    await ticks()
    assert caplog.records == []


async def test_a_load_beyond_the_longest_is_said_to_be_one() -> None:
    house = House()
    house.provider.loads_like([ProviderTimeoutError("not finished", phase="total", provider="local")])
    with pytest.raises(ProviderTimeoutError, match=r"^local/small: not loaded within 300 s") as caught:
        await house.ask()
    assert caught.value.phase == "load"


async def test_one_that_cannot_be_told_to_load_loads_on_its_own() -> None:
    house = House()
    house.provider.loads_like([BadRequestError("too old")])
    assert await house.ask() == 0
    assert house.told == []


async def test_closing_gives_up_what_loads_and_tells_those_who_wait() -> None:
    house = House()
    house.provider.loads_like([asyncio.Event()])
    waiters = [house.ask() for _ in range(3)]
    await ticks()
    await house.residence.aclose()
    ends = await asyncio.gather(*waiters, return_exceptions=True)
    assert {isinstance(end, ProviderError) for end in ends} == {True}
    assert house.residence.get("small") == language_model("small", loaded=False)


async def test_one_who_is_cancelled_while_it_closes_stays_cancelled() -> None:
    for after in range(6):
        house = House()
        house.provider.loads_like([asyncio.Event()])
        waiter = house.ask()
        await ticks()
        closing = asyncio.create_task(house.residence.aclose())
        await ticks(after)
        in_time = waiter.cancel()
        (end,) = await asyncio.gather(waiter, return_exceptions=True)
        await closing
        assert isinstance(end, asyncio.CancelledError) or not in_time


# Windows that are too small


async def test_a_window_that_is_too_small_is_loaded_anew_for_the_only_request() -> None:
    house = House(language_model("small", loaded_context_length=4096), wanted=8192)
    house.running["small"] = 1
    house.provider.loads_like([3.0])
    assert await house.ask() == 3.0
    assert house.provider.loaded == [("small", 8192)]
    assert await house.ask() == 0


async def test_a_window_that_is_too_small_stays_while_others_run_on_it() -> None:
    house = House(language_model("small", loaded_context_length=4096), wanted=8192)
    house.running["small"] = 2
    assert await house.ask() == 0
    assert house.provider.asked == []


@pytest.mark.parametrize("window", [8192, 16384, None])
async def test_a_window_large_enough_or_untold_stays(window: int | None) -> None:
    house = House(language_model("small", loaded_context_length=window), wanted=8192)
    house.running["small"] = 1
    assert await house.ask() == 0 and house.provider.asked == []


async def test_any_window_will_do_where_none_is_configured() -> None:
    house = House(language_model("small", loaded_context_length=512))
    house.running["small"] = 1
    assert await house.ask() == 0 and house.provider.asked == []


async def test_a_request_that_comes_while_the_window_is_replaced_waits_for_the_new_one() -> None:
    house, done = House(language_model("small", loaded_context_length=4096), wanted=8192), asyncio.Event()
    house.provider.loads_like([done])
    house.running["small"] = 1
    first = house.ask()
    await ticks()
    house.running["small"] = 2
    second = house.ask()
    await ticks()
    waits = not second.done()
    done.set()
    await asyncio.gather(first, second)
    assert waits


async def test_a_window_wider_than_the_language_model_can_have_is_not_loaded_again_and_again() -> None:
    whole = language_model("small", context_length=8192, loaded_context_length=8192)
    house = House(whole, wanted=32768)
    house.running["small"] = 1
    for _ in range(3):
        await house.ask()
        house.residence.observe([whole])  # the provider gave all there is
    assert house.provider.count("load") == 0


# What is known


async def test_what_turned_out_not_to_be_in_memory_is_loaded_again() -> None:
    house = House(language_model("small"))
    house.residence.forget("small")
    assert not house.is_loaded()
    await house.ask()
    assert house.provider.count("load") == 1 and house.is_loaded()


def test_what_was_put_out_to_make_room_is_no_longer_in_memory() -> None:
    house = House(*(language_model(name) for name in ("small", "large", "huge")), language_model("cloud", loaded=None))
    house.residence.keep_only({"large"})
    loaded = {name: house.is_loaded(name) for name in ("small", "large", "huge", "cloud")}
    assert loaded == {"small": False, "large": True, "huge": False, "cloud": None}


def test_embedding_models_are_not_among_the_names_to_choose_from() -> None:
    embedder = language_model("embedder", capabilities=frozenset({"embedding"}))
    assert House(language_model("small"), embedder).residence.names == ("small",)


def test_forgetting_what_was_never_known_does_nothing() -> None:
    house = House()
    house.residence.forget("unheard of")
    assert house.residence.get("unheard of") is None


@pytest.mark.parametrize(
    ("wanted", "loaded_with", "at_most", "window"),
    [
        (8192, 4096, 32768, 8192),
        (None, 4096, 32768, 4096),
        (None, None, 32768, 32768),
        (None, None, None, None),
        (8192, None, None, 8192),
    ],
)
def test_the_window_is_the_configured_one_else_what_the_provider_tells(
    wanted: int | None, loaded_with: int | None, at_most: int | None, window: int | None
) -> None:
    model = language_model("small", loaded_context_length=loaded_with, context_length=at_most)
    assert House(model, wanted=wanted).residence.window("small") == window


def test_no_window_is_wider_than_the_language_model_can_have() -> None:
    model = language_model("small", loaded_context_length=8192, context_length=8192)
    assert House(model, wanted=32768).residence.window("small") == 8192


def test_what_the_provider_says_replaces_what_it_said() -> None:
    house = House(language_model("small"), language_model("large"))
    house.residence.observe([language_model("large", loaded=False)])
    assert house.residence.get("small") is None and not house.is_loaded("large")
