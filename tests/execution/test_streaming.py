"""A streamed answer in its caller's hands: pieces, the completion at the end, leaving early."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable

import pytest
from tests.execution.fakes import said
from tests.providers.fakes import ticks

from turnout.errors import BrokenAnswerError, InternalError
from turnout.execution.streaming import Streaming
from turnout.types import Chunk, Completion, Progress

pytestmark = pytest.mark.anyio

DONE = Completion(id="d1", answer=said("a/1", "hello"), decision=None, confidence=0.9, reason="the best")
ALIVE = Chunk(progress=Progress("load", 0.5))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Source:
    """Pieces to be streamed, and whether whoever makes them has ended."""

    def __init__(self, *steps: Chunk | Completion | BaseException | asyncio.Event) -> None:
        self.steps = steps
        self.begun = self.ended = False

    async def pieces(self) -> AsyncGenerator[Chunk | Completion, None]:
        self.begun = True
        try:
            for step in self.steps:
                if isinstance(step, BaseException):
                    raise step
                if isinstance(step, asyncio.Event):
                    await step.wait()
                else:
                    yield step
        finally:
            await asyncio.sleep(0)
            self.ended = True


async def texts(streaming: Streaming) -> list[str]:
    return [chunk.text async for chunk in streaming]


async def test_the_pieces_are_chunks_and_the_completion_is_there_at_the_end() -> None:
    source = Source(ALIVE, Chunk("he"), Chunk("llo"), DONE)
    async with Streaming(source.pieces()) as streaming:
        assert await texts(streaming) == ["", "he", "llo"]
        assert streaming.completion is DONE
    assert source.ended


async def test_an_answer_without_pieces_has_a_completion_all_the_same() -> None:
    streaming = Streaming(Source(DONE).pieces())
    assert await texts(streaming) == [] and streaming.completion is DONE


@pytest.mark.parametrize("pieces", [0, 1, 2])
async def test_before_the_end_there_is_no_completion(pieces: int) -> None:
    async with Streaming(Source(Chunk("he"), Chunk("llo"), DONE).pieces()) as streaming:
        for _ in range(pieces):
            await anext(streaming)
        with pytest.raises(ValueError, match="when the stream has ended"):
            _ = streaming.completion


async def test_after_the_end_there_are_no_more_pieces() -> None:
    streaming = Streaming(Source(Chunk("a"), DONE).pieces())
    await texts(streaming)
    assert await texts(streaming) == [] and streaming.completion is DONE
    with pytest.raises(StopAsyncIteration):
        await anext(streaming)


async def test_iterating_can_go_on_where_it_was_left() -> None:
    streaming = Streaming(Source(Chunk("a"), Chunk("b"), DONE).pieces())
    async for chunk in streaming:
        assert chunk.text == "a"
        break
    assert await texts(streaming) == ["b"] and streaming.completion is DONE


async def test_leaving_the_block_stops_whoever_speaks() -> None:
    source = Source(Chunk("a"), asyncio.Event())
    async with Streaming(source.pieces()) as streaming:
        await anext(streaming)
        assert not source.ended
    assert source.ended


async def test_leaving_the_block_by_an_error_stops_whoever_speaks() -> None:
    source = Source(Chunk("a"), asyncio.Event())
    with pytest.raises(KeyError):
        async with Streaming(source.pieces()) as streaming:
            await anext(streaming)
            raise KeyError("of the caller")
    assert source.ended


async def test_closing_twice_or_after_the_end_is_no_error() -> None:
    streaming = Streaming(Source(Chunk("a"), DONE).pieces())
    await texts(streaming)
    await streaming.aclose()
    await streaming.aclose()
    assert streaming.completion is DONE


async def test_a_closed_stream_has_no_more_pieces() -> None:
    streaming = Streaming(Source(Chunk("a"), Chunk("b"), DONE).pieces())
    await anext(streaming)
    await streaming.aclose()
    assert await texts(streaming) == []
    with pytest.raises(ValueError, match="when the stream has ended"):
        _ = streaming.completion


async def test_closing_before_the_first_piece_starts_nobody() -> None:
    source = Source(DONE)
    await Streaming(source.pieces()).aclose()
    assert not source.begun


async def test_an_error_comes_to_the_caller_and_ends_the_stream() -> None:
    error = BrokenAnswerError(InternalError("it broke"), partial_text="a")
    source = Source(Chunk("a"), error)
    streaming = Streaming(source.pieces())
    got = []
    with pytest.raises(BrokenAnswerError) as caught:
        async for chunk in streaming:
            got.append(chunk.text)  # noqa: PERF401 - what came before the error counts
    assert got == ["a"] and caught.value is error and source.ended
    assert await texts(streaming) == []


async def test_a_cancelled_reader_stops_whoever_speaks() -> None:
    source = Source(Chunk("a"), asyncio.Event())
    streaming = Streaming(source.pieces())
    task = asyncio.create_task(texts(streaming))
    await ticks()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert source.ended


async def test_a_reader_that_lets_go_without_closing_stops_whoever_speaks_soon() -> None:
    source = Source(Chunk("a"), asyncio.Event())

    async def first() -> str:
        async for chunk in Streaming(source.pieces()):
            return chunk.text
        return ""

    assert await first() == "a"
    await until(lambda: source.ended)


async def test_closing_while_another_task_reads_stops_whoever_speaks() -> None:
    source = Source(Chunk("a"), asyncio.Event())
    streaming = Streaming(source.pieces())
    task = asyncio.create_task(texts(streaming))
    await ticks()
    try:
        await streaming.aclose()
        assert source.ended
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not done():
            await asyncio.sleep(0)
