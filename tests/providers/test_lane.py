"""One provider with everything around it: retries, time, breakers, loading, cancellation, and what is written down."""

from __future__ import annotations

import asyncio
import gc
import random
import time
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest
from tests.providers.fakes import FakeClock, ScriptedProvider, answer, language_model, settings, ticks

from turnout.config.providers import BreakerSettings, CandidateSettings, QueueLimits, RetrySettings, Timeouts
from turnout.errors import (
    AuthenticationError,
    BadRequestError,
    BusyError,
    CircuitOpenError,
    ContextOverflowError,
    IncompleteError,
    InternalError,
    LoadFailedError,
    NotFoundError,
    NotLoadedError,
    ProviderError,
    ProviderTimeoutError,
    QueueFullError,
    UnreachableError,
)
from turnout.providers.estimates import Estimates
from turnout.providers.lane import Lane
from turnout.types import (
    Answer,
    Attempt,
    Chunk,
    LanguageModel,
    Progress,
    ProviderEvent,
    Request,
    ToolCallDelta,
)

pytestmark = pytest.mark.anyio

HELLO = Request.of("hello")
BREAKER = BreakerSettings(minimum_calls=2, window=4, open_s=10.0, max_open_s=60.0, slow_first_token_s=30.0)
AT_ONCE = RetrySettings(retries=2, base_s=0.0)
NEVER = RetrySettings(retries=0)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Line:
    """A lane over a scripted provider, its clock, and everything it told."""

    def __init__(
        self, *models: LanguageModel, loads: bool = False, max_resident: int | None = None, **changes: Any
    ) -> None:
        self.clock = FakeClock()
        self.provider = ScriptedProvider(models or ("small",), loads=loads, max_resident=max_resident, clock=self.clock)
        self.attempts: list[Attempt] = []
        self.events: list[ProviderEvent] = []
        self.estimates = Estimates()
        self.lane = Lane(
            self.provider,
            settings(**{"retry": AT_ONCE, "breaker": BREAKER, **changes}),
            self.estimates,
            on_attempt=self.attempts.append,
            on_event=self.events.append,
            now=self.clock,
        )

    async def complete(self, model: str = "small", request: Request = HELLO, **options: Any) -> Answer:
        return await self.lane.complete(model, request, **options)

    async def stream(self, model: str = "small", **options: Any) -> list[Chunk | Answer]:
        return [piece async for piece in self.lane.stream(model, HELLO, **options)]

    async def fails(self, *errors: ProviderError) -> None:
        """One request after the other, each with its error."""
        for error in errors:
            self.provider.plays([error])
            with pytest.raises(type(error)):
                await self.complete()

    @property
    def asked(self) -> list[str]:
        return [name for name in self.provider.asked if name != "state"]

    @property
    def told(self) -> list[tuple[int, str]]:
        return [(attempt.number, attempt.error) for attempt in self.attempts]

    def is_idle(self) -> bool:
        """Nothing runs, waits or is held open."""
        schedule = self.lane.queue.schedule
        return (schedule.running, schedule.waiting, self.provider.open) == (0, 0, 0)


async def line_of(*models: LanguageModel, **options: Any) -> Line:
    line = Line(*models, **options)
    await line.lane.refresh()
    return line


@pytest.fixture
async def line() -> Line:
    return await line_of()


# Answers


async def test_an_answer_comes_back_and_is_written_down_once(line: Line) -> None:
    whole = answer(prompt_tokens=5, completion_tokens=2)
    line.provider.plays([1.5, whole])
    assert await line.complete() is whole
    (attempt,) = line.attempts
    assert replace(attempt, started_at=0.0) == Attempt(
        candidate="local/small", started_at=0.0, total_s=1.5, usage=whole.usage, tokens_per_s=1 / 1.5
    )
    assert line.is_idle()


async def test_a_stream_hands_on_its_pieces_and_the_answer_last(line: Line) -> None:
    whole = answer(completion_tokens=101)
    pieces = [Chunk(progress=Progress("prefill", 0.5)), Chunk("do"), Chunk("ne"), whole]
    line.provider.plays([0.5, *pieces[:2], 1.0, pieces[2], 1.0, whole])
    assert await line.stream() == pieces
    (attempt,) = line.attempts
    assert (attempt.first_token_s, attempt.total_s, attempt.streamed, attempt.error) == (0.5, 2.5, True, "")
    assert attempt.tokens_per_s == 50
    assert line.is_idle()


async def test_the_slot_is_free_while_the_caller_reads_the_whole_answer(line: Line) -> None:
    line.provider.plays([Chunk("done"), answer()])
    async with aclosing(line.lane.stream("small", HELLO)) as pieces:
        async for piece in pieces:
            if isinstance(piece, Answer):
                assert line.is_idle() and len(line.attempts) == 1
            else:
                assert line.lane.queue.schedule.running == 1


async def test_nothing_after_the_answer_is_handed_on(line: Line) -> None:
    line.provider.plays([Chunk("done"), answer(), Chunk("more"), answer()])
    assert await line.stream() == [Chunk("done"), answer()]
    assert line.asked == ["stream", "closed stream"]


