"""Two runners for one answer: who wins, what is handed out, and that nothing is left running, open or unheard."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.execution.fakes import said
from tests.providers.fakes import ticks

from turnout.errors import InternalError, ProviderError, UnreachableError
from turnout.execution.race import late_s, race
from turnout.types import Answer, Chunk, ExpectedSeconds, Progress, Ranked, Speeds

pytestmark = pytest.mark.anyio

ALIVE = Chunk(progress=Progress("load", 0.5))
FIRST, SECOND = "a/1", "b/1"
NEVER_S = 1000.0
COMPLAINTS: list[dict[str, Any]] = []

Step = Chunk | Answer | BaseException | asyncio.Event | int
"""A piece is handed out, an exception raised, an event awaited, a number is turns of the event loop that pass."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Lap:
    """One runner, and what became of it."""

    def __init__(self, *steps: Step, close_fails: BaseException | None = None) -> None:
        self.steps = steps
        self.begun = self.ended = False
        self.said = 0
        self._close_fails = close_fails

    async def run(self) -> AsyncGenerator[Chunk | Answer, None]:
        self.begun = True
        try:
            for step in self.steps:
                if isinstance(step, BaseException):
                    raise step
                if isinstance(step, asyncio.Event):
                    await step.wait()
                elif isinstance(step, int):
                    await ticks(step)
                else:
                    self.said += 1
                    yield step
        finally:
            try:
                await asyncio.sleep(0)  # closing a connection takes a turn
            finally:
                self.ended = True
            if self._close_fails is not None:
                raise self._close_fails


class Race:
    """A race over two laps, and the track that it is run on; None is a second that cannot start."""

    def __init__(self, first: Lap, second: Lap | None, after_s: float = NEVER_S) -> None:
        self.first, self.rival = first, second
        self.starts = 0
        self.winners: list[int] = []
        self.fallen: list[tuple[int, str]] = []
        self.stopped: list[int] = []
        self._tasks = asyncio.all_tasks()
        asyncio.get_running_loop().set_exception_handler(lambda _, context: COMPLAINTS.append(context))
        self.pieces = race(first.run(), self, after_s=after_s)

    def second(self) -> AsyncGenerator[Chunk | Answer, None] | None:
        self.starts += 1
        return self.rival.run() if self.rival is not None else None

    def speaks(self, at: int) -> None:
        self.winners.append(at)

    def fell(self, at: int, error: ProviderError) -> None:
        self.fallen.append((at, error.code))

    def overtaken(self, at: int) -> None:
        lap = (self.first, self.rival)[at]
        assert lap is not None and lap.ended
        self.stopped.append(at)

    async def run(self) -> list[Chunk | Answer]:
        async with aclosing(self.pieces) as pieces:
            return [piece async for piece in pieces]

    def check_nothing_is_left(self) -> None:
        for lap in (self.first, self.rival):
            assert lap is None or lap.begun == lap.ended
        assert self.starts <= 1
        assert asyncio.all_tasks() <= self._tasks | {asyncio.current_task()}


@pytest.fixture(autouse=True)
def no_complaints() -> Iterator[None]:
    """No test may make the event loop complain, of an exception that nobody took or a task that was dropped."""
    COMPLAINTS.clear()
    yield
    gc.collect()
    assert not COMPLAINTS


def hears(text: str, *before: Step) -> Lap:
    return Lap(*before, Chunk(text), Chunk("!"), said(FIRST, f"{text}!"))


def texts(pieces: Sequence[Chunk | Answer]) -> list[str]:
    return [piece.text for piece in pieces]


# Who wins


async def test_a_punctual_first_runs_alone() -> None:
    run = Race(hears("one"), hears("two"))
    assert texts(await run.run()) == ["one", "!", "one!"]
    assert run.starts == 0 and run.winners == [0]
    run.check_nothing_is_left()


async def test_when_the_first_is_late_the_second_starts_and_may_win() -> None:
    run = Race(hears("one", asyncio.Event()), hears("two"), after_s=0.0)
    assert texts(await run.run()) == ["two", "!", "two!"]
    assert run.starts == 1 and run.winners == [1] and run.stopped == [0]
    run.check_nothing_is_left()


async def test_the_first_may_still_win_after_the_second_has_started() -> None:
    speaks = asyncio.Event()
    second = Lap(1, ALIVE, asyncio.Event())
    run = Race(hears("one", speaks), second, after_s=0.0)
    assert await anext(run.pieces) is ALIVE
    speaks.set()
    assert texts(await run.run()) == ["one", "!", "one!"] and run.winners == [0]
    assert second.ended
    run.check_nothing_is_left()


