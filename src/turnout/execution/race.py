"""Two candidates for one answer: the second starts when the first is late, the first to speak wins, the other is stopped."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncGenerator
from statistics import NormalDist
from typing import Protocol, TypeAlias

from turnout.errors import ProviderError
from turnout.types import Answer, Chunk, Ranked, Speeds

logger = logging.getLogger(__name__)

Pieces: TypeAlias = AsyncGenerator[Chunk | Answer, None]


class Track(Protocol):
    """Where a race is run: gives the second runner, and hears of both. Runners are 0 and 1."""

    def second(self) -> Pieces | None:
        """The other runner, started because the first is late; None where nobody can."""
        ...

    def speaks(self, at: int) -> None:
        """This one won, or is the last one left and failed."""
        ...

    def fell(self, at: int, error: ProviderError) -> None:
        """This one failed while the other runs on."""
        ...

    def overtaken(self, at: int) -> None:
        """This one was stopped because the other won."""
        ...


async def race(first: Pieces, track: Track, *, after_s: float) -> Pieces:
    """Pieces of whoever speaks first. Progress before that is passed on; closing stops both.

    Args:
        first: the runner that starts now. If it fails before it is late, there is no race.
        track: gives the second runner and hears of both.
        after_s: seconds to wait for the first content.

    Raises:
        ProviderError: that of the runner who failed last.
    """
    runners: list[Pieces] = [first]
    steps: dict[asyncio.Task[Chunk | Answer], int] = {asyncio.ensure_future(anext(first)): 0}
    loop = asyncio.get_running_loop()
    late_at_s: float | None = loop.time() + after_s
    try:
        while True:
            wait_s = None if late_at_s is None else max(0.0, late_at_s - loop.time())
            done, _ = await asyncio.wait(steps, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                late_at_s = None
                if (second := _second(track)) is not None:
                    runners.append(second)
                    steps[asyncio.ensure_future(anext(second))] = 1
                continue
            for task in sorted(done, key=steps.__getitem__):
                at = steps.pop(task)
                try:
                    piece = task.result()
                except ProviderError as error:
                    if not steps:
                        track.speaks(at)
                        raise
                    track.fell(at, error)
                    continue
                if isinstance(piece, Chunk) and not piece.has_content:
                    yield piece
                    steps[asyncio.ensure_future(anext(runners[at]))] = at
                    continue
                track.speaks(at)
                losers = list(steps.values())
                await _stop(steps, [runners[other] for other in losers])
                steps = {}
                for other in losers:
                    track.overtaken(other)
                yield piece
                async for rest in runners[at]:
                    yield rest
                return
    finally:
        await _stop(steps, runners)


def late_s(entry: Ranked, speeds: Speeds, quantile: float) -> float:
    """Seconds after which the first content is later than this quantile of what is expected.

    Load and queue as expected; the first token's own time spread as it was measured, were its logarithms normal.
    """
    expected = entry.expected
    if expected is None:
        return (entry.expected_s or 0.0) * 2
    first_s = expected.prefill_s
    if speeds.first_token_s and speeds.first_token_p95_s:
        spread = math.log(speeds.first_token_p95_s / speeds.first_token_s) / NormalDist().inv_cdf(0.95)
        first_s *= math.exp(max(0.0, spread) * NormalDist().inv_cdf(quantile))
    else:
        first_s *= 2
    return expected.load_s + expected.queue_s + first_s


def _second(track: Track) -> Pieces | None:
    try:
        return track.second()
    except ProviderError as error:
        logger.warning("the second of a race cannot be asked: %s", error)
        return None


async def _stop(steps: dict[asyncio.Task[Chunk | Answer], int], runners: list[Pieces]) -> None:
    """Cancel what runs and close every stream, so that the work upstream ends."""
    for task in steps:
        task.cancel()
    await asyncio.gather(*steps, return_exceptions=True)
    await asyncio.gather(*(runner.aclose() for runner in runners), return_exceptions=True)
