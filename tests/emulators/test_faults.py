"""Faults by name: how they are read, whom they strike and how often."""

from __future__ import annotations

from typing import Any

import pytest

from turnout.emulators.faults import Fault, FaultName, FaultPlan
from turnout.errors import ConfigurationError


def test_a_fault_is_a_name_and_perhaps_a_rate() -> None:
    assert Fault.parse("hang") == Fault(FaultName.HANG)
    assert Fault.parse("error_500:0.25") == Fault(FaultName.ERROR_500, rate=0.25)


@pytest.mark.parametrize("text", ["hangs", "", "hang:often", "hang:1.5", "hang:-0.1", "hang:nan", "hangs:1"])
def test_what_is_no_fault_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        Fault.parse(text)


def test_a_refusal_names_the_valid_faults() -> None:
    with pytest.raises(ConfigurationError, match=r"'hangs'; valid are refused, hang, .*error_with_200"):
        Fault.parse("hangs")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"name": "hang", "probability": 1}, "no probability"),
        ({"rate": 1}, "object with 'name'"),
        ({"name": "hang", "rate": "1"}, "rate is '1'"),
        ({"name": "hang", "count": -1}, "count is -1"),
        ({"name": "hang", "after": True}, "after is True"),
        (7, "a fault is a name"),
    ],
)
def test_wrong_json_is_refused_with_the_reason(entry: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        FaultPlan.read(entry)


def test_json_comes_back_as_it_was() -> None:
    entries = [{"name": "hang", "rate": 0.5, "count": 2, "path": "/api", "model": "m", "after": 1, "seconds": 3.0}]
    plan = FaultPlan(FaultPlan.read(entries))
    assert plan.to_json() == entries
    assert FaultPlan.read("hang") == [Fault(FaultName.HANG)]


def test_a_count_runs_out() -> None:
    plan = FaultPlan([Fault(FaultName.HANG, count=2)])
    assert [len(plan.strike("/")) for _ in range(4)] == [1, 1, 0, 0]
    assert plan.struck == {"hang": 2} and plan.to_json()[0]["count"] == 0


def test_path_and_model_choose_whom_a_fault_strikes() -> None:
    plan = FaultPlan([Fault(FaultName.HANG, path="/api/", model="m", count=1)])
    assert not plan.strike("/v1/models", "m")
    assert not plan.strike("/api/chat", "other")
    assert not plan.strike("/api/chat")
    assert plan.strike("/api/chat", "m")


def test_a_rate_is_the_share_that_is_struck_and_a_seed_repeats_it() -> None:
    def struck(seed: int) -> list[bool]:
        plan = FaultPlan([Fault(FaultName.ERROR_500, rate=0.3)], seed)
        return [bool(plan.strike("/")) for _ in range(1000)]

    assert sum(struck(1)) / 1000 == pytest.approx(0.3, abs=0.05)
    assert struck(1) == struck(1) != struck(2)
    assert not any(FaultPlan([Fault(FaultName.HANG, rate=0)]).strike("/") for _ in range(50))


def test_listings_do_not_use_up_faults_that_need_an_answer() -> None:
    plan = FaultPlan([Fault(FaultName.EMPTY_ANSWER, count=1)])
    assert not plan.strike("/v1/models")
    assert plan.strike("/v1/chat/completions", "m")


def test_several_faults_may_strike_one_request_until_they_are_cleared() -> None:
    plan = FaultPlan([Fault(FaultName.SLOW_FIRST_BYTE), Fault(FaultName.SPLIT_UTF8)])
    assert [fault.name for fault in plan.strike("/")] == ["slow_first_byte", "split_utf8"]
    plan.clear()
    assert not plan.strike("/") and plan.struck == {"slow_first_byte": 1, "split_utf8": 1}