async def test_between_two_that_speak_in_one_moment_the_first_wins_and_the_other_is_not_heard() -> None:
    both = asyncio.Event()
    run = Race(hears("one", both), hears("two", both), after_s=0.0)
    task = asyncio.create_task(run.run())
    await until(lambda: run.rival is not None and run.rival.begun)
    both.set()
    assert texts(await task) == ["one", "!", "one!"] and run.winners == [0]


async def test_an_answer_without_any_content_is_an_answer() -> None:
    run = Race(Lap(asyncio.Event()), Lap(said(SECOND, "")), after_s=0.0)
    assert await run.run() == [said(SECOND, "")] and run.winners == [1]
    run.check_nothing_is_left()


async def test_the_winner_is_told_before_its_first_content_is_handed_out() -> None:
    run = Race(hears("one"), None)
    async with aclosing(run.pieces) as pieces:
        assert (await anext(pieces)).text == "one" and run.winners == [0]


async def test_the_loser_has_stopped_before_the_first_content_is_handed_out() -> None:
    run = Race(hears("one", asyncio.Event()), hears("two"), after_s=0.0)
    async with aclosing(run.pieces) as pieces:
        assert (await anext(pieces)).text == "two" and run.first.ended


@pytest.mark.parametrize("content", [Chunk(reasoning="hm"), Chunk("x"), Chunk("x", progress=Progress("prefill", 1.0))])
async def test_whatever_a_language_model_wrote_decides(content: Chunk) -> None:
    run = Race(Lap(ALIVE, content, said(FIRST)), hears("two"))
    assert (await run.run())[1] is content and run.winners == [0]


async def test_progress_of_both_is_passed_on_and_decides_nothing() -> None:
    here, there = Chunk(progress=Progress("load", 0.1)), Chunk(progress=Progress("load", 0.2))
    speaks = asyncio.Event()
    run = Race(Lap(here, here, asyncio.Event()), Lap(there, there, speaks, Chunk("two"), said(SECOND)), after_s=0.0)
    got = [await anext(run.pieces) for _ in range(4)]
    assert sorted(got, key=str) == [here, here, there, there] and run.winners == []
    speaks.set()
    assert texts(await run.run()) == ["two", "fine"] and run.winners == [1]
    run.check_nothing_is_left()


async def test_progress_does_not_make_the_first_punctual() -> None:
    run = Race(Lap(ALIVE, ALIVE, asyncio.Event()), hears("two"), after_s=0.01)
    assert texts(await run.run()) == ["", "", "two", "!", "two!"] and run.winners == [1]


# Failures


async def test_a_first_that_fails_before_it_is_late_ends_it_without_a_race() -> None:
    run = Race(Lap(3, InternalError("it broke")), hears("two"))
    with pytest.raises(InternalError):
        await run.run()
    assert run.starts == 0 and run.winners == [0] and run.fallen == []
    run.check_nothing_is_left()


async def test_a_second_that_fails_leaves_the_first_the_field() -> None:
    speaks = asyncio.Event()
    run = Race(hears("one", speaks), Lap(ALIVE, InternalError("it broke")), after_s=0.0)
    task = asyncio.create_task(run.run())
    await until(lambda: bool(run.fallen))
    speaks.set()
    assert texts(await task) == ["", "one", "!", "one!"] and run.winners == [0] and run.starts == 1
    assert run.fallen == [(1, "internal")] and run.stopped == []
    run.check_nothing_is_left()


async def test_a_first_that_fails_after_the_second_has_started_leaves_it_the_field() -> None:
    breaks, speaks = asyncio.Event(), asyncio.Event()
    run = Race(Lap(breaks, InternalError("it broke")), Lap(ALIVE, speaks, Chunk("two"), said(SECOND)), after_s=0.0)
    assert await anext(run.pieces) is ALIVE
    breaks.set()
    await ticks()
    speaks.set()
    assert texts(await run.run()) == ["two", "fine"] and run.winners == [1] and run.starts == 1
    assert run.fallen == [(0, "internal")] and run.stopped == []
    run.check_nothing_is_left()


@pytest.mark.parametrize(("first", "second", "last"), [(1, 20, 1), (20, 1, 0)])
async def test_where_both_fail_the_error_of_the_last_is_raised_and_the_other_told(
    first: int, second: int, last: int
) -> None:
    run = Race(Lap(first, UnreachableError("gone")), Lap(second, InternalError("it broke")), after_s=0.0)
    with pytest.raises((UnreachableError, InternalError)[last]):
        await run.run()
    assert run.winners == [last] and run.starts == 1
    assert run.fallen == [(1 - last, ("internal", "unreachable")[last])]
    run.check_nothing_is_left()


