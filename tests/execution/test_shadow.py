"""The challenger in the shadow: compared after the answer, counted by candidate, never in anybody's way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import pytest
from tests.execution.fakes import decided, ranked

from turnout.errors import NoCandidateError
from turnout.execution import shadow
from turnout.execution.asked import Asked
from turnout.execution.metrics import Metrics
from turnout.execution.served import Served
from turnout.execution.shadow import MOST_WAITING, Shadow

pytestmark = pytest.mark.anyio

FAST, STRONG = "lmstudio/small", "ollama/large"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
async def beside(metrics: Metrics, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shadow]:
    monkeypatch.setattr(shadow, "DELAY_S", 0.0)
    made = Shadow(metrics)
    task = asyncio.create_task(made.run())
    yield made
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def news(compare: Callable[[], tuple[str, str]] | None) -> Served:
    decision = decided(ranked(FAST), ranked(STRONG), shadow=compare)
    return Served(id="1", asked=Asked.of("hello"), started_at=0.0, total_s=1.0, decision=decision)


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not done():
            await asyncio.sleep(0)


async def test_agreement_is_counted_by_the_candidate_that_the_challenger_would_choose(
    beside: Shadow, metrics: Metrics
) -> None:
    for rival in (FAST, FAST, STRONG):
        beside.served(news(lambda rival=rival: (FAST, rival)))  # type: ignore[misc]
    await until(lambda: metrics.snapshot().hour.compared == 3)
    hour = metrics.snapshot().hour
    assert hour.agreed_share == pytest.approx(2 / 3)
    assert (hour.candidates[FAST].compared, hour.candidates[FAST].agreed) == (2, 2)
    assert (hour.candidates[STRONG].compared, hour.candidates[STRONG].agreed) == (1, 0)


async def test_nothing_is_computed_while_the_request_is_served(beside: Shadow) -> None:
    calls = []
    beside.served(news(lambda: calls.append(1) or (FAST, FAST)))  # type: ignore[func-returns-value]
    assert not calls
    await until(lambda: bool(calls))


async def test_a_comparison_that_fails_stops_none_of_the_others(
    beside: Shadow, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    def nobody() -> tuple[str, str]:
        raise NoCandidateError({FAST: "forbidden"})

    def defect() -> tuple[str, str]:
        raise ZeroDivisionError

    for compare in (nobody, defect, lambda: (FAST, FAST)):
        beside.served(news(compare))
    await until(lambda: metrics.snapshot().hour.compared == 1)
    assert caplog.text.count("could not be compared") == 1


async def test_requests_without_a_challenger_or_a_decision_are_nothing_to_it(beside: Shadow, metrics: Metrics) -> None:
    beside.served(news(None))
    beside.served(Served(id="2", asked=Asked.of("hello"), started_at=0.0, total_s=1.0))
    await asyncio.sleep(0.01)
    assert metrics.snapshot().hour.agreed_share is None


async def test_under_more_load_than_it_can_take_the_oldest_are_forgotten(beside: Shadow, metrics: Metrics) -> None:
    for _ in range(MOST_WAITING + 500):
        beside.served(news(lambda: (FAST, FAST)))
    await until(lambda: metrics.snapshot().hour.compared == MOST_WAITING)