async def test_a_stream_that_ends_without_an_answer_is_a_failure(line: Line) -> None:
    line.provider.plays([Chunk("half an "), Chunk("ans")])
    with pytest.raises(IncompleteError):
        await line.stream()
    assert line.told == [(1, "incomplete")] and line.is_idle()


async def test_a_stream_that_ends_without_an_answer_says_whose_and_keeps_its_text(line: Line) -> None:
    line.provider.plays([Chunk("half an "), Chunk("ans")])
    with pytest.raises(IncompleteError) as caught:
        await line.stream()
    assert (caught.value.candidate, caught.value.partial_text) == ("local/small", "half an ans")


async def test_the_call_carries_what_is_configured_and_known() -> None:
    chosen = {"small": CandidateSettings(context_length=8192, keep_alive_s=60)}
    line = await line_of(language_model("small", loaded_context_length=16384), models=chosen)
    await line.complete()
    (call,) = line.provider.calls
    assert (call.model, call.request, call.context_length, call.keep_alive_s, call.window) == (
        "small",
        HELLO,
        8192,
        60,
        16384,
    )


async def test_a_provider_that_was_never_looked_at_is_asked_all_the_same() -> None:
    line = Line()
    assert await line.complete() == answer()


# Retries

RETRYABLE = [UnreachableError, NotLoadedError, LoadFailedError, BusyError]
FINAL = [AuthenticationError, BadRequestError, ContextOverflowError, IncompleteError, InternalError, NotFoundError]


@pytest.mark.parametrize("kind", RETRYABLE, ids=lambda kind: kind.code)
@pytest.mark.parametrize("how", ["complete", "stream"])
async def test_what_may_pass_is_tried_again(kind: type[ProviderError], how: str, line: Line) -> None:
    line.provider.plays([kind("now not")], [answer()])
    await getattr(line, how)()
    assert line.told == [(1, kind.code), (2, "")]
    assert line.is_idle()


@pytest.mark.parametrize("kind", FINAL, ids=lambda kind: kind.code)
@pytest.mark.parametrize("how", ["complete", "stream"])
async def test_what_will_not_pass_is_not_tried_again(kind: type[ProviderError], how: str, line: Line) -> None:
    line.provider.plays([kind("never")], [answer()])
    with pytest.raises(kind):
        await getattr(line, how)()
    assert line.told == [(1, kind.code)]
    assert line.is_idle()


async def test_a_time_limit_that_passed_is_not_tried_again(line: Line) -> None:
    line.provider.plays([ProviderTimeoutError("late", phase="total")])
    with pytest.raises(ProviderTimeoutError):
        await line.complete()
    assert line.told == [(1, "timeout")]


@pytest.mark.parametrize("retries", [0, 1, 3])
async def test_there_are_as_many_retries_as_configured(retries: int) -> None:
    calm = BreakerSettings(window=20, minimum_calls=20)
    line = await line_of(retry=RetrySettings(retries=retries, base_s=0.0), breaker=calm)
    errors = [BusyError(f"try {number}") for number in range(1, 6)]
    line.provider.plays(*([error] for error in errors))
    with pytest.raises(BusyError) as caught:
        await line.complete()
    assert caught.value is errors[retries], "the last error is the one to tell"
    assert line.told == [(number, "busy") for number in range(1, retries + 2)]


CONTENT = [Chunk("text"), Chunk(reasoning="thought"), Chunk(tool_calls=(ToolCallDelta(0, name="read"),))]


@pytest.mark.parametrize("content", CONTENT, ids=["text", "reasoning", "tool call"])
async def test_once_content_was_handed_out_nothing_is_tried_again(content: Chunk, line: Line) -> None:
    line.provider.plays([content, BusyError("broke")], [answer()])
    pieces = line.lane.stream("small", HELLO)
    assert await anext(pieces) == content
    with pytest.raises(BusyError):
        await anext(pieces)
    assert line.told == [(1, "busy")] and line.is_idle()


async def test_progress_before_the_first_content_does_not_hinder_a_retry(line: Line) -> None:
    progress = Chunk(progress=Progress("load", 0.5))
    line.provider.plays([progress, BusyError("now not")], [Chunk("done"), answer()])
    assert await line.stream() == [progress, Chunk("done"), answer()]
    assert line.told == [(1, "busy"), (2, "")]


async def test_the_text_so_far_stays_with_the_error(line: Line) -> None:
    line.provider.plays([Chunk("half an "), Chunk("ans"), IncompleteError("cut", partial_text="half an ans")])
    with pytest.raises(IncompleteError) as caught:
        await line.stream()
    assert caught.value.partial_text == "half an ans"


async def test_the_wait_that_the_provider_asks_for_is_kept(line: Line) -> None:
    line.provider.plays([BusyError("soon", retry_after_s=0.05)], [answer()])
    begun_s = time.monotonic()
    waiting = asyncio.create_task(line.complete())
    await ticks()
    assert line.is_idle() and line.provider.count("complete") == 1, "nothing is held while it waits"
    await waiting
    assert time.monotonic() - begun_s >= 0.045


