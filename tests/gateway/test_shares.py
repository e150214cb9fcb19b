"""Adding up what several workers say: shares and timelines."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.execution.test_metrics import answer, served, tried

from turnout.execution.metrics import Metrics
from turnout.execution.served import Served
from turnout.gateway.recent import Recent
from turnout.gateway.shares import AtWork, Share
from turnout.gateway.together import added_up

LARGE = "ollama/large"


def share(requests: int = 1, **candidates: AtWork) -> Share:
    metrics = Metrics()
    for _ in range(requests):
        metrics.served(served(tried(LARGE, said=answer(LARGE), confidence=0.8)))
    history = {"recorded": 2 * requests, "committed": requests, "waiting": 3}
    return Share(windows=metrics.windows(), history=history, reloads=requests, candidates=candidates)


def test_a_share_comes_out_of_json_as_it_went_in() -> None:
    told = share(2, **{LARGE: AtWork(1, 2, "half_open")})
    again = Share.of_json(json.loads(json.dumps(told.to_json())))
    assert again.to_json() == told.to_json()


def test_shares_add_up_and_the_worse_breaker_counts() -> None:
    both = share(2, **{LARGE: AtWork(1, 2, "half_open")}).with_other(share(3, **{LARGE: AtWork(4, 0, "open")}))
    assert both.windows.total.tally.requests == 5
    assert both.history == {"recorded": 10, "committed": 5, "waiting": 6}
    assert both.reloads == 3, "all follow the same file"
    assert both.candidates == {LARGE: AtWork(5, 2, "open")}


def test_of_the_dead_only_what_was_counted_stays() -> None:
    past = share(2, **{LARGE: AtWork(1, 2, "open")}).past
    assert past.windows.total.tally.requests == 2
    assert past.windows.minute.tally.requests == past.windows.hour.tally.requests == 0
    assert past.history == {"recorded": 4, "committed": 2}
    assert past.candidates == {}


@pytest.mark.parametrize(
    "change", [{"windows": None}, {"history": 3}, {"reloads": "x"}, {"candidates": {"a": {}}}, {"candidates": {"a": 1}}]
)
def test_what_is_no_share_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Share.of_json({**share().to_json(), **change})
    with pytest.raises(ValueError):
        Share.of_json({**share().to_json(), "candidates": {"a": {"running": 1, "waiting": 1, "breaker": "ajar"}}})


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 200),
        st.integers(0, 2),
        st.builds(
            lambda seconds, sure: served(
                tried(LARGE, said=answer(LARGE), confidence=sure), total_s=seconds, confidence=sure
            ),
            st.floats(0, 9),
            st.floats(0, 1),
        )
        | st.just(served(tried(LARGE, error="busy"), error="busy")),
    ),
    max_size=15,
)


@given(EVENTS)
def test_timelines_of_several_are_that_of_one_who_heard_all(events: list[tuple[int, int, Served]]) -> None:
    now = [0.0]
    alone, *workers = (Recent(keep_prompts=False, wall=lambda: now[0]) for _ in range(4))
    for after_s, number, news in sorted(events, key=lambda event: event[0]):
        now[0] = 1_000_000.0 + after_s
        alone.served(news)
        workers[number].served(news)
        alone.rated(news.id, "good")
        workers[number].rated(news.id, "good")
    whole = alone.timeline()["timeline"]
    pieces = added_up([worker.timeline()["timeline"] for worker in workers])
    assert [_rounded(piece) for piece in pieces] == [_rounded(piece) for piece in whole]


def _rounded(piece: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in piece.items()}