async def test_where_both_fail_in_one_moment_each_is_told_once() -> None:
    both = asyncio.Event()
    run = Race(Lap(both, UnreachableError("gone")), Lap(ALIVE, both, InternalError("it broke")), after_s=0.0)
    assert await anext(run.pieces) is ALIVE
    both.set()
    with pytest.raises(InternalError):
        await run.run()
    assert run.fallen == [(0, "unreachable")] and run.winners == [1]
    run.check_nothing_is_left()


@pytest.mark.parametrize("after_s", [0.0, NEVER_S])
async def test_where_nobody_can_run_beside_it_the_first_runs_alone(after_s: float) -> None:
    run = Race(hears("one", 20), None, after_s=after_s)
    assert texts(await run.run()) == ["one", "!", "one!"]
    failing = Race(Lap(20, InternalError("it broke")), None, after_s=after_s)
    with pytest.raises(InternalError):
        await failing.run()
    assert failing.starts == (after_s == 0.0) and failing.winners == [0]
    failing.check_nothing_is_left()


@pytest.mark.parametrize("late", [True, False])
async def test_a_winner_that_breaks_off_is_not_replaced(late: bool) -> None:
    breaks = Lap(Chunk("o"), InternalError("it broke"))
    run = Race(Lap(asyncio.Event()), breaks, after_s=0.0) if late else Race(breaks, hears("two"))
    got = []
    with pytest.raises(InternalError):
        async for piece in run.pieces:
            got.append(piece.text)  # noqa: PERF401 - what came before the error counts
    assert got == ["o"]
    run.check_nothing_is_left()


@pytest.mark.parametrize("second", [True, False])
async def test_an_error_that_no_provider_should_raise_comes_through_and_stops_both(second: bool) -> None:
    bug, waits = Lap(1, KeyError("a bug")), Lap(asyncio.Event())
    run = Race(waits, bug, after_s=0.0) if second else Race(bug, waits, after_s=0.0)
    with pytest.raises(KeyError):
        await run.run()
    run.check_nothing_is_left()


async def test_two_such_errors_in_one_moment_are_both_taken() -> None:
    both = asyncio.Event()
    run = Race(Lap(both, KeyError("a bug")), Lap(ALIVE, both, ValueError("another")), after_s=0.0)
    assert await anext(run.pieces) is ALIVE
    both.set()
    with pytest.raises(KeyError):
        await run.run()
    run.check_nothing_is_left()


async def test_a_second_that_cannot_even_be_asked_does_not_fail_the_first() -> None:
    speaks = asyncio.Event()
    run = Race(hears("one", ALIVE, speaks), None, after_s=0.0)

    def second() -> None:
        speaks.set()
        raise UnreachableError("its provider is not configured any more")

    run.second = second  # type: ignore[method-assign]
    assert texts(await run.run()) == ["", "one", "!", "one!"]
    run.check_nothing_is_left()


async def test_a_runner_that_does_not_close_well_does_not_keep_the_other_open() -> None:
    stuck = Lap(ALIVE, asyncio.Event(), close_fails=ValueError("not closed"))
    run = Race(stuck, Lap(ALIVE, asyncio.Event()), after_s=0.0)
    assert await anext(run.pieces) is ALIVE and await anext(run.pieces) is ALIVE
    await ticks()
    with suppress(ValueError):
        await run.pieces.aclose()
    run.check_nothing_is_left()


async def test_a_loser_that_fails_as_it_closes_does_not_fail_the_winner() -> None:
    run = Race(Lap(asyncio.Event(), close_fails=InternalError("reset")), hears("two"), after_s=0.0)
    assert texts(await run.run()) == ["two", "!", "two!"]
    run.check_nothing_is_left()


# Leaving


async def test_closing_before_the_first_piece_is_asked_for_starts_nobody() -> None:
    run = Race(hears("one"), hears("two"))
    await run.pieces.aclose()
    assert not run.first.begun and run.starts == 0


@pytest.mark.parametrize("pieces", [1, 2, 3])
async def test_closing_stops_both(pieces: int) -> None:
    run = Race(Lap(ALIVE, asyncio.Event()), Lap(ALIVE, Chunk("two"), Chunk("!"), asyncio.Event()), after_s=0.0)
    for _ in range(pieces):
        await anext(run.pieces)
    await run.pieces.aclose()
    run.check_nothing_is_left()
    assert run.first.ended


