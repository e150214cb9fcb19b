"""The laboratory's benchmark: what its yardsticks and curves make of answers that are known."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from tests.conftest import ROOT

CALLS = """
import json, sys
import numpy as np
from lab_trust import auc, recovered
from lab_worth import mean_curve, oracle_at, oracle_free, oracle_on_fast, over_seeds, preferred, ways

curve = {
    rate: {"seconds_over_strong": seconds, "loss_points": loss}
    for rate, seconds, loss in ((0.1, 0.8, 0.0), (0.5, 0.4, 2.0), (0.3, 0.44, 1.0), (0.4, 0.42, 1.0))
}
right = np.array([[1, 1, 1], [0, 1, 1], [0, 0, 1], [0, 0, 0]], float)
seconds = np.tile([0.1, 0.2, 0.4], (4, 1))
trust = np.array([0.9, 0.1, 0.2, 0.8])
fast, strong = np.array([1.0, 0.0, 0.0, 0.0]), np.array([1.0, 1.0, 0.0, 1.0])
print(json.dumps({
    "over_seeds": [over_seeds([1.0, 2.0, None, 3.0]), over_seeds([2.0]), over_seeds([None])],
    "free": oracle_free(right).tolist(),
    "at": oracle_at(right, [1, 2, 1]).tolist(),
    "on_fast": [oracle_on_fast(right, count).tolist() for count in (0, 2)],
    "ways": ways(right, seconds, np.array([1, 0, 2, 1]), (np.array([1.0, 0, 1, 0]), np.array([0.2, 0.1, 0.5, 0.2]))),
    "mean_curve": mean_curve([curve, {rate: {**point, "loss_points": 3.0} for rate, point in curve.items()}])[0.1],
    "auc": [auc(trust, fast), auc(trust, np.ones(4))],
    "recovered": recovered(trust, fast, strong, [0.25, 0.5, 0.75]),
    "preferred": [preferred(curve), preferred({0.1: curve[0.1], 0.5: {**curve[0.5], "seconds_over_strong": 0.7}})],
    "nobody": recovered(trust[:0], fast[:0], strong[:0], [0.25]),
}))
"""
"""In a process of its own: benchmarks import each other by name, as scripts do."""


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", CALLS], cwd=ROOT / "benchmarks", capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_means_over_seeds_have_students_interval_and_a_single_seed_has_none(told: dict[str, Any]) -> None:
    several, single, none = told["over_seeds"]
    assert several == pytest.approx([2.0, 2.0 - 4.3027 / 3**0.5, 2.0 + 4.3027 / 3**0.5], abs=1e-4)
    assert single == [2.0] and none == []


def test_the_free_oracle_takes_the_weakest_that_is_right(told: dict[str, Any]) -> None:
    assert told["free"] == [0, 1, 2, 0]


def test_the_oracle_at_the_same_shares_keeps_them_and_gets_the_most_right(told: dict[str, Any]) -> None:
    choice = told["at"]
    assert sorted(choice) == [0, 1, 1, 2]
    assert choice[1] == 1 and choice[2] == 2


def test_the_oracle_at_the_same_share_on_fast_is_bound_by_that_alone(told: dict[str, Any]) -> None:
    none, two = told["on_fast"]
    assert none == [1, 1, 2, 1]
    assert two == [0, 1, 2, 0]


def test_every_way_stands_on_the_same_prompts(told: dict[str, Any]) -> None:
    ways = told["ways"]
    assert ways["routed"] == {"quality": 0.5, "seconds": pytest.approx(0.25), "shares": [0.25, 0.5, 0.25]}
    assert ways["always fast"]["quality"] == 0.25 and ways["always strong"]["quality"] == 0.75
    assert ways["random, same shares"]["quality"] == pytest.approx(0.5)
    assert ways["oracle, same shares"]["quality"] == 0.75


def test_auc_counts_pairs_in_order_and_is_even_where_all_are_alike(told: dict[str, Any]) -> None:
    assert told["auc"] == [1.0, 0.5]


def test_escalating_the_least_trusted_recovers_what_the_strong_one_has_right(told: dict[str, Any]) -> None:
    found = told["recovered"]
    assert (found["n"], found["wrong"], found["recoverable"]) == (4, 0.75, pytest.approx(2 / 3))
    assert [point["of_wrong"] for point in found["curve"]] == pytest.approx([1 / 3, 1 / 3, 2 / 3])
    assert [point["of_recoverable"] for point in found["curve"]] == pytest.approx([0.5, 0.5, 1.0])
    assert [point["possible"] for point in found["curve"]] == pytest.approx([1 / 3, 2 / 3, 2 / 3])


def test_where_there_was_no_answer_nothing_is_claimed(told: dict[str, Any]) -> None:
    assert told["nobody"]["wrong"] is None and told["nobody"]["curve"][0]["of_wrong"] is None


def test_development_chooses_the_least_loss_within_the_seconds(told: dict[str, Any]) -> None:
    assert told["preferred"] == [0.3, 0.5]


def test_the_curve_of_several_seeds_is_their_mean(told: dict[str, Any]) -> None:
    assert told["mean_curve"] == {"seconds_over_strong": 0.8, "loss_points": 1.5}
