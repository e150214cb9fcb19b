"""Metrics: every request counted once, in windows that slide, with quantiles that are close enough."""

from __future__ import annotations

import json
import math
import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.execution.fakes import decided, ranked

from turnout.execution.asked import Asked
from turnout.execution.histogram import LONGEST_S, SHORTEST_S, Histogram
from turnout.execution.metrics import Metrics
from turnout.execution.served import Served
from turnout.execution.tallies import MOST_NAMES, OTHERS
from turnout.types import Answer, Attempt, CachedBy, Completion, Role, Tried, Usage

ASKED = Asked.of("why does this lock?")
SMALL, LARGE = "lmstudio/small", "ollama/large"


class Clock:
    """A monotonic clock that moves when told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def answer(candidate: str, text: str = "because", tokens: int = 40) -> Answer:
    return Answer(candidate, candidate, text, usage=Usage(prompt_tokens=100, completion_tokens=tokens))


def attempt(candidate: str, *, error: str = "", **measured: Any) -> Attempt:
    usage = Usage() if error else Usage(prompt_tokens=100, completion_tokens=40)
    return Attempt(candidate=candidate, started_at=0.0, usage=usage, error=error, **measured)


def tried(
    candidate: str,
    role: Role = "first",
    *,
    said: Answer | None = None,
    error: str = "",
    confidence: float | None = None,
    calls: int = 1,
    total_s: float = 2.0,
) -> Tried:
    failures = [attempt(candidate, error="busy") for _ in range(calls - 1)]
    last = attempt(candidate, error=error, first_token_s=0.3, tokens_per_s=20.0)
    return Tried(
        candidate=candidate,
        role=role,
        attempts=(*failures, last),
        answer=said,
        error=error,
        confidence=confidence,
        total_s=total_s,
    )


def served(
    *attempts: Tried,
    total_s: float = 2.0,
    first_token_s: float | None = 0.3,
    cached: CachedBy = "",
    confidence: float = 0.9,
    handed_out: Answer | None = None,
    error: str = "",
) -> Served:
    """A request that ended; the last answer is handed out unless another is named or it failed."""
    last = next((entry.answer for entry in reversed(attempts) if entry.answer is not None), None)
    completion = None
    if not error:
        completion = Completion(
            id="1",
            answer=handed_out or last or answer(SMALL),
            decision=None,
            confidence=confidence,
            reason="",
            tried=attempts,
            first_token_s=first_token_s,
            cached=cached,
        )
    return Served(
        id="1", asked=ASKED, started_at=0.0, total_s=total_s, tried=attempts, completion=completion, error=error
    )


def test_a_fresh_count_knows_nothing_and_divides_by_nothing() -> None:
    snapshot = Metrics().snapshot()
    assert snapshot.total.requests == 0
    assert snapshot.total.escalated_share is None and snapshot.total.response.p50_s is None
    json.dumps(snapshot.to_json())


def test_what_was_explored_and_what_the_challenger_decided_is_counted() -> None:
    metrics = Metrics()
    for fields in ({"decided_by": "explore"}, {"arm": "challenger"}, {}):
        decision = decided(ranked(SMALL), ranked(LARGE), **fields)
        metrics.served(replace(served(tried(SMALL, said=answer(SMALL))), decision=decision))
    total = metrics.snapshot().total
    assert (total.explored, total.canary, total.compared, total.agreed_share) == (1, 1, 0, None)
    assert (total.candidates[SMALL].explored, total.candidates[SMALL].canary) == (1, 1)


def test_an_answered_request_counts_for_its_candidate_and_provider() -> None:
    metrics = Metrics()
    metrics.served(served(tried(SMALL, said=answer(SMALL), confidence=0.8, calls=3)))
    total = metrics.snapshot().total
    figures = total.candidates[SMALL]
    assert (total.requests, total.answered, total.confidence_mean) == (1, 1, 0.9)
    assert (figures.asked, figures.calls, figures.answers, figures.chosen) == (1, 3, 1, 1)
    assert (figures.prompt_tokens, figures.completion_tokens) == (100, 40)
    assert figures.success_share == 1 and figures.confidence_mean == 0.8
    assert figures.tokens_per_s == pytest.approx(20)
    assert figures.first_token.count == 1
    assert total.providers["lmstudio"] == figures


def test_a_provider_is_the_sum_of_its_candidates() -> None:
    metrics = Metrics()
    for candidate in ("ollama/a", "ollama/b", "ollama/b"):
        metrics.served(served(tried(candidate, said=answer(candidate))))
    provider = metrics.snapshot().total.providers["ollama"]
    assert (provider.asked, provider.answers, provider.response.count) == (3, 3, 3)


def test_failures_are_told_by_code_and_a_caller_that_left_is_no_failure() -> None:
    metrics = Metrics()
    metrics.served(served(tried(SMALL, error="timeout"), error="no_answer"))
    metrics.served(served(tried(SMALL, error="timeout"), tried(LARGE, "fallback", said=answer(LARGE))))
    metrics.served(served(tried(SMALL, error="cancelled"), error="cancelled"))
    total = metrics.snapshot().total
    assert total.failures == {"no_answer": 1} and total.cancelled == 1
    assert total.candidates[SMALL].failures == {"timeout": 2}
    assert total.candidates[SMALL].success_share == 0 and total.candidates[SMALL].cancelled == 1


def test_a_fallback_that_ends_well_was_a_rescue() -> None:
    metrics = Metrics()
    failed = tried(SMALL, error="internal")
    metrics.served(served(failed, tried(LARGE, "fallback", said=answer(LARGE))))
    metrics.served(served(failed, tried(LARGE, "fallback", error="internal"), error="no_answer"))
    total = metrics.snapshot().total
    assert (total.fell_back, total.rescued) == (2, 1)


def test_an_escalation_helped_when_its_answer_was_handed_out() -> None:
    metrics = Metrics()
    first, second = answer(SMALL, "perhaps"), answer(LARGE, "surely")
    both = (tried(SMALL, said=first, confidence=0.3), tried(LARGE, "escalation", said=second, confidence=0.9))
    metrics.served(served(*both, handed_out=second))
    metrics.served(served(*both, handed_out=first))
    metrics.served(served(*both, error="cancelled"))  # nobody was answered, so nothing was answered by an escalation
    for _ in range(38):
        metrics.served(served(tried(SMALL, said=first, confidence=0.9)))
    total = metrics.snapshot().total
    assert total.escalated_share == pytest.approx(0.05) and total.helped_share == 0.5
    assert total.candidates[LARGE].answers == 3 and total.candidates[LARGE].chosen == 1


def test_the_loser_of_a_race_keeps_its_own_call() -> None:
    metrics = Metrics()
    said = answer(LARGE)
    race = Tried(
        candidate=LARGE,
        role="race",
        attempts=(attempt(SMALL, error="cancelled"), attempt(LARGE)),
        answer=said,
        total_s=1.0,
    )
    metrics.served(served(race))
    total = metrics.snapshot().total
    assert total.races_won == 1
    assert total.candidates[SMALL].calls == 1 and total.candidates[SMALL].asked == 0


def test_a_cache_is_counted_as_a_cache_and_not_as_its_candidate() -> None:
    metrics = Metrics()
    metrics.served(served(cached="exact"))
    metrics.served(served(cached="semantic"))
    metrics.served(served(tried(SMALL, said=answer(SMALL))))
    total = metrics.snapshot().total
    assert total.cached == {"exact": 1, "semantic": 1}
    assert total.cached_share == pytest.approx(2 / 3)
    assert total.candidates[SMALL].chosen == 1


def test_the_share_of_the_fast_half_is_of_answers_that_were_handed_out() -> None:
    metrics = Metrics()
    for candidate in (SMALL, SMALL, SMALL, LARGE):
        metrics.served(served(tried(candidate, said=answer(candidate))))
    assert metrics.snapshot(fast={SMALL}).total.fast_share == 0.75
    assert metrics.snapshot().total.fast_share is None


def test_feedback_counts_by_kind_and_for_its_candidate() -> None:
    metrics = Metrics()
    metrics.rated("good", candidate=SMALL)
    metrics.rated("bad", candidate=LARGE)
    metrics.rated("score", 0.25)
    metrics.rated("score", 0.75, SMALL)
    total = metrics.snapshot().total
    assert total.feedback == {"bad": 1, "good": 1, "score": 2} and total.score_mean == 0.5
    assert (total.candidates[SMALL].good, total.candidates[LARGE].bad) == (1, 1)


def test_windows_forget_what_is_too_old_and_the_total_forgets_nothing() -> None:
    clock = Clock()
    metrics = Metrics(clock)
    for _ in range(3 * 60):  # three hours, a request a minute
        metrics.served(served(tried(SMALL, said=answer(SMALL))))
        clock.now_s += 60
    clock.now_s -= 59
    snapshot = metrics.snapshot()
    assert snapshot.minute.requests == 1
    assert 55 <= snapshot.hour.requests <= 60
    assert snapshot.total.requests == 180
    assert 55 <= snapshot.minute.seconds <= 60 and 3300 <= snapshot.hour.seconds <= 3600


def test_windows_are_empty_after_a_long_silence() -> None:
    clock = Clock()
    metrics = Metrics(clock)
    metrics.served(served(tried(SMALL, said=answer(SMALL))))
    clock.now_s += 2 * 3600
    snapshot = metrics.snapshot()
    assert (snapshot.minute.requests, snapshot.hour.requests, snapshot.total.requests) == (0, 0, 1)


def test_a_window_is_never_longer_than_the_count_has_run() -> None:
    clock = Clock()
    metrics = Metrics(clock)
    clock.now_s += 7
    snapshot = metrics.snapshot()
    assert snapshot.minute.seconds == snapshot.hour.seconds == snapshot.total.seconds == 7


@given(st.lists(st.floats(0, 900), min_size=1, max_size=60))
def test_windows_and_total_agree_with_a_list_of_all_requests(pauses: list[float]) -> None:
    clock = Clock()
    metrics = Metrics(clock)
    ends = []
    for pause_s in pauses:
        clock.now_s += pause_s
        metrics.served(served(tried(SMALL, said=answer(SMALL))))
        ends.append(clock.now_s)
    snapshot = metrics.snapshot()
    for figures, longest_s, shortest_s in ((snapshot.minute, 60, 55), (snapshot.hour, 3600, 3300)):
        surely = sum(end > clock.now_s - shortest_s for end in ends)
        perhaps = sum(end > clock.now_s - longest_s for end in ends)
        assert surely <= figures.requests <= perhaps
    assert snapshot.total.requests == len(pauses) == snapshot.total.candidates[SMALL].response.count


def test_memory_is_bounded_whatever_the_traffic() -> None:
    clock = Clock()
    metrics = Metrics(clock)
    for number in range(MOST_NAMES + 100):
        metrics.served(served(tried(f"p/{number}", said=answer(f"p/{number}"))))
        clock.now_s += 30
    total = metrics.snapshot().total
    assert len(total.candidates) == MOST_NAMES + 1
    assert sum(figures.asked for figures in total.candidates.values()) == MOST_NAMES + 100
    assert OTHERS in total.candidates


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_quantile_is_in_the_bucket_of_the_true_one(values: list[float], share: float) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    true = sorted(values)[math.ceil(share * len(values)) - 1]
    found = histogram.quantile(share)
    assert found is not None and true / 1.0906 <= found <= true * 1.0906


def test_durations_beyond_the_buckets_count_at_their_ends() -> None:
    histogram = Histogram()
    for value in (0.0, -1.0, SHORTEST_S / 10, LONGEST_S * 10):
        histogram.add(value)
    assert histogram.count == 4
    assert histogram.quantile(0.5) == pytest.approx(SHORTEST_S, rel=0.1)
    assert histogram.quantile(1) == pytest.approx(LONGEST_S, rel=0.1)


def test_a_thousand_requests_are_counted_in_milliseconds() -> None:
    metrics = Metrics()
    news = served(tried(SMALL, said=answer(SMALL), confidence=0.9))
    best_s = math.inf  # of the processor, which neighbours may share
    for _ in range(20):
        start_s = time.process_time()
        for _ in range(100):
            metrics.served(news)
        best_s = min(best_s, time.process_time() - start_s)
    assert best_s / 100 < 15e-6


def test_json_holds_all_three_windows() -> None:
    metrics = Metrics()
    metrics.served(served(tried(SMALL, said=answer(SMALL))))
    plain = json.loads(json.dumps(metrics.snapshot().to_json()))
    assert plain.keys() == {"minute", "hour", "total"}
    assert plain["total"]["candidates"][SMALL]["response"]["count"] == 1