SCENES: dict[str, Callable[[], Race]] = {
    "the first runs": lambda: Race(Lap(3, ALIVE, 3, Chunk("a"), 3, Chunk("b"), 3, said(FIRST)), hears("two")),
    "the second overtakes": lambda: Race(
        Lap(ALIVE, asyncio.Event()), Lap(3, ALIVE, 3, Chunk("a"), 3, said(SECOND)), 0.0
    ),
    "both wait": lambda: Race(Lap(ALIVE, asyncio.Event()), Lap(ALIVE, asyncio.Event()), 0.0),
    "the first fails": lambda: Race(Lap(2, InternalError("x")), Lap(3, Chunk("a"), 3, said(SECOND))),
    "both fail": lambda: Race(Lap(2, InternalError("x")), Lap(3, InternalError("y"))),
}


@pytest.mark.parametrize("scene", SCENES)
async def test_a_caller_who_is_cancelled_at_any_moment_leaves_nothing_behind(scene: str) -> None:
    for turns in range(60):
        run = SCENES[scene]()
        task = asyncio.create_task(run.run())
        await ticks(turns)
        task.cancel()
        with suppress(asyncio.CancelledError, ProviderError):
            await task
        run.check_nothing_is_left()


@pytest.mark.parametrize("scene", ["the second overtakes", "both wait"])
async def test_a_caller_who_is_cancelled_twice_leaves_nothing_behind(scene: str) -> None:
    for turns in range(40):
        for again in range(4):
            run = SCENES[scene]()
            task = asyncio.create_task(run.run())
            await ticks(turns)
            task.cancel()
            await ticks(again)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await ticks()
            run.check_nothing_is_left()


# Whatever happens

moves = st.lists(st.sampled_from(["progress", "wait", "speak", "fail", "bug", "end"]), min_size=1, max_size=4)


def lap(kinds: Sequence[str], name: str) -> Lap:
    made: dict[str, Step] = {
        "progress": ALIVE,
        "wait": 2,
        "speak": Chunk(name),
        "fail": InternalError(name),
        "bug": KeyError(name),
        "end": said(name),
    }
    return Lap(*(made[kind] for kind in kinds), said(name))


@given(first=moves, second=st.none() | moves, late=st.booleans(), leaves=st.none() | st.integers(0, 6))
def test_pieces_come_from_one_runner_and_nothing_is_left(
    first: list[str], second: list[str] | None, late: bool, leaves: int | None
) -> None:
    async def play() -> None:
        run = Race(lap(first, FIRST), lap(second, SECOND) if second else None, 0.0 if late else NEVER_S)
        got: list[Chunk | Answer] = []
        error: BaseException | None = None
        try:
            async with aclosing(run.pieces) as pieces:
                async for piece in pieces:
                    got.append(piece)
                    if len(got) == leaves:
                        break
        except (ProviderError, KeyError) as caught:
            error = caught
        run.check_nothing_is_left()
        written = [piece for piece in got if isinstance(piece, Answer) or piece.has_content]
        names = {piece.candidate if isinstance(piece, Answer) else piece.text for piece in written}
        assert len(names) <= 1 and len(run.winners) == bool(written or isinstance(error, ProviderError))
        assert not written or names == {(FIRST, SECOND)[run.winners[0]]}
        assert not set(run.winners) & {*run.stopped, *(at for at, _ in run.fallen)}
        if error is None and leaves is None:
            assert isinstance(got[-1], Answer) or "end" in first + (second or [])
        if not second and isinstance(error, ProviderError):
            assert error.args[0] == FIRST

    asyncio.run(play())


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not done():
            await asyncio.sleep(0)


# When the first is late

ENTRY = Ranked("a/1", 0.8, 9.0, None, 0.8, ExpectedSeconds(load_s=2.0, queue_s=3.0, prefill_s=1.0, decode_s=3.0))


def test_before_anything_was_measured_twice_the_expected_first_token_is_late() -> None:
    assert late_s(ENTRY, Speeds(), 0.95) == pytest.approx(2.0 + 3.0 + 2 * 1.0)


def test_where_nobody_knows_the_parts_twice_the_whole_is_late() -> None:
    assert late_s(replace(ENTRY, expected=None), Speeds(), 0.95) == 18.0


@pytest.mark.parametrize(("quantile", "factor"), [(0.5, 1.0), (0.95, 4.0), (0.999, 4.0 ** (3.0902 / 1.6449))])
def test_measured_spread_says_how_late_is_late(quantile: float, factor: float) -> None:
    speeds = Speeds(first_token_s=0.5, first_token_p95_s=2.0)
    assert late_s(ENTRY, speeds, quantile) == pytest.approx(2.0 + 3.0 + factor, rel=1e-3)


def test_a_spread_below_none_does_not_make_anybody_late_before_the_expected() -> None:
    assert late_s(ENTRY, Speeds(first_token_s=2.0, first_token_p95_s=0.5), 0.95) == pytest.approx(6.0)