async def test_a_wait_beyond_the_longest_is_left_to_the_caller(line: Line) -> None:
    line.provider.plays([BusyError("much later", retry_after_s=60)])
    with pytest.raises(BusyError) as caught:
        await line.complete()
    assert caught.value.retry_after_s == 60 and line.told == [(1, "busy")]


@pytest.mark.parametrize("how", ["complete", "stream"])
async def test_a_wait_that_ends_after_the_deadline_is_not_begun(how: str, line: Line) -> None:
    line.provider.plays([BusyError("soon", retry_after_s=2)])
    begun_s = time.monotonic()
    with pytest.raises(BusyError):
        await getattr(line, how)(deadline_s=1.5)
    assert time.monotonic() - begun_s < 1 and line.told == [(1, "busy")]


async def test_a_retry_has_what_is_left_of_the_deadline(line: Line) -> None:
    left: list[float] = []

    def look() -> None:
        left.append(line.provider.calls[-1].clock.left_s(streaming=False)[0])

    line.provider.plays([look, 4.0, BusyError("now not")], [look, answer()])
    await line.complete(deadline_s=10)
    assert left == [10, 6]


async def test_a_cancelled_wait_for_a_retry_tries_nothing_more(line: Line) -> None:
    line.provider.plays([BusyError("soon", retry_after_s=5)])
    task = asyncio.create_task(line.complete())
    await ticks()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled() and line.told == [(1, "busy")] and line.is_idle()


# Queue


async def test_no_more_reach_the_provider_than_configured() -> None:
    line, go = await line_of(queue=QueueLimits(max_concurrent=2)), asyncio.Event()
    line.provider.plays(*([go, answer()] for _ in range(6)))
    tasks = [asyncio.create_task(line.complete()) for _ in range(6)]
    await ticks()
    assert (line.provider.open, line.lane.queue.schedule.waiting) == (2, 4)
    go.set()
    await asyncio.gather(*tasks)
    assert line.provider.most_open == 2 and line.is_idle()


async def test_the_seconds_in_the_queue_are_written_down_and_taken_off_the_deadline() -> None:
    line, go = await line_of(queue=QueueLimits(max_concurrent=1)), asyncio.Event()
    left: list[float] = []
    line.provider.plays([go, answer()], [lambda: left.append(line.provider.calls[-1].clock.left_s(streaming=False)[0])])
    first, second = asyncio.create_task(line.complete()), asyncio.create_task(line.complete(deadline_s=30))
    await ticks()
    line.clock.advance(12)
    go.set()
    await asyncio.gather(first, second)
    assert left == [18]
    assert [(attempt.queue_s, attempt.total_s) for attempt in line.attempts] == [(0, 12), (12, 12)]


async def test_a_full_queue_refuses_without_asking_the_provider() -> None:
    line, go = await line_of(queue=QueueLimits(max_concurrent=1, max_waiting=0)), asyncio.Event()
    line.provider.plays([go, answer()])
    running = asyncio.create_task(line.complete())
    await ticks()
    with pytest.raises(QueueFullError):
        await line.complete()
    go.set()
    await running
    assert line.told == [(1, "queue_full"), (1, "")] and line.provider.count("complete") == 1


async def test_a_deadline_in_the_queue_ends_there_and_counts_against_nobody() -> None:
    line, go = await line_of(queue=QueueLimits(max_concurrent=1)), asyncio.Event()
    line.provider.plays([go, answer()])
    running = asyncio.create_task(line.complete())
    await ticks()
    for _ in range(5):
        with pytest.raises(QueueFullError):
            await line.complete(deadline_s=0.005)
    go.set()
    await running
    assert line.lane.circuits.state("small") == "closed" and line.events[1:] == []


# Breakers with traffic


async def test_a_breaker_opens_refuses_at_once_probes_and_closes(line: Line) -> None:
    await line.fails(InternalError("crash"), InternalError("crash"))
    asked = line.provider.count("complete")
    with pytest.raises(CircuitOpenError) as caught:
        await line.complete()
    assert (caught.value.candidate, caught.value.retry_after_s) == ("local/small", 10)
    assert line.provider.count("complete") == asked
    line.clock.advance(10)
    assert await line.complete() == answer()
    assert await line.complete() == answer()
    assert line.told == [(1, "internal"), (1, "internal"), (1, "circuit_open"), (1, ""), (1, "")]
    changes = [(event.model, event.before, event.after) for event in line.events if event.kind == "breaker"]
    assert changes == [
        ("small", "closed", "open"),
        ("small", "open", "half_open"),
        ("small", "half_open", "closed"),
    ]


async def test_a_failed_probe_doubles_the_wait(line: Line) -> None:
    await line.fails(InternalError("crash"), InternalError("crash"))
    line.clock.advance(10)
    await line.fails(InternalError("crash"))
    with pytest.raises(CircuitOpenError) as caught:
        await line.complete()
    assert caught.value.retry_after_s == 20


