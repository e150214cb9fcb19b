"""Policies on logged decisions choose as a router would."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.learning.partial_logs import NAMES, World

from turnout.errors import DataError
from turnout.learning import policies


def test_always_is_always_where_it_can_be() -> None:
    world = World(6)
    eligible = np.ones((6, 2), bool)
    eligible[2, 1] = False
    chosen = np.zeros(6, np.int64)
    log = replace(world.log, eligible=eligible, chosen=chosen)
    target = policies.always(log, NAMES[1])
    assert target[:, 1].tolist() == [1, 1, 0, 1, 1, 1]
    assert target.sum(1).tolist() == [1] * 6


def test_a_candidate_that_the_log_does_not_know_is_refused_with_those_it_knows() -> None:
    with pytest.raises(DataError, match="local/small, local/large"):
        policies.always(World(3).log, "cloud/other")


def test_where_nobody_decided_every_policy_does_what_was_done() -> None:
    world = World(5)
    log = replace(world.log, pinned=np.ones(5, bool), chosen=np.array([0, 1, 0, 1, 0]))
    done = np.eye(2)[log.chosen]
    for target in (policies.always(log, NAMES[0]), policies.uniform(log), policies.greedy(log, world.chance)):
        assert np.array_equal(target, done)


def test_the_same_chances_go_to_the_cheaper_and_much_better_ones_to_the_dearer() -> None:
    log = replace(
        World(4).log,
        expected_s=np.tile(np.array([1.0, 10.0], np.float32), (4, 1)),
        preference=np.array(["balanced", "balanced", "fast", "quality"], dtype=object),
    )
    chance = np.array([[0.7, 0.7], [0.7, 0.9], [0.7, 0.9], [0.7, 0.75]])
    assert policies.greedy(log, chance).argmax(1).tolist() == [0, 1, 0, 1]


def test_seconds_that_nobody_knows_count_as_the_most() -> None:
    log = replace(World(1).log, expected_s=np.array([[np.nan, 2.0]], np.float32))
    assert policies.greedy(log, np.array([[0.5, 0.51]])).argmax() == 1
    unknown = replace(log, expected_s=np.full((1, 2), np.nan, np.float32))
    assert policies.greedy(unknown, np.array([[0.5, 0.5]])).argmax() == 0


@pytest.mark.parametrize(("told", "choice"), [("0.0", 1), ("5", 0), ("0.01 a second and 0.2 a cent", 0), ("", 0)])
def test_preferences_are_read_as_they_were_written_down(told: str, choice: int) -> None:
    log = replace(World(1).log, preference=np.array([told], dtype=object))
    assert policies.greedy(log, np.array([[0.5, 0.6]])).argmax() == choice


def test_what_was_predicted_is_what_would_be_done_and_what_was_done_where_nothing_was() -> None:
    predicted = np.array([[0.1, 0.9], [np.nan, np.nan]], np.float32)
    log = replace(World(2).log, predicted=predicted, chosen=np.array([0, 1]))
    assert policies.as_predicted(log).argmax(1).tolist() == [1, 1]


def test_random_shares_among_those_that_could_be_chosen() -> None:
    eligible = np.array([[True, True], [True, False]])
    log = replace(World(2).log, eligible=eligible, chosen=np.zeros(2, np.int64))
    assert policies.uniform(log).tolist() == [[0.5, 0.5], [1.0, 0.0]]
