"""How candidates stand now: all that a snapshot says and no request changes. What it does: `test_shortlist.py`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from turnout.config.resources import MemoryLimits
from turnout.config.resources import Resources as Limits
from turnout.policy.candidates import Candidate
from turnout.policy.standings import standings
from turnout.types import CandidateState, LanguageModel, ProviderState, Resources, Snapshot, Speeds

GIB = 2**30
SMALL, LARGE, AWAY = (
    Candidate(name="o/small", memory_bytes=2 * GIB),
    Candidate(name="o/large", memory_bytes=8 * GIB),
    Candidate(name="cloud/huge", local=False, here=False),
)
LIMITS = Limits(memory=MemoryLimits(max_percent=100, reserve_mb=0))
MACHINE = Resources(sampled_s=0, ram_total_bytes=16 * GIB, ram_free_bytes=7 * GIB, cpu_share=0.1)
LOAD_S = Speeds(load_s=3)


def state(candidate: Candidate, *, loaded: bool = True, running: int = 0) -> CandidateState:
    model = LanguageModel(name=candidate.name.partition("/")[2], loaded=loaded)
    return CandidateState(candidate=candidate.name, model=model, running=running, speeds=LOAD_S)


def snapshot(*states: CandidateState) -> Snapshot:
    return Snapshot(taken_s=0, candidates={each.candidate: each for each in states}, resources=MACHINE)


def test_without_a_snapshot_nothing_is_known_but_the_configuration() -> None:
    small, away = standings([SMALL, AWAY], None, LIMITS)
    assert (small.candidate, small.state, small.pace, small.crowded) == (SMALL, None, None, "")
    assert (small.abilities.leaves, away.abilities.leaves) == (False, True)


def test_they_keep_the_order_of_the_candidates() -> None:
    seen = snapshot(state(LARGE), state(SMALL))
    assert [each.candidate for each in standings([AWAY, SMALL, LARGE], seen, LIMITS)] == [AWAY, SMALL, LARGE]


def test_whom_nobody_watches_has_no_pace() -> None:
    small, large = standings([SMALL, LARGE], snapshot(state(SMALL)), LIMITS)
    assert small.pace is not None and large.pace is None


@pytest.mark.parametrize(("running", "crowded"), [(0, False), (1, True)])
def test_room_in_memory_is_what_is_free_and_what_idle_ones_give_back(running: int, crowded: bool) -> None:
    _, large = standings([SMALL, LARGE], snapshot(state(SMALL, running=running), state(LARGE, loaded=False)), LIMITS)
    assert bool(large.crowded) is crowded
    assert large.pace is not None and large.pace.evict_s == (0 if crowded else 3)


def test_where_nobody_may_be_made_to_go_there_is_no_room() -> None:
    limits = replace(LIMITS, does_not_fit="exclude")
    _, large = standings([SMALL, LARGE], snapshot(state(SMALL), state(LARGE, loaded=False)), limits)
    assert "o/small would have to go" in large.crowded


def test_a_loaded_language_model_that_is_no_candidate_can_make_room_where_its_provider_is_here() -> None:
    stranger = LanguageModel(name="stranger", loaded=True, memory_bytes=GIB)
    seen = snapshot(state(LARGE, loaded=False))
    for provider, crowded in (("o", False), ("elsewhere", True)):
        there = ProviderState(provider=provider, available=True, observed_s=0, models=(stranger,))
        (large,) = standings([LARGE], replace(seen, providers={provider: there}), LIMITS)
        assert bool(large.crowded) is crowded


def test_a_wait_is_that_for_all_that_goes_on_at_the_provider() -> None:
    small, large, away = standings(
        [SMALL, LARGE, AWAY], snapshot(state(SMALL, running=1), state(LARGE), state(AWAY)), LIMITS
    )
    assert small.pace is not None and large.pace is not None and away.pace is not None
    assert small.pace.queue_s == large.pace.queue_s > 0
    assert away.pace.queue_s == 0