async def test_only_one_of_many_becomes_the_probe(line: Line) -> None:
    await line.fails(InternalError("crash"), InternalError("crash"))
    line.clock.advance(10)
    go = asyncio.Event()
    line.provider.plays([go, answer()])
    tasks = [asyncio.create_task(line.complete()) for _ in range(4)]
    await ticks()
    assert line.provider.open == 1
    go.set()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert sorted(type(end).__name__ for end in ends) == ["Answer", *["CircuitOpenError"] * 3]
    assert line.lane.circuits.state("small") == "closed" and line.is_idle()


async def test_a_cancelled_probe_leaves_its_place_to_the_next(line: Line) -> None:
    await line.fails(InternalError("crash"), InternalError("crash"))
    line.clock.advance(10)
    for how in (line.complete, line.stream):
        line.provider.plays([asyncio.Event()])
        probe = asyncio.create_task(how())  # type: ignore[operator]
        await ticks()
        probe.cancel()
        await asyncio.gather(probe, return_exceptions=True)
    assert line.lane.circuits.state("small") == "half_open"
    assert await line.complete() == answer()
    assert line.lane.circuits.state("small") == "closed"


async def test_those_in_the_queue_are_refused_when_the_breaker_opens_meanwhile() -> None:
    line, go = await line_of(queue=QueueLimits(max_concurrent=2)), asyncio.Event()
    line.provider.plays([go, InternalError("crash")], [go, InternalError("crash")])
    tasks = [asyncio.create_task(line.complete()) for _ in range(10)]
    await ticks()
    go.set()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(end) for end in ends] == [InternalError] * 2 + [CircuitOpenError] * 8
    assert line.provider.count("complete") == 2 and line.is_idle()


async def test_one_that_is_left_alone_is_refused_without_waiting_for_a_slot() -> None:
    models = language_model("small"), language_model("large")
    line, go = await line_of(*models, queue=QueueLimits(max_concurrent=1)), asyncio.Event()
    await line.fails(InternalError("crash"), InternalError("crash"))
    line.provider.plays([go, answer()])
    running = asyncio.create_task(line.complete("large"))
    await ticks()
    with pytest.raises(CircuitOpenError):
        await line.complete("small")
    assert not running.done()
    go.set()
    await running


async def test_a_provider_that_is_gone_is_left_alone_for_every_candidate() -> None:
    line = await line_of(language_model("small"), language_model("large"), retry=NEVER)
    await line.fails(UnreachableError("refused"), UnreachableError("refused"))
    with pytest.raises(CircuitOpenError, match="the provider kept failing"):
        await line.complete("large")


async def test_cancelled_requests_speak_against_nobody(line: Line) -> None:
    for _ in range(10):
        line.provider.plays([asyncio.Event()])
        task = asyncio.create_task(line.complete())
        await ticks()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert line.lane.circuits.state("small") == "closed"


async def test_bad_requests_speak_against_nobody(line: Line) -> None:
    await line.fails(*[BadRequestError("no pictures")] * 10)
    assert line.lane.circuits.state("small") == "closed"


async def test_retries_end_when_the_breaker_opens(line: Line) -> None:
    line.provider.plays(*([BusyError("no slot")] for _ in range(3)))
    with pytest.raises(BusyError):
        await line.complete()
    assert line.told == [(1, "busy"), (2, "busy"), (3, "circuit_open")] and line.provider.count("complete") == 2


# Time limits, slowness, loading


async def test_time_limits_open_the_breaker_of_a_candidate_in_memory(line: Line) -> None:
    await line.fails(*[ProviderTimeoutError("silent", phase="first_token")] * 2)
    assert line.lane.circuits.state("small") == "open"


async def test_time_limits_while_it_loads_are_no_failure() -> None:
    line = await line_of(language_model("small", loaded=False))
    await line.fails(*[ProviderTimeoutError("silent", phase="first_token")] * 5)
    assert line.lane.circuits.state("small") == "closed"


async def test_time_limits_after_it_was_loaded_here_are_a_failure() -> None:
    line = await line_of(language_model("small", loaded=False), loads=True)
    line.provider.loads_like([5.0])
    await line.fails(*[ProviderTimeoutError("silent", phase="first_token")] * 2)
    assert line.lane.circuits.state("small") == "open"


async def test_time_limits_of_a_cloud_that_does_not_speak_of_memory_are_a_failure() -> None:
    line = await line_of(language_model("small", loaded=None, remote=True))
    await line.fails(*[ProviderTimeoutError("silent", phase="first_token")] * 2)
    assert line.lane.circuits.state("small") == "open"


@pytest.mark.parametrize(("deadline_s", "state"), [(5, "closed"), (None, "open"), (10_000, "open")])
async def test_a_deadline_shorter_than_the_configured_limit_excuses_the_candidate(
    deadline_s: float | None, state: str, line: Line
) -> None:
    for _ in range(2):
        line.provider.plays([ProviderTimeoutError("not finished", phase="total")])
        with pytest.raises(ProviderTimeoutError):
            await line.complete(deadline_s=deadline_s)
    assert line.lane.circuits.state("small") == state


