"""What was counted, told to another process: nothing is lost on the way, and two halves add up to the whole."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.execution.test_metrics import Clock, answer, served, tried

from turnout.execution.histogram import Histogram
from turnout.execution.metrics import Metrics
from turnout.execution.served import Served
from turnout.execution.tallies import CandidateTally, Tally
from turnout.execution.windows import Windows

SECONDS = st.floats(0, 20_000, allow_nan=False)
NAMES = st.sampled_from(["lmstudio/small", "ollama/large", "cloud/huge"])
ROLES = st.sampled_from(["first", "fallback", "escalation", "race"])
REQUESTS = st.one_of(
    st.builds(
        lambda name, role, seconds, sure, cached: served(
            tried(name, role, said=answer(name), confidence=sure, total_s=seconds),
            total_s=seconds,
            cached=cached,
            confidence=sure,
        ),
        NAMES,
        ROLES,
        SECONDS,
        st.floats(0, 1),
        st.sampled_from(["", "", "exact", "semantic"]),
    ),
    st.builds(
        lambda name, error: served(tried(name, error=error), error=error), NAMES, st.sampled_from(["busy", "cancelled"])
    ),
)
OPINIONS = st.tuples(st.sampled_from(["good", "bad", "score"]), st.none() | st.floats(0, 1), st.just("") | NAMES)
EVENTS = st.lists(REQUESTS | OPINIONS, max_size=12)


def counted(events: list[Served | tuple[str, float | None, str]]) -> Tally:
    tally = Tally()
    for event in events:
        tally.served(event) if isinstance(event, Served) else tally.rated(*event)
    return tally


def passed_on(tally: Tally) -> Tally:
    return Tally.of_json(json.loads(json.dumps(tally.to_json())))


@given(EVENTS)
def test_counters_come_out_of_json_as_they_went_in(events: list[Any]) -> None:
    tally = counted(events)
    assert passed_on(tally).to_json() == tally.to_json()
    for name, candidate in tally.candidates.items():
        assert CandidateTally.of_json(candidate.to_json()).to_json() == candidate.to_json(), name


@given(EVENTS, EVENTS)
def test_what_two_counted_adds_up_to_what_one_would_have(mine: list[Any], others: list[Any]) -> None:
    together = counted(mine)
    together.merge(passed_on(counted(others)))
    alone = counted([*mine, *others])
    assert rounded(together.to_json()) == rounded(alone.to_json())
    assert together.response.quantile(0.95) == alone.response.quantile(0.95)


def rounded(value: Any) -> Any:
    """Sums of floats depend on their order in the last digit."""
    if isinstance(value, dict):
        return {name: rounded(entry) for name, entry in value.items()}
    return round(value, 6) if isinstance(value, float) else value


def test_windows_tell_the_same_figures_after_a_journey() -> None:
    clock = Clock()
    metrics = Metrics(clock)
    for _ in range(3):
        metrics.served(served(tried("ollama/large", said=answer("ollama/large"), confidence=0.8)))
        clock.now_s += 40
    windows = metrics.windows()
    again = Windows.of_json(json.loads(json.dumps(windows.to_json())))
    assert again.figures() == windows.figures() == metrics.snapshot()
    both = windows.with_other(again).figures()
    assert both.total.requests == 2 * windows.figures().total.requests == 6
    assert both.minute.requests == 2 * windows.figures().minute.requests
    assert both.total.seconds == windows.total.seconds
    assert windows.figures() == metrics.snapshot(), "adding up changes neither side"


@pytest.mark.parametrize(
    "told",
    [
        None,
        7,
        [],
        {"requests": "many"},
        {"requests": float("nan")},
        {"requests": True},
        {"failures": 3},
        {"failures": {"busy": "x"}},
        {"response": {}},
        {"response": {"sum_s": 1.0, "buckets": [[1]]}},
        {"response": {"sum_s": 1.0, "buckets": [[99_999, 1]]}},
        {"response": {"sum_s": float("inf"), "buckets": []}},
        {"candidates": 3},
        {"candidates": {"a/b": 3}},
    ],
)
def test_what_are_no_counters_is_refused(told: Any) -> None:
    with pytest.raises(ValueError, match="no "):
        Tally.of_json(told)


@pytest.mark.parametrize("told", [None, {}, {"minute": {}}, {"minute": {"seconds": "x"}}])
def test_what_are_no_windows_is_refused(told: Any) -> None:
    with pytest.raises(ValueError, match="no window"):
        Windows.of_json(told)


def test_an_empty_histogram_comes_back_empty() -> None:
    again = Histogram.of_json(Histogram().to_json())
    assert (again.count, again.sum_s, again.quantile(0.5)) == (0, 0.0, None)
