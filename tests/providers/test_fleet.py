"""All providers together: names, snapshots without I/O, the look in the background, listeners, and a restart."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.providers.fakes import FakeClock, ScriptedProvider, answer, language_model, settings, ticks

from turnout.config.providers import BreakerSettings, CandidateSettings, HealthSettings, ProviderSettings, RetrySettings
from turnout.errors import BusyError, ConfigurationError, InternalError, NotFoundError, ProviderError
from turnout.providers import Fleet, Provider
from turnout.types import Attempt, Chunk, Embeddings, LanguageModel, ProviderEvent, Request, Snapshot, Speeds

pytestmark = pytest.mark.anyio

HELLO = Request.of("hello")
SELDOM = HealthSettings(interval_s=1000, max_age_s=10_000)
OFTEN = HealthSettings(interval_s=0.005, max_age_s=20)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def fleet_of(
    clock: Callable[[], float], *providers: ScriptedProvider, health: HealthSettings = SELDOM, **options: Any
) -> Fleet:
    """A fleet over scripted providers. `settings` are what they share, `path` where the speeds are kept."""
    by_name = {provider.name: provider for provider in providers}
    shared = {"retry": RetrySettings(retries=0), **options.get("settings", {})}

    def make(entry: ProviderSettings) -> Provider:
        return by_name[entry.name]

    return Fleet(
        [settings(name, **shared) for name in by_name],
        health=health,
        estimates_path=options.get("path"),
        make_provider=make,
        now=clock,
    )


async def until(done: Callable[[], bool]) -> None:
    """Give the background a moment: a few hundredths of a second, more only on a busy machine."""
    async with asyncio.timeout(5):
        while not done():
            await asyncio.sleep(0.002)


def problems(snapshot: Snapshot) -> dict[str, str]:
    return {name: state.problem for name, state in snapshot.candidates.items()}


# The fake itself


def test_the_scripted_provider_meets_the_protocol() -> None:
    assert isinstance(ScriptedProvider(), Provider)


# Names


def test_two_providers_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="two providers are named local"):
        Fleet([settings("local"), settings("local")], make_provider=lambda entry: ScriptedProvider())


def test_a_kind_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="scripted"):
        Fleet([settings("local")])


async def test_a_candidate_is_asked_at_its_provider(clock: FakeClock) -> None:
    one, two = ScriptedProvider(name="one", clock=clock), ScriptedProvider(["hf.co/x/y:q4"], name="two", clock=clock)
    async with fleet_of(clock, one, two) as fleet:
        assert (await fleet.complete("two/hf.co/x/y:q4", HELLO)).candidate == "two/hf.co/x/y:q4"
        assert [piece async for piece in fleet.stream("one/small", HELLO)] == [answer("one/small")]
        assert await fleet.embed("one/small", ["abc"]) == Embeddings("one/small", ((3.0,),))
    assert (one.asked, two.asked) == (["state", "stream", "closed stream", "embed"], ["state", "complete"])


@pytest.mark.parametrize("name", ["nobody/small", "small", "local", "local/", "/small", "", "LOCAL/small"])
async def test_an_unknown_candidate_is_named_with_the_providers_there_are(name: str, clock: FakeClock) -> None:
    fleet = fleet_of(clock, ScriptedProvider(), ScriptedProvider(name="cloud"))
    calls: list[Callable[[], Any]] = [
        lambda: fleet.complete(name, HELLO),
        lambda: fleet.embed(name, ["x"]),
        lambda: fleet.load(name),
        lambda: fleet.unload(name),
    ]
    for call in calls:
        with pytest.raises(NotFoundError, match="providers are local, cloud"):
            await call()
    with pytest.raises(NotFoundError, match=f"no candidate {name!r}"):
        fleet.stream(name, HELLO)


async def test_a_fleet_of_none_says_so(clock: FakeClock) -> None:
    async with fleet_of(clock) as fleet:
        assert fleet.snapshot() == Snapshot(taken_s=clock())
        with pytest.raises(NotFoundError, match="providers are none"):
            await fleet.complete("local/small", HELLO)


async def test_loading_and_unloading_by_name(clock: FakeClock) -> None:
    provider = ScriptedProvider([language_model("small", loaded=False)], loads=True, clock=clock)
    provider.loads_like([3.0])
    async with fleet_of(clock, provider) as fleet:
        assert await fleet.load("local/small") == 3
        await fleet.unload("local/small")
        known = fleet.snapshot().candidates["local/small"].model
        assert known is not None and not known.loaded


async def test_what_is_told_of_every_language_model_is_gathered(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    good, gone, odd = (ScriptedProvider(name=name, clock=clock) for name in ("good", "gone", "odd"))
    gone.problem = "nothing answers"
    async with fleet_of(clock, good, gone, odd) as fleet:
        odd.look_fails = InternalError("crash")
        assert await fleet.discover() == {"good": (language_model("small"),)}
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert warnings == ["the language models of odd could not be listed: crash"]


# Snapshots


async def test_a_snapshot_says_what_can_be_asked_now(clock: FakeClock) -> None:
    model = language_model("small", loaded_context_length=4096)
    async with fleet_of(clock, ScriptedProvider([model], clock=clock)) as fleet:
        snapshot = fleet.snapshot()
    state = snapshot.candidates["local/small"]
    assert (state.model, state.breaker, state.running, state.waiting, state.speeds, state.problem) == (
        model,
        "closed",
        0,
        0,
        Speeds(),
        "",
    )
    assert snapshot.taken_s == clock() and snapshot.providers["local"].available


async def test_before_the_first_look_nothing_is_available(clock: FakeClock) -> None:
    fleet = fleet_of(clock, ScriptedProvider(), settings={"models": {"small": CandidateSettings()}})
    assert problems(fleet.snapshot()) == {"local/small": "not looked at yet"}


async def test_a_snapshot_does_no_io(clock: FakeClock) -> None:
    provider = ScriptedProvider(clock=clock)
    async with fleet_of(clock, provider) as fleet:
        await fleet.complete("local/small", HELLO)
        before = list(provider.asked)
        for _ in range(100):
            clock.advance(500)
            fleet.snapshot()
        assert provider.asked == before


async def test_a_snapshot_costs_little(clock: FakeClock) -> None:
    names = [f"model-{number}" for number in range(10)]
    async with fleet_of(clock, *(ScriptedProvider(names, name=f"p{n}", clock=clock) for n in range(3))) as fleet:
        times = []
        for _ in range(20):
            begun_s = time.perf_counter()
            snapshot = fleet.snapshot()
            times.append(time.perf_counter() - begun_s)
    assert len(snapshot.candidates) == 30
    assert min(times) < 0.003, "30 candidates; a busy machine is forgiven ten times the usual"


async def test_a_snapshot_is_not_changed_by_what_happens_later(clock: FakeClock) -> None:
    provider, go = ScriptedProvider(clock=clock), asyncio.Event()
    provider.plays([go, answer()])
    async with fleet_of(clock, provider) as fleet:
        before = fleet.snapshot()
        task = asyncio.create_task(fleet.complete("local/small", HELLO))
        await ticks()
        assert before.candidates["local/small"].running == 0
        assert fleet.snapshot().candidates["local/small"].running == 1
        go.set()
        await task


async def test_those_that_run_and_wait_are_counted(clock: FakeClock) -> None:
    provider, go = ScriptedProvider(["small", "large"], clock=clock), asyncio.Event()
    provider.plays(*([go, answer()] for _ in range(6)))
    async with fleet_of(clock, provider) as fleet:
        tasks = [asyncio.create_task(fleet.complete("local/small", HELLO)) for _ in range(6)]
        await ticks()
        counts = {name: (state.running, state.waiting) for name, state in fleet.snapshot().candidates.items()}
        assert counts == {"local/small": (4, 2), "local/large": (0, 0)}
        go.set()
        await asyncio.gather(*tasks)


async def test_a_look_too_old_counts_as_unavailable_and_says_how_old(clock: FakeClock) -> None:
    health = HealthSettings(interval_s=1000, max_age_s=1001)
    async with fleet_of(clock, ScriptedProvider(clock=clock), health=health) as fleet:
        clock.advance(1001)
        assert problems(fleet.snapshot()) == {"local/small": ""}
        clock.advance(1)
        snapshot = fleet.snapshot()
        assert problems(snapshot) == {"local/small": "not seen for 1002 s"}
        assert not snapshot.providers["local"].available
        await fleet.refresh()
        assert problems(fleet.snapshot()) == {"local/small": ""}


@pytest.mark.parametrize("configured", [True, False])
async def test_a_provider_that_is_gone_says_why_at_each_candidate(configured: bool, clock: FakeClock) -> None:
    models = {"small": CandidateSettings()} if configured else {}
    provider = ScriptedProvider(clock=clock)
    async with fleet_of(clock, provider, settings={"models": models}) as fleet:
        provider.problem = "nothing answers"
        await fleet.refresh()
        assert problems(fleet.snapshot()) == {"local/small": "nothing answers"}


async def test_a_candidate_that_is_left_alone_says_so(clock: FakeClock) -> None:
    provider = ScriptedProvider(clock=clock)
    provider.plays([InternalError("crash")])
    breaker = BreakerSettings(minimum_calls=1, open_s=10)
    async with fleet_of(clock, provider, settings={"breaker": breaker}) as fleet:
        with pytest.raises(InternalError):
            await fleet.complete("local/small", HELLO)
        state = fleet.snapshot().candidates["local/small"]
        assert (state.breaker, state.problem) == ("open", "left alone after failures")
        clock.advance(10)
        state = fleet.snapshot().candidates["local/small"]
        assert (state.breaker, state.problem) == ("half_open", "")


async def test_one_that_is_just_being_tried_again_is_left_to_that_request(clock: FakeClock) -> None:
    provider, go = ScriptedProvider(clock=clock), asyncio.Event()
    provider.plays([InternalError("crash")], [go, answer()])
    breaker = BreakerSettings(minimum_calls=1, open_s=10, probes=1)
    async with fleet_of(clock, provider, settings={"breaker": breaker}) as fleet:
        with pytest.raises(InternalError):
            await fleet.complete("local/small", HELLO)
        clock.advance(10)
        probe = asyncio.create_task(fleet.complete("local/small", HELLO))
        while not provider.open:
            await asyncio.sleep(0)
        assert "another request" in fleet.snapshot().candidates["local/small"].problem
        go.set()
        await probe
        state = fleet.snapshot().candidates["local/small"]
        assert (state.breaker, state.problem) == ("closed", "")


@pytest.mark.parametrize(
    ("loads", "problem"),
    [(True, "not among the language models of the provider"), (False, "")],
    ids=["a provider that loads knows all it has", "a cloud answers to aliases it does not list"],
)
async def test_a_configured_candidate_that_is_not_listed(loads: bool, problem: str, clock: FakeClock) -> None:
    models = {"small": CandidateSettings(), "other": CandidateSettings()}
    provider = ScriptedProvider(["small", "unasked"], loads=loads, clock=clock)
    async with fleet_of(clock, provider, settings={"models": models}) as fleet:
        assert problems(fleet.snapshot()) == {"local/small": "", "local/other": problem}


async def test_embedding_models_are_no_candidates_unless_configured(clock: FakeClock) -> None:
    embedder = LanguageModel(name="embedder", capabilities=frozenset({"embedding"}), loaded=True)
    async with fleet_of(clock, ScriptedProvider(["small", embedder], clock=clock)) as fleet:
        assert list(fleet.snapshot().candidates) == ["local/small"]
    configured = {"models": {"embedder": CandidateSettings()}}
    async with fleet_of(clock, ScriptedProvider(["small", embedder], clock=clock), settings=configured) as fleet:
        assert list(fleet.snapshot().candidates) == ["local/embedder"]


async def test_a_candidate_that_loads_is_shown_loading(clock: FakeClock) -> None:
    provider, loaded = (
        ScriptedProvider([language_model("small", loaded=False)], loads=True, clock=clock),
        asyncio.Event(),
    )
    provider.loads_like([loaded])
    async with fleet_of(clock, provider) as fleet:
        task = asyncio.create_task(fleet.complete("local/small", HELLO))
        await ticks()
        known = fleet.snapshot().candidates["local/small"].model
        assert known is not None and known.loading and not known.loaded
        loaded.set()
        await task
        known = fleet.snapshot().candidates["local/small"].model
        assert known is not None and known.loaded and not known.loading


# The background


async def test_every_provider_is_looked_at_on_entering(clock: FakeClock) -> None:
    providers = [ScriptedProvider(name=f"p{number}", clock=clock) for number in range(3)]
    async with fleet_of(clock, *providers):
        assert [provider.asked for provider in providers] == [["state"]] * 3


async def test_looks_go_on_in_the_background_until_it_is_closed(clock: FakeClock) -> None:
    provider = ScriptedProvider(clock=clock)
    async with fleet_of(clock, provider, health=OFTEN):
        await until(lambda: provider.count("state") >= 4)
    seen = provider.count("state")
    await asyncio.sleep(0.02)
    assert provider.count("state") == seen and provider.closed


async def test_a_provider_that_comes_back_is_found_by_itself(clock: FakeClock) -> None:
    provider = ScriptedProvider(clock=clock)
    provider.problem = "nothing answers"
    async with fleet_of(clock, provider, health=OFTEN) as fleet:
        events: list[ProviderEvent] = []
        fleet.on_event(events.append)
        assert not fleet.snapshot().providers["local"].available
        provider.problem = ""
        await until(lambda: fleet.snapshot().providers["local"].available)
        assert problems(fleet.snapshot()) == {"local/small": ""}
        assert [(event.before, event.after) for event in events] == [("unavailable", "available")]


async def test_an_adapter_that_raises_in_its_look_harms_neither_the_others_nor_its_own_next_look(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    broken, good = ScriptedProvider(name="broken", clock=clock), ScriptedProvider(name="good", clock=clock)
    broken.look_fails = ZeroDivisionError("a bug of the adapter")
    async with fleet_of(clock, broken, good, health=OFTEN) as fleet:
        available = {name: state.available for name, state in fleet.snapshot().providers.items()}
        assert available == {"broken": False, "good": True}
        await until(lambda: broken.count("state") >= 3)
        broken.look_fails = None
        await until(lambda: fleet.snapshot().providers["broken"].available)
    assert "looking at broken failed" in caplog.text


async def test_what_an_adapter_said_before_it_broke_grows_old(clock: FakeClock) -> None:
    provider = ScriptedProvider(clock=clock)
    health = HealthSettings(interval_s=1000, max_age_s=1001)
    async with fleet_of(clock, provider, health=health) as fleet:
        provider.look_fails = ZeroDivisionError("a bug of the adapter")
        clock.advance(1002)
        await fleet.refresh()
        assert problems(fleet.snapshot()) == {"local/small": "not seen for 1002 s"}


async def test_a_look_that_raises_an_error_of_ours_is_no_end_either(clock: FakeClock) -> None:
    provider = ScriptedProvider(clock=clock)
    provider.look_fails = BusyError("no slot")
    async with fleet_of(clock, provider, health=OFTEN) as fleet:
        provider.look_fails = None
        await until(lambda: fleet.snapshot().providers["local"].available)


async def test_entering_that_is_given_up_closes_what_was_opened(clock: FakeClock) -> None:
    provider = ScriptedProvider(clock=clock)
    provider.look_waits = asyncio.Event()
    fleet = fleet_of(clock, provider)
    entering = asyncio.create_task(fleet.__aenter__())
    await ticks()
    entering.cancel()
    await asyncio.gather(entering, return_exceptions=True)
    assert provider.closed


async def test_closing_twice_does_no_harm(clock: FakeClock) -> None:
    fleet = fleet_of(clock, ScriptedProvider(clock=clock))
    async with fleet:
        pass
    await fleet.aclose()


async def test_leaving_with_an_error_closes_all_the_same(clock: FakeClock) -> None:
    provider = ScriptedProvider(clock=clock)
    with pytest.raises(ValueError, match="inside"):
        async with fleet_of(clock, provider):
            raise ValueError("inside")
    assert provider.closed


# Listeners


async def test_listeners_hear_of_every_attempt_and_of_every_change(clock: FakeClock) -> None:
    provider = ScriptedProvider(clock=clock)
    provider.plays([InternalError("crash")], [Chunk("x"), answer()])
    fleet = fleet_of(clock, provider, settings={"breaker": BreakerSettings(minimum_calls=1, open_s=10)})
    attempts: list[Attempt] = []
    events: list[ProviderEvent] = []
    fleet.on_attempt(attempts.append)
    fleet.on_event(events.append)
    async with fleet:
        with pytest.raises(InternalError):
            await fleet.complete("local/small", HELLO)
        clock.advance(10)
        async for _piece in fleet.stream("local/small", HELLO):
            pass
    assert [(attempt.candidate, attempt.error, attempt.streamed) for attempt in attempts] == [
        ("local/small", "internal", False),
        ("local/small", "", True),
    ]
    assert [(event.kind, event.model, event.after) for event in events] == [
        ("availability", "", "available"),
        ("breaker", "small", "open"),
        ("breaker", "small", "half_open"),
        ("breaker", "small", "closed"),
    ]


async def test_a_listener_that_raises_fails_no_request_and_hinders_no_other(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    provider = ScriptedProvider(clock=clock)
    heard: list[object] = []

    def broken(news: object) -> None:
        raise ZeroDivisionError("a bug of the listener")

    fleet = fleet_of(clock, provider, settings={"breaker": BreakerSettings(minimum_calls=1, open_s=10)})
    for listener in (broken, heard.append):
        fleet.on_attempt(listener)
        fleet.on_event(listener)
    async with fleet:
        assert await fleet.complete("local/small", HELLO) == answer()
        provider.plays([InternalError("crash")])
        with pytest.raises(InternalError):
            await fleet.complete("local/small", HELLO)
        clock.advance(10)
        assert [piece async for piece in fleet.stream("local/small", HELLO)] == [answer()]
    assert len(heard) == 3 + 4
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == ["a listener failed"] * 7


# Over a restart


async def test_the_measured_speeds_outlive_a_restart(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "speeds.json"
    provider = ScriptedProvider(clock=clock)
    provider.plays([0.5, Chunk("x"), 2.0, answer(prompt_tokens=9, completion_tokens=41)])
    async with fleet_of(clock, provider, path=path) as fleet:
        async for _piece in fleet.stream("local/small", HELLO):
            pass
        before = fleet.snapshot().candidates["local/small"].speeds
    assert (before.first_token_s, before.decode_tokens_per_s) == (pytest.approx(0.5), pytest.approx(20))
    assert before.measurements == 1
    async with fleet_of(clock, ScriptedProvider(clock=clock), path=path) as fleet:
        assert fleet.snapshot().candidates["local/small"].speeds == before


async def test_the_measured_speeds_are_saved_while_it_runs(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("turnout.providers.fleet._SAVED_EVERY_S", 0.005)
    path = tmp_path / "speeds.json"
    async with fleet_of(clock, ScriptedProvider(clock=clock), path=path) as fleet:
        for _ in range(2):
            await fleet.complete("local/small", HELLO)
            await until(path.exists)
            path.unlink()


async def test_a_damaged_file_of_speeds_is_ignored_with_a_warning(
    tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "speeds.json"
    path.write_text('{"version": 1, "candid', encoding="utf-8")
    async with fleet_of(clock, ScriptedProvider(clock=clock), path=path) as fleet:
        assert fleet.snapshot().candidates["local/small"].speeds == Speeds()
        await fleet.complete("local/small", HELLO)
    assert "starting without measured speeds" in caplog.text
    async with fleet_of(clock, ScriptedProvider(clock=clock), path=path) as fleet:
        assert fleet.snapshot().candidates["local/small"].speeds.measurements == 1


async def test_without_a_path_nothing_is_written(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with fleet_of(clock, ScriptedProvider(clock=clock)) as fleet:
        await fleet.complete("local/small", HELLO)
    assert list(tmp_path.iterdir()) == []


async def test_a_provider_that_cannot_be_closed_costs_neither_the_speeds_nor_the_others(
    tmp_path: Path, clock: FakeClock
) -> None:
    stuck, good = ScriptedProvider(name="stuck", clock=clock), ScriptedProvider(name="good", clock=clock)
    stuck.close_fails = OSError("the socket is gone")
    path = tmp_path / "speeds.json"
    async with fleet_of(clock, stuck, good, path=path) as fleet:
        await fleet.complete("good/small", HELLO)
    assert path.exists() and good.closed


async def test_a_request_that_waits_for_a_load_when_it_closes_ends_with_an_error_of_ours(clock: FakeClock) -> None:
    provider = ScriptedProvider([language_model("small", loaded=False)], loads=True, clock=clock)
    provider.loads_like([asyncio.Event()])
    async with fleet_of(clock, provider) as fleet:
        task = asyncio.create_task(fleet.complete("local/small", HELLO))
        await ticks()
    (end,) = await asyncio.gather(task, return_exceptions=True)
    assert isinstance(end, ProviderError)