async def test_a_deadline_that_the_queue_made_short_excuses_the_candidate_too() -> None:
    line, go = await line_of(queue=QueueLimits(max_concurrent=1), timeouts=Timeouts(total_s=600)), asyncio.Event()
    line.provider.plays([go, answer()], [ProviderTimeoutError("not finished", phase="total")])
    first, second = asyncio.create_task(line.complete()), asyncio.create_task(line.complete(deadline_s=620))
    await ticks()
    line.clock.advance(100)  # of the 620 s, 520 s are left for the call
    go.set()
    await asyncio.gather(first, second, return_exceptions=True)
    assert line.told == [(1, ""), (1, "timeout")]
    assert line.lane.circuits.state("small") == "closed"


@pytest.mark.parametrize(("first_token_s", "state"), [(29.0, "closed"), (31.5, "open")])
async def test_a_first_token_far_too_late_counts_as_a_failure(first_token_s: float, state: str, line: Line) -> None:
    for _ in range(2):
        line.provider.plays([first_token_s, Chunk("done"), answer()])
        assert (await line.stream())[-1] == answer()
    assert line.lane.circuits.state("small") == state
    assert [attempt.error for attempt in line.attempts] == ["", ""]


async def test_reading_a_long_prompt_is_not_slowness(line: Line) -> None:
    long = Request.of("word " * 4000)  # some 5000 tokens: 100 s at the rate of a small machine
    for _ in range(2):
        line.provider.plays([90.0, Chunk("done"), answer()])
        async for _piece in line.lane.stream("small", long):
            pass
    assert line.lane.circuits.state("small") == "closed"


async def test_what_was_measured_of_reading_prompts_sharpens_the_judgement(line: Line) -> None:
    long = Request.of("word " * 4000)
    for _ in range(3):
        line.estimates.answered(answer(prompt_tokens=5000), first_token_s=1.0, total_s=2.0)
    for _ in range(2):
        line.provider.plays([90.0, Chunk("done"), answer()])
        async for _piece in line.lane.stream("small", long):
            pass
    assert line.lane.circuits.state("small") == "open"


async def test_a_load_before_the_call_is_not_slowness() -> None:
    line = await line_of(language_model("small", loaded=False), loads=True)
    line.provider.loads_like([120.0])
    line.provider.plays([1.0, Chunk("done"), answer()])
    await line.stream()
    (attempt,) = line.attempts
    assert (attempt.load_s, attempt.first_token_s, attempt.total_s) == (120, 1, 121)
    speeds = line.estimates.speeds("local/small")
    assert (speeds.load_s, speeds.first_token_s) == (pytest.approx(120), pytest.approx(1))


async def test_a_load_that_comes_with_the_request_is_not_slowness() -> None:
    line = await line_of(language_model("small", loaded=False))
    for _ in range(2):
        line.provider.plays([120.0, Chunk("done"), answer()])
        await line.stream()
    assert line.lane.circuits.state("small") == "closed"


async def test_one_that_loads_with_the_request_gets_the_time_for_it() -> None:
    timeouts = Timeouts(first_token_s=60, load_s=300)
    patience = []
    for loaded in (True, False):
        line = await line_of(language_model("small", loaded=loaded), timeouts=timeouts)
        await line.complete()
        patience.append(line.provider.calls[0].clock.left_s(streaming=True)[0])
    assert patience[1] - patience[0] == 300
    assert 60 < patience[0] < 61


async def test_what_is_not_in_memory_is_loaded_first_once_for_all() -> None:
    line, loaded = await line_of(language_model("small", loaded=False), loads=True), asyncio.Event()
    line.provider.loads_like([loaded])
    tasks = [asyncio.create_task(line.complete()) for _ in range(3)]
    await ticks()
    assert line.asked == ["load"]
    line.clock.advance(8)
    loaded.set()
    await asyncio.gather(*tasks)
    assert line.asked == ["load", "complete", "complete", "complete"]
    assert [attempt.load_s for attempt in line.attempts] == [8, 8, 8]


async def test_one_that_was_put_out_of_memory_is_loaded_again_before_the_next_try() -> None:
    line = await line_of(loads=True)
    line.provider.plays([NotLoadedError("unloaded", provider="local", model="small")])
    assert await line.complete() == answer()
    assert line.asked == ["complete", "load", "complete"]


async def test_an_error_need_not_name_the_language_model_that_was_asked() -> None:
    line = await line_of(loads=True)
    line.provider.plays([NotLoadedError("unloaded")])
    assert await line.complete() == answer()
    assert line.asked == ["complete", "load", "complete"]


async def test_one_that_made_room_for_another_is_loaded_again_with_its_window() -> None:
    chosen = {name: CandidateSettings(context_length=8192) for name in ("small", "large")}
    models = language_model("small", loaded_context_length=8192), language_model("large", loaded=False)
    line = await line_of(*models, loads=True, max_resident=1, models=chosen)
    for model in ("small", "large", "small"):
        await line.complete(model)
    assert line.asked == ["complete", "load", "complete", "load", "complete"]


async def test_those_that_kept_their_room_are_not_loaded_again() -> None:
    models = language_model("a"), language_model("b"), language_model("c", loaded=False)
    line = await line_of(*models, loads=True, max_resident=2)
    for model in ("a", "b", "c", "b", "c", "a"):
        await line.complete(model)
    assert [model for model, _ in line.provider.loaded] == ["c", "a"]


