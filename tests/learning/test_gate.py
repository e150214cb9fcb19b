"""The gate lets nothing through that the log does not show to be better."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from tests.learning.partial_logs import Array, World

from turnout.learning.gate import Contender, Judgement, judge
from turnout.learning.logged import LoggedDecisions

DRAWS = 200


def held(
    world: World, better: Array, before: Array, log: LoggedDecisions | None = None, chance: Array | None = None
) -> Judgement:
    """What the gate says of a policy before another one; both promise the truth unless other chances are given."""
    promised = world.chance if chance is None else chance
    return judge(
        world.log if log is None else log,
        Contender("champion", before, world.chance),
        Contender("challenger", better, promised),
        world.chance,
        draws=DRAWS,
    )


def failed(judgement: Judgement) -> list[str]:
    return [check.name for check in judgement.checks if not check.passed]


def test_a_better_one_is_promoted_and_told_in_words() -> None:
    world = World(3000)
    told = held(world, world.wise, world.policy(np.zeros(3000, int)))
    assert told.promote and told.verdict == "promote" and not failed(told)
    assert told.why.startswith("promoted: mean score +0.")


def test_a_worse_one_is_kept_out() -> None:
    world = World(3000)
    told = held(world, world.policy(np.zeros(3000, int)), world.wise)
    assert told.verdict == "keep" and "worse" in told.why


def test_where_nothing_differs_nothing_can_be_said() -> None:
    world = World(500)
    told = held(world, world.wise, world.wise)
    assert told.verdict == "inconclusive" and "exactly as the champion" in told.why


def test_a_gain_that_may_be_chance_is_not_shown_yet() -> None:
    world = World(400)
    little = world.wise.copy()
    little[:40] = little[:40, ::-1]
    told = held(world, world.wise, little)
    assert told.verdict == "inconclusive" and not told.promote


def test_chances_that_promise_too_much_keep_it_out() -> None:
    world = World(3000)
    told = held(world, world.wise, world.policy(np.zeros(3000, int)), chance=np.full((3000, 2), 0.99))
    assert "calibration" in failed(told) and not told.promote


def test_few_results_do_not_judge_chances() -> None:
    world = World(90, exploration=1.0)
    told = held(world, world.wise, world.policy(np.zeros(90, int)))
    assert "calibration" in failed(told)


def test_slower_is_allowed_where_the_seconds_are_worth_it_to_those_who_asked() -> None:
    world = World(3000)
    seconds = np.tile(np.array([1.0, 10.0], np.float32), (3000, 1))
    log = replace(world.log, expected_s=seconds, preference=np.full(3000, "quality", dtype=object))
    fast = world.policy(np.zeros(3000, int))
    told = held(world, world.wise, fast, log)
    assert told.promote and "less than what is gained" in told.checks[3].text
    hurried = replace(log, preference=np.full(3000, "2.0", dtype=object))
    told = held(world, world.wise, fast, hurried)
    assert failed(told) == ["latency"] and told.verdict == "keep"


def test_one_candidate_for_everything_is_a_collapse_if_the_chances_tell_nothing_apart() -> None:
    world = World(3000)
    everything = world.policy(np.ones(3000, int))
    before = world.policy(np.zeros(3000, int))
    blind = np.tile(world.chance.mean(0), (3000, 1))
    assert "collapse" in failed(held(world, everything, before, chance=blind))
    assert "collapse" not in failed(held(world, everything, before))


def test_a_judgement_is_plain_values_too() -> None:
    world = World(500)
    told = held(world, world.wise, world.policy(np.zeros(500, int))).to_json()
    assert {check["name"] for check in told["checks"]} == {"support", "better", "calibration", "latency", "collapse"}
    assert set(told["difference"]["score"]) == {"value", "low", "high"}
