"""Every fault of the emulators against every adapter: the right error, in time, nothing left behind, no text lost."""

from __future__ import annotations

import pytest
from benchmarks.fault_trials import (
    ANSWER,
    KEEPS_TEXT,
    KEY_VARIABLE,
    KINDS,
    SLACK_S,
    Trial,
    expected,
    limits,
    run_trial,
)

from turnout.emulators.faults import Fault, FaultName

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "a-key-of-the-tests")


def fault_of(name: FaultName) -> Fault:
    return Fault(name, seconds=0.05 if name is FaultName.SLOW_FIRST_BYTE else 1.0)


def check(kind: str, trial: Trial, name: FaultName, *, streamed: bool) -> None:
    assert trial.outcome in expected(kind, name, streamed=streamed)
    assert trial.seconds < limits(fault_of(name)).total_s + SLACK_S
    assert trial.is_clean
    assert len(trial.attempts) == 1
    assert trial.attempts[0].error == ("" if trial.outcome == ANSWER else trial.outcome)
    if streamed and name in KEEPS_TEXT:
        assert trial.text


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FaultName)
async def test_a_streamed_answer_meets_each_fault(kind: str, name: FaultName) -> None:
    check(kind, await run_trial(kind, fault_of(name), streamed=True), name, streamed=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FaultName)
async def test_an_answer_in_one_piece_meets_each_fault(kind: str, name: FaultName) -> None:
    check(kind, await run_trial(kind, fault_of(name), streamed=False), name, streamed=False)


@pytest.mark.parametrize("kind", KINDS)
async def test_without_a_fault_the_answer_is_the_same_streamed_and_whole(kind: str) -> None:
    streamed = await run_trial(kind, None, streamed=True)
    whole = await run_trial(kind, None, streamed=False)
    assert streamed.outcome == whole.outcome == ANSWER
    assert streamed.text == whole.text != ""


@pytest.mark.parametrize("kind", KINDS)
async def test_a_busy_provider_says_when_to_come_back(kind: str) -> None:
    trial = await run_trial(kind, Fault(FaultName.BUSY_429, seconds=7), streamed=True)
    assert trial.retry_after_s == pytest.approx(7)


@pytest.mark.parametrize("kind", KINDS)
async def test_the_other_transport_meets_the_same_fate(kind: str) -> None:
    for name in (FaultName.RESET_BEFORE_HEADERS, FaultName.RESET_MID_STREAM, FaultName.TRUNCATED_BODY, FaultName.HANG):
        check(kind, await run_trial(kind, fault_of(name), streamed=True, transport="httpx"), name, streamed=True)