async def test_one_that_was_loaded_by_hand_is_not_loaded_again() -> None:
    line = await line_of(language_model("small"), language_model("large", loaded=False), loads=True, max_resident=1)
    await line.complete("small")
    await line.lane.load("large")
    await line.complete("large")
    assert line.provider.count("load") == 1


async def test_a_deadline_while_it_loads_leaves_the_load_running() -> None:
    line, loaded = await line_of(language_model("small", loaded=False), loads=True), asyncio.Event()
    line.provider.loads_like([loaded])
    with pytest.raises(ProviderTimeoutError) as caught:
        await line.complete(deadline_s=0.01)
    assert caught.value.phase == "load" and line.is_idle()
    assert line.lane.circuits.state("small") == "closed"
    loaded.set()
    await ticks()
    await line.complete()
    assert line.asked == ["load", "complete"]


async def test_a_request_cancelled_while_it_loads_leaves_the_load_running_and_the_slot_free() -> None:
    line, loaded = await line_of(language_model("small", loaded=False), loads=True), asyncio.Event()
    line.provider.loads_like([loaded])
    task = asyncio.create_task(line.complete())
    await ticks()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert line.is_idle() and line.told == [(1, "cancelled")]
    loaded.set()
    await ticks()
    known = line.lane.residence.get("small")
    assert known is not None and known.loaded


async def test_a_candidate_that_cannot_be_loaded_is_left_alone_in_the_end() -> None:
    line = await line_of(language_model("small", loaded=False), loads=True, retry=NEVER)
    line.provider.loads_like(*([LoadFailedError("out of memory")] for _ in range(10)))
    for _ in range(10):
        with pytest.raises(ProviderError):
            await line.complete()
    assert line.provider.count("load") == 2 and line.lane.circuits.state("small") == "open"


async def test_loading_and_unloading_by_hand() -> None:
    line = await line_of(language_model("small", loaded=False), loads=True)
    line.provider.loads_like([6.0])
    assert (await line.lane.load("small"), await line.lane.load("small")) == (6, 0)
    await line.lane.unload("small")
    assert await line.lane.load("small") == 0 and line.provider.count("load") == 2


async def test_a_load_by_hand_does_not_end_what_runs_on_a_window_that_is_too_small() -> None:
    chosen = {"small": CandidateSettings(context_length=8192)}
    line, go = await line_of(language_model("small"), loads=True, models=chosen), asyncio.Event()
    line.provider.plays([go, answer()])
    running = asyncio.create_task(line.complete())
    await ticks()
    line.provider.models["small"] = language_model("small", loaded_context_length=4096)
    await line.lane.refresh()
    await line.lane.load("small")
    go.set()
    await running
    assert line.provider.count("load") == 0


# Windows


async def test_a_prompt_beyond_the_window_is_refused_before_anything_is_sent() -> None:
    line = await line_of(language_model("small", loaded_context_length=512))
    long = Request.of("x" * 8 * 513)
    for how in (line.lane.complete("small", long), anext(line.lane.stream("small", long))):
        with pytest.raises(ContextOverflowError, match=r"^local/small: the prompt takes at least 513 tokens, .* 512$"):
            await how
    assert line.asked == [] and line.is_idle()
    assert line.told == [(1, "context_overflow")] * 2
    assert line.lane.circuits.state("small") == "closed"


async def test_a_prompt_that_may_just_fit_is_sent() -> None:
    line = await line_of(language_model("small", loaded_context_length=512))
    await line.complete(request=Request.of("x" * 8 * 512))
    assert line.asked == ["complete"]


async def test_a_prompt_beyond_the_window_is_refused_without_waiting_for_a_slot() -> None:
    line = await line_of(language_model("small", loaded_context_length=512), queue=QueueLimits(max_concurrent=1))
    go = asyncio.Event()
    line.provider.plays([go, answer()])
    running = asyncio.create_task(line.complete())
    await ticks()
    with pytest.raises(ContextOverflowError):
        await line.complete(request=Request.of("x" * 10_000))
    go.set()
    await running


# Cancellation


async def test_a_cancelled_request_frees_its_slot_and_is_written_down(line: Line) -> None:
    line.provider.plays([2.0, asyncio.Event()])
    task = asyncio.create_task(line.complete())
    await ticks()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled() and line.is_idle()
    (attempt,) = line.attempts
    assert (attempt.error, attempt.total_s, attempt.number) == ("cancelled", 2, 1)


async def test_a_request_cancelled_in_the_queue_is_written_down_and_never_sent() -> None:
    line, go = await line_of(queue=QueueLimits(max_concurrent=1)), asyncio.Event()
    line.provider.plays([go, answer()])
    first, second = asyncio.create_task(line.complete()), asyncio.create_task(line.complete())
    await ticks()
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    go.set()
    await first
    assert line.told == [(1, "cancelled"), (1, "")] and line.provider.count("complete") == 1


