"""Many signals, one label: bounded, in no order, and never made of the predictor's own belief."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.errors import ProviderError
from turnout.learning.labels import (
    CONFIDENCE,
    FAILURES,
    SOURCE_WEIGHTS,
    Label,
    Signal,
    combined,
    confidence_signal,
    failure_signal,
    feedback_signal,
    outcome_signal,
    source_weights,
)

shares = st.floats(0, 1)
sources = st.sampled_from([*SOURCE_WEIGHTS, "nightly tests"])
signals = st.builds(Signal, sources, shares, st.floats(0, 1, exclude_min=True))
weights = st.dictionaries(sources, st.floats(0, 10), max_size=4)


@given(st.lists(signals, max_size=8), weights)
def test_a_label_lies_among_its_signals_and_weighs_at_most_one(
    some: list[Signal], configured: dict[str, float]
) -> None:
    label = combined(some, source_weights(configured))
    if label is not None:
        assert min(one.score for one in some) <= label.score <= max(one.score for one in some)
        assert 0 < label.weight <= 1


@given(st.permutations([Signal("feedback", 0.1, 0.3), Signal("verifier", 0.7, 0.2), Signal("judge", 1 / 3, 0.9)]))
def test_the_order_of_signals_makes_no_difference(some: list[Signal]) -> None:
    assert combined(some) == combined(sorted(some))


@given(st.lists(signals, max_size=6), signals)
def test_a_source_without_weight_is_as_if_it_had_said_nothing(some: list[Signal], silent: Signal) -> None:
    off = source_weights({silent.source: 0.0})
    assert combined([*some, silent], off) == combined(some, off)


@given(st.lists(signals, min_size=1, max_size=6))
def test_one_more_signal_never_takes_weight_away(some: list[Signal]) -> None:
    before, after = combined(some), combined([*some, Signal("verifier", 1.0, 0.5)])
    assert after is not None and (before is None or after.weight >= before.weight or some[0].source == CONFIDENCE)


def test_scores_are_weighed_by_source_and_record() -> None:
    label = combined([Signal("verifier", 1.0, 0.5), Signal("judge", 0.0, 0.5)])
    assert label == pytest.approx((2 / 3, 0.75))


def test_agreement_beyond_certainty_weighs_one() -> None:
    assert combined([Signal("verifier", 1.0, 1.0), Signal("feedback", 1.0, 1.0)]) == Label(1.0, 1.0)


def test_confidence_teaches_nothing_unless_it_is_switched_on() -> None:
    guess = confidence_signal(0.9)
    assert guess is not None and combined([guess]) is None
    assert combined([guess], source_weights({"confidence": 0.1})) == Label(0.9, 0.1)


def test_confidence_steps_back_where_anything_is_known() -> None:
    guess, verdict = confidence_signal(0.9), Signal("feedback", 0.0, 0.4)
    assert guess is not None and combined([guess, verdict], source_weights({"confidence": 1.0})) == Label(0.0, 0.4)


def test_weights_of_tiny_size_still_make_a_mean() -> None:
    tiny = [Signal("a", 1.0, 5e-324), Signal("b", 0.0, 5e-324)]
    assert combined(tiny) == pytest.approx((0.5, 1e-323))


@pytest.mark.parametrize(
    ("score", "weight"),
    [(None, 1.0), (-0.1, 1.0), (4.0, 1.0), (math.nan, 1.0), (0.5, 0.0), (0.5, -1.0), (0.5, math.nan)],
)
def test_what_is_no_score_is_no_signal(score: float | None, weight: float) -> None:
    assert outcome_signal("verifier", score, weight) is None


def test_a_record_without_weight_counts_fully_and_one_beyond_a_full_one_no_more() -> None:
    assert outcome_signal("x", 0.5, None) == outcome_signal("x", 0.5, 7.0) == Signal("x", 0.5, 1.0)


def test_feedback_is_read_as_it_is_recorded() -> None:
    assert feedback_signal("good", None) == Signal("feedback", 1.0, 1.0)
    assert feedback_signal("bad", None) == Signal("feedback", 0.0, 1.0)
    assert feedback_signal("edit_kept", 0.25) == Signal("feedback", 0.25, 1.0)
    assert feedback_signal("too_slow", None) is feedback_signal("score", None) is feedback_signal("score", 4.0) is None


def test_only_failures_of_the_candidate_count_against_it() -> None:
    codes = {kind.code for kind in _kinds(ProviderError)}
    assert codes > FAILURES
    for code in {*codes, "cancelled", "overtaken", ""} - FAILURES:
        assert failure_signal(code) is None
    for code in FAILURES:
        assert combined([failure_signal(code)]) == Label(0.0, 0.2)  # type: ignore[list-item]


def _kinds(kind: type[ProviderError]) -> set[type[ProviderError]]:
    return {kind}.union(*(_kinds(below) for below in kind.__subclasses__()))
