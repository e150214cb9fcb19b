"""A candidate that fails more often is found soon, one that does as predicted is left alone."""

from __future__ import annotations

import numpy as np
import pytest
from tests.learning.drift.logs import drawn, stream

from turnout.learning.drift.baseline import MIN_REFERENCE, learn
from turnout.learning.drift.success import Change, success_baseline, success_change

BASES = (0.4, 0.5, 0.6, 0.7, 0.8, 0.95)


def found(reference: object, watched: object, direction: str = "worse", horizon: int = 5_000) -> Change | None:
    baseline = success_baseline(reference)  # type: ignore[arg-type]
    assert baseline
    return success_change(watched, baseline, direction, alpha=0.05, horizon=horizon)  # type: ignore[arg-type]


@pytest.mark.parametrize("direction", ["worse", "better"])
def test_at_most_five_in_a_hundred_stationary_streams_raise_an_alarm(direction: str) -> None:
    rng = np.random.default_rng(0)
    alarms = [
        found(*drawn(rng, 5_000, BASES[trial % 6], graded=trial % 4 == 0), direction) is not None
        for trial in range(200)
    ]
    assert np.mean(alarms) <= 0.05


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("graded", [False, True])
def test_a_loss_of_twenty_points_is_found_within_three_hundred_requests(base: float, graded: bool) -> None:
    rng = np.random.default_rng(1)
    hits = []
    for _ in range(60):
        at = int(rng.integers(0, 1_500))
        change = found(*drawn(rng, at + 300, base, graded=graded, at=at))
        hits.append(change is not None and change.raised_at >= at)
    assert np.mean(hits) >= 0.95


def test_the_change_is_dated_near_where_it_happened() -> None:
    change = found(*drawn(np.random.default_rng(2), 1_500, 0.7, at=900, points=0.3))
    assert change and abs(change.start - 900) < 60
    assert change.mean < change.expected - 0.2


def test_a_rise_is_an_alarm_of_its_own() -> None:
    reference, watched = drawn(np.random.default_rng(3), 1_500, 0.5, at=500, points=-0.25)
    assert found(reference, watched, "worse") is None
    change = found(reference, watched, "better")
    assert change and change.raised_at > 500


def test_harder_requests_that_were_predicted_to_be_harder_raise_no_alarm() -> None:
    """The mean chance falls from .8 to .4 halfway; residuals stay what they were."""
    rng = np.random.default_rng(4)
    for _ in range(20):
        predicted = np.concatenate((0.8 + 0.1 * rng.standard_normal(3_000), 0.4 + 0.1 * rng.standard_normal(3_000)))
        predicted = np.clip(predicted, 0.05, 0.95)
        scores = (rng.random(6_000) < predicted - 0.04).astype(float)
        reference, watched = (stream(scores[part], predicted[part]) for part in (slice(1_000), slice(1_000, None)))
        assert found(reference, watched) is None and found(reference, watched, "better") is None


def test_a_small_reference_is_none() -> None:
    assert learn(np.zeros(MIN_REFERENCE - 1)) is None


def test_a_reference_without_variation_still_leaves_room() -> None:
    baseline = learn(np.zeros(MIN_REFERENCE))
    assert baseline is not None and baseline.margin > 0


def test_the_more_reference_the_narrower_the_margin() -> None:
    residuals = np.random.default_rng(5).uniform(-1, 1, 4_000)
    few, many = learn(residuals[:300]), learn(residuals)
    assert few and many and few.margin > many.margin