async def test_a_stream_closed_early_closes_the_providers_and_frees_the_slot(line: Line) -> None:
    line.provider.plays([Chunk("one"), Chunk("two"), answer()])
    async with aclosing(line.lane.stream("small", HELLO)) as pieces:
        assert await anext(pieces) == Chunk("one")
        assert line.asked == ["stream"]
    assert line.asked == ["stream", "closed stream"]
    assert line.told == [(1, "cancelled")] and line.is_idle()
    assert line.attempts[0].first_token_s == 0


async def test_a_stream_whose_reader_is_cancelled_closes_the_providers_and_frees_the_slot(line: Line) -> None:
    line.provider.plays([Chunk("one"), asyncio.Event()])
    reader = asyncio.create_task(line.stream())
    await ticks()
    reader.cancel()
    await asyncio.gather(reader, return_exceptions=True)
    assert line.asked == ["stream", "closed stream"]
    assert line.told == [(1, "cancelled")] and line.is_idle()


async def test_a_stream_that_is_dropped_gives_its_slot_back(line: Line) -> None:
    line.provider.plays([Chunk("one"), Chunk("two"), answer()])
    async for _piece in line.lane.stream("small", HELLO):
        break
    gc.collect()
    await ticks()
    assert line.asked == ["stream", "closed stream"] and line.is_idle()


async def test_a_stream_that_nobody_reads_asks_nothing(line: Line) -> None:
    await line.lane.stream("small", HELLO).aclose()
    assert line.asked == [] and line.attempts == [] and line.is_idle()


async def test_the_deadline_of_a_stream_counts_from_the_call() -> None:
    line = await line_of()
    pieces = line.lane.stream("small", HELLO, deadline_s=10)
    line.clock.advance(4)
    await anext(pieces)
    assert line.provider.calls[0].clock.left_s(streaming=False)[0] == 6
    await pieces.aclose()


# Adapters that break their promise


@pytest.mark.parametrize("how", ["complete", "stream"])
async def test_a_foreign_exception_becomes_one_of_ours_and_leaves_nothing_behind(how: str, line: Line) -> None:
    bug = ZeroDivisionError("a bug of the adapter")
    line.provider.plays([bug])
    with pytest.raises(InternalError, match=r"^local/small: .*a bug of the adapter") as caught:
        await getattr(line, how)()
    assert caught.value.__cause__ is bug
    assert line.told == [(1, "internal")] and line.is_idle()
    assert await line.complete() == answer()


async def test_an_adapter_that_keeps_breaking_is_left_alone(line: Line) -> None:
    for _ in range(2):
        line.provider.plays([ZeroDivisionError("a bug of the adapter")])
        with pytest.raises(InternalError):
            await line.complete()
    with pytest.raises(CircuitOpenError):
        await line.complete()


# What is learned


async def test_answers_teach_the_speeds_and_failures_do_not() -> None:
    line = await line_of(queue=QueueLimits(max_concurrent=1))
    line.provider.plays(
        [1.0, Chunk("x"), 3.0, answer(prompt_tokens=50, completion_tokens=31)], [9.0, InternalError("crash")]
    )
    await line.stream()
    with pytest.raises(InternalError):
        await line.complete()
    speeds = line.estimates.speeds("local/small")
    assert (speeds.first_token_s, speeds.decode_tokens_per_s) == (pytest.approx(1), pytest.approx(10))
    assert (speeds.service_s, speeds.answer_tokens, speeds.measurements) == (pytest.approx(4), pytest.approx(31), 1)


async def test_what_a_slow_reader_takes_is_left_out_of_the_speeds(line: Line) -> None:
    line.provider.plays([1.0, Chunk("x"), 3.0, answer(prompt_tokens=50, completion_tokens=31)])
    async for piece in line.lane.stream("small", HELLO):
        if isinstance(piece, Chunk):
            await ticks()
            line.clock.advance(60.0)
    assert line.estimates.speeds("local/small").service_s == pytest.approx(4)
    (attempt,) = line.attempts
    assert (attempt.total_s, attempt.held_s, attempt.answer_s) == (
        pytest.approx(64),
        pytest.approx(60),
        pytest.approx(4),
    )


async def test_waiting_and_loading_are_left_out_of_the_speeds() -> None:
    limits = QueueLimits(max_concurrent=1)
    line, go = await line_of(language_model("small", loaded=False), loads=True, queue=limits), asyncio.Event()
    line.provider.loads_like([50.0])
    told = {"prompt_tokens": 50, "completion_tokens": 31}
    scene = [1.0, Chunk("x"), 3.0, answer(**told)]
    line.provider.plays([go, *scene], scene)
    first, second = asyncio.create_task(line.stream()), asyncio.create_task(line.stream())
    await ticks()
    go.set()
    await asyncio.gather(first, second)
    speeds = line.estimates.speeds("local/small")
    assert (speeds.first_token_s, speeds.decode_tokens_per_s) == (pytest.approx(1), pytest.approx(10))
    assert [(attempt.queue_s, attempt.load_s, attempt.total_s) for attempt in line.attempts] == [
        (0, 50, 54),
        (54, 0, 58),
    ]


# Embeddings


