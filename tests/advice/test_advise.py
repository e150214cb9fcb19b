"""Advice as a whole: what is kept, who is paired, what has no room, what is unknown."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from tests.advice.conftest import GB, snapshot

from turnout import Router
from turnout.advice import Advice, advise
from turnout.advice.typical import bundled
from turnout.config.resources import Resources as Limits
from turnout.policy.candidates import Candidate
from turnout.predictor.base import BasePredictor
from turnout.types import CandidateState, Resources, Snapshot, Speeds

SEVEN, LARGE, TINY, ODD = "ollama/qwen2.5-coder:7b", "ollama/llama3.3:70b", "ollama/qwen2.5:0.5b", "ollama/mystery"
PROMPTS = bundled()


def advised(base: BasePredictor, seen: Snapshot, *names: str, **settings: bool) -> Advice:
    candidates = [Candidate(name=name, **settings) for name in names]
    return advise(candidates, seen, Limits(), PROMPTS, champion=None, base=base)


def paced(seen: Snapshot, **rates: float) -> Snapshot:
    """The same, with speeds that were measured often: tokens a second by name."""
    states = {
        name: replace(
            seen.candidates.get(name) or CandidateState(candidate=name, model=None),
            speeds=Speeds(decode_tokens_per_s=rate, decode_count=1000),
        )
        for name, rate in rates.items()
    }
    return replace(seen, candidates={**seen.candidates, **states})


def test_a_couple_is_told_with_its_gap_its_ratio_and_the_share_of_the_fast_one(
    base: BasePredictor, machine: Resources
) -> None:
    large = replace(machine, ram_total_bytes=128 * GB, ram_free_bytes=110 * GB)
    found = advised(base, paced(snapshot(large), **{SEVEN: 10.0, LARGE: 4.0}), SEVEN, LARGE)
    (couple,) = found.couples
    assert (couple.fast, couple.strong, couple.fit) == (SEVEN, LARGE, "together")
    assert couple.ratio == pytest.approx(2.5, rel=0.05) and couple.gap.median > 0.02
    assert 0 <= couple.share.low <= couple.share.median <= couple.share.high <= 1
    assert set(found.keep) <= {SEVEN, LARGE} and found.keep


def test_where_the_strong_one_is_far_too_slow_the_fast_one_is_best_alone(
    base: BasePredictor, machine: Resources
) -> None:
    large = replace(machine, ram_total_bytes=128 * GB, ram_free_bytes=110 * GB)
    found = advised(base, paced(snapshot(large), **{SEVEN: 100.0, LARGE: 1.0}), SEVEN, LARGE)
    assert (found.alone, found.keep) == (SEVEN, (SEVEN,))


def test_one_at_a_time_is_worth_no_more_than_both_together(base: BasePredictor, machine: Resources) -> None:
    rates = {SEVEN: 10.0, LARGE: 4.0}
    sizes = {"qwen2.5-coder:7b": {"size_bytes": 20 * GB}, "llama3.3:70b": {"size_bytes": 30 * GB}}
    tight, roomy = (
        advised(
            base,
            paced(snapshot(replace(machine, ram_total_bytes=total, ram_free_bytes=free), **sizes), **rates),
            SEVEN,
            LARGE,
        )
        for total, free in ((64 * GB, 50 * GB), (128 * GB, 100 * GB))
    )
    assert (tight.couples[0].fit, roomy.couples[0].fit) == ("in turn", "together")
    assert tight.couples[0].worth <= roomy.couples[0].worth
    assert len(tight.keep) == 1


def test_what_has_no_room_is_not_kept_and_its_couple_comes_last(base: BasePredictor, machine: Resources) -> None:
    small = replace(machine, ram_total_bytes=16 * GB, ram_free_bytes=10 * GB)
    found = advised(base, snapshot(small), TINY, SEVEN, LARGE)
    assert LARGE not in found.keep and found.keep
    fits = [couple.fit for couple in found.couples]
    assert fits[0] == "together" and fits[-1] == "not"
    assert (found.couples[0].fast, found.couples[0].strong) == (TINY, SEVEN)
    assert not any(couple.good for couple in found.couples if couple.fit == "not")


def test_what_is_loaded_makes_room_for_what_is_advised(base: BasePredictor, machine: Resources) -> None:
    held = snapshot(machine, **{"llama3.3:70b": {"loaded": True, "memory_bytes": 45 * GB, "size_bytes": 40 * GB}})
    free = snapshot(machine)
    assert (advised(base, held, LARGE).room or 0) == (advised(base, free, LARGE).room or 0) + 45 * GB


def test_one_elsewhere_takes_no_memory(base: BasePredictor, machine: Resources) -> None:
    candidates = [Candidate(name="cloud/gpt-4o", local=False, here=False), Candidate(name=TINY)]
    found = advise(candidates, snapshot(machine), Limits(), PROMPTS, champion=None, base=base)
    assert found.keep == (TINY,)
    assert all(couple.fit == "together" for couple in found.couples)


def test_measured_speeds_go_into_the_ratio(base: BasePredictor, machine: Resources) -> None:
    seen = snapshot(machine, **{"llama3.3:70b": {"size_bytes": 42 * GB}})
    fast = paced(seen, **{LARGE: 400.0})
    usual, measured = (advised(base, each, SEVEN, LARGE) for each in (seen, fast))
    assert usual.couples and not measured.couples
    large = next(each for each in measured.profiles if each.name == LARGE)
    assert large.measured and large.tokens_per_s.factor == 1.0


def test_an_unknown_one_stays_unknown_and_pairs_with_nobody(base: BasePredictor, machine: Resources) -> None:
    found = advised(base, snapshot(machine), SEVEN, ODD)
    assert [each.name for each in found.unknown] == [ODD]
    assert ODD not in found.quality and not found.couples
    told = advised(base, snapshot(machine, mystery={"parameters": "7.6B", "size_bytes": 5 * GB}), ODD)
    assert not told.unknown and told.quality[ODD].high - told.quality[ODD].low > 0.2


def test_without_anything_known_there_is_still_advice(base: BasePredictor) -> None:
    found = advised(base, Snapshot(taken_s=0.0), ODD)
    assert (found.room, found.couples, found.keep) == (None, (), ())
    assert advised(base, Snapshot(taken_s=0.0)).profiles == ()


def test_a_champion_that_knows_all_needs_no_base(router: Router, machine: Resources) -> None:
    champion = router.predictor
    assert champion is not None
    candidates = [Candidate(name=name) for name in champion.candidates]
    found = advise(candidates, snapshot(machine), Limits(), PROMPTS, champion=champion, base=None)
    assert found.learned == set(champion.candidates) == found.quality.keys()


@pytest.mark.parametrize("names", [(), (ODD,), (SEVEN, LARGE, ODD)])
def test_plain_values_are_json_with_the_same_keys(
    base: BasePredictor, machine: Resources, names: tuple[str, ...]
) -> None:
    plain = advised(base, snapshot(machine), *names).to_json()
    assert plain == json.loads(json.dumps(plain))
    assert list(plain) == ["machine", "prompts", "loss", "candidates", "keep", "alone", "couples", "unknown"]
    assert set(plain["candidates"]) == set(names)