async def test_embeddings_are_measured_and_guarded_but_not_retried(line: Line) -> None:
    vectors = await line.lane.embed("small", ["one", "three"])
    assert vectors.vectors == ((3.0,), (5.0,))
    line.provider.plays([BusyError("no slot")])
    with pytest.raises(BusyError, match="no slot"):
        await line.lane.embed("small", ["one"])
    with pytest.raises(CircuitOpenError):
        await line.lane.embed("small", ["one"])
    assert line.told == [(1, ""), (1, "busy"), (1, "circuit_open")]
    assert line.is_idle()


# Looking at the provider


async def test_a_look_tells_when_the_provider_comes_and_goes() -> None:
    line = Line()
    for problem in ("", "", "nothing answers", "nothing answers", ""):
        line.provider.problem = problem
        await line.lane.refresh()
    assert [(event.kind, event.before, event.after, event.reason) for event in line.events] == [
        ("availability", "unavailable", "available", ""),
        ("availability", "available", "unavailable", "nothing answers"),
        ("availability", "unavailable", "available", ""),
    ]


async def test_what_a_gone_provider_had_in_memory_is_remembered(line: Line) -> None:
    line.provider.problem = "nothing answers"
    await line.lane.refresh()
    assert line.lane.residence.get("small") == language_model("small")
    assert not line.lane.state.available


async def test_a_look_lets_those_start_whose_candidate_came_into_memory() -> None:
    models = language_model("small"), language_model("large", loaded=False)
    line, go = await line_of(*models, queue=QueueLimits(max_resident=1)), asyncio.Event()
    line.provider.plays([go, answer()])
    first, second = asyncio.create_task(line.complete("small")), asyncio.create_task(line.complete("large"))
    await ticks()
    assert not second.done()
    line.provider.models["large"] = language_model("large")
    await line.lane.refresh()
    await ticks()
    assert second.done() and not first.done()
    go.set()
    await asyncio.gather(first, second)


async def test_closing_closes_the_provider_and_gives_up_its_loads() -> None:
    line = await line_of(language_model("small", loaded=False), loads=True)
    line.provider.loads_like([asyncio.Event()])
    waiting = asyncio.create_task(line.complete())
    await ticks()
    await line.lane.aclose()
    await asyncio.gather(waiting, return_exceptions=True)
    assert line.provider.closed and line.is_idle()


async def test_once_it_is_closed_a_provider_is_not_asked_again() -> None:
    line = await line_of(language_model("small", loaded=False), loads=True)
    line.provider.loads_like([asyncio.Event()])
    waiting = asyncio.create_task(line.complete())
    await ticks()
    await line.lane.aclose()
    (end,) = await asyncio.gather(waiting, return_exceptions=True)
    assert isinstance(end, ProviderError) and line.asked == ["load"]


# Everything at once


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_happens_no_slot_and_no_probe_is_lost(seed: int) -> None:
    chance = random.Random(seed)
    models = [language_model(name, loaded=chance.random() < 0.5) for name in ("small", "large")]
    limits = QueueLimits(max_concurrent=3, max_waiting=20, max_wait_s=0.05, max_resident=1, starvation_s=1)
    line = await line_of(*models, loads=True, queue=limits, breaker=replace(BREAKER, minimum_calls=4, open_s=2.0))
    errors = [
        BusyError("no slot"),
        UnreachableError("refused"),
        InternalError("crash"),
        BadRequestError("no tools"),
        NotLoadedError("unloaded", provider="local", model="small"),
        ProviderTimeoutError("late", phase="chunk"),
        KeyError("a bug"),
    ]

    def scene() -> list[Any]:
        steps: list[Any] = [Chunk("x")] * chance.randrange(3)
        if chance.random() < 0.3:
            return [*steps, chance.choice(errors)]
        late = asyncio.Event()
        asyncio.get_running_loop().call_later(chance.random() * 0.002, late.set)
        return [*steps, late, *steps, answer()]

    async def request() -> None:
        model, deadline_s = chance.choice(["small", "large"]), chance.choice([None, None, 0.0, 0.01])
        line.provider.plays(scene())
        try:
            if chance.random() < 0.5:
                await line.lane.complete(model, HELLO, deadline_s=deadline_s)
                return
            stop_after = chance.randrange(6)
            async with aclosing(line.lane.stream(model, HELLO, deadline_s=deadline_s)) as pieces:
                async for _piece in pieces:
                    stop_after -= 1
                    if stop_after == 0:
                        return
        except (ProviderError, KeyError):
            pass

    tasks: list[asyncio.Task[None]] = []
    for _ in range(400):
        tasks.append(asyncio.create_task(request()))
        await ticks(chance.randrange(4))
        line.clock.advance(chance.random() * 0.2)
        if chance.random() < 0.2:
            chance.choice(tasks[-20:]).cancel()
        if chance.random() < 0.05:
            await line.lane.refresh()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert line.is_idle()
    assert {"", "cancelled", "busy", "internal", "circuit_open"} <= {attempt.error for attempt in line.attempts}
    line.clock.advance(60)  # whatever is open may be probed now, and every place for a probe is free
    line.provider.forgets_its_scenes()
    for model in ("small", "large"):
        assert await line.complete(model) == answer(f"local/{model}")
        assert line.lane.circuits.state(model) == "closed"
