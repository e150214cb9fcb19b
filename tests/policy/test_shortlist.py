"""Who can and may serve one request; everybody else keeps a reason. Nothing is lost between the two lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.config.providers import CandidateSettings, Provider
from turnout.config.resources import CpuLimits, MemoryLimits
from turnout.config.resources import Resources as Limits
from turnout.config.schema import Configuration
from turnout.config.values import FrozenMapping
from turnout.policy.candidates import Candidate, Needs
from turnout.policy.conversations import Turn
from turnout.policy.policy import Policy
from turnout.policy.shortlist import Entry, shortlist
from turnout.policy.verdict import NOTHING_SAID, Forced, Verdict
from turnout.types import CandidateState, Excluded, LanguageModel, Resources, Snapshot, Speeds

GIB = 2**30
NEEDS = Needs(prompt_tokens=1000, least_prompt_tokens=500, answer_tokens=400, capabilities=frozenset())
SPEEDS = Speeds(first_token_s=0.2, prefill_tokens_per_s=500, decode_tokens_per_s=40, load_s=6, measurements=9)
MACHINE = Resources(sampled_s=0, ram_total_bytes=16 * GIB, ram_free_bytes=4 * GIB, cpu_share=0.1)
SMALL, LARGE, CLOUD = "lmstudio/small", "ollama/large", "cloud/huge"


def policy(**limits: Any) -> Policy:
    def provider(*models: str, base_url: str = "http://127.0.0.1:1") -> Provider:
        return Provider(
            kind="openai", base_url=base_url, models=FrozenMapping({model: CandidateSettings() for model in models})
        )

    return Policy(
        Configuration(
            providers=FrozenMapping(
                lmstudio=provider("small"),
                ollama=provider("large"),
                cloud=provider("huge", base_url="https://api.example.com"),
            ),
            resources=Limits(**{"memory": MemoryLimits(max_percent=100, reserve_mb=0), **limits}),
        )
    )


POLICY = policy()
EXCLUDING = policy(does_not_fit="exclude")


def state(name: str, gib: float | None = None, **fields: Any) -> CandidateState:
    model = {"loaded": True, "memory_bytes": None if gib is None else int(gib * GIB)}
    model |= {key: fields.pop(key) for key in tuple(fields) if key in LanguageModel.__dataclass_fields__}
    return CandidateState(candidate=name, model=LanguageModel(name=name, **model), **{"speeds": SPEEDS, **fields})


def seen(*states: CandidateState, resources: Resources | None = None) -> Snapshot:
    return Snapshot(taken_s=0, candidates={each.candidate: each for each in states}, resources=resources)


def listed(
    snapshot: Snapshot | None = None,
    verdict: Verdict = NOTHING_SAID,
    *,
    by: Policy = POLICY,
    needs: Needs = NEEDS,
    read: Turn | None = None,
    tokens: Mapping[str, float] = MappingProxyType({}),
) -> tuple[dict[str, Entry], dict[str, Excluded]]:
    entries, excluded = shortlist(by.moment(snapshot).standings, needs, verdict, read, tokens)
    return {entry.candidate.name: entry for entry in entries}, {entry.candidate: entry for entry in excluded}


# Rules


def test_without_rules_and_snapshot_everybody_can_serve_and_nobody_knows_how_long_it_takes() -> None:
    entries, excluded = listed()
    assert (list(entries), excluded) == ([SMALL, LARGE, CLOUD], {})
    assert {entry.expected for entry in entries.values()} == {None}


def test_whom_a_rule_forbids_is_out_and_the_rule_is_named() -> None:
    entries, excluded = listed(verdict=Verdict(forbidden=MappingProxyType({LARGE: "night"})))
    assert list(entries) == [SMALL, CLOUD]
    assert excluded[LARGE] == Excluded(LARGE, "the rule 'night' forbids it", "night")


def test_where_a_rule_forces_all_others_are_out() -> None:
    entries, excluded = listed(verdict=Verdict(forced=Forced((LARGE,), "security")))
    assert list(entries) == [LARGE]
    assert {(entry.reason, entry.rule) for entry in excluded.values()} == {
        ("the rule 'security' forces another", "security")
    }


def test_a_forced_candidate_that_cannot_serve_leaves_nobody() -> None:
    gone = seen(state(LARGE, problem="connection refused"))
    entries, excluded = listed(gone, Verdict(forced=Forced((LARGE,), "security")))
    assert entries == {}
    assert excluded[LARGE].reason == "connection refused"


def test_a_prohibition_wins_over_force() -> None:
    verdict = Verdict(forced=Forced((LARGE,), "security"), forbidden=MappingProxyType({LARGE: "night"}))
    assert listed(verdict=verdict)[0] == {}


def test_a_prompt_that_has_to_stay_leaves_only_those_on_this_machine() -> None:
    entries, excluded = listed(verdict=Verdict(require_local=True))
    assert list(entries) == [SMALL, LARGE]
    assert "this machine" in excluded[CLOUD].reason


# State


@pytest.mark.parametrize("problem", ["left alone after failures", "not seen for 30 s", "connection refused"])
def test_an_open_breaker_or_a_provider_that_is_gone_is_a_reason(problem: str) -> None:
    _, excluded = listed(seen(state(SMALL, problem=problem, breaker="open")))
    assert excluded[SMALL] == Excluded(SMALL, problem)


def test_whom_nobody_watches_has_no_expected_seconds() -> None:
    entries, _ = listed(seen(state(SMALL)))
    assert entries[SMALL].expected is not None and entries[SMALL].expected.measured
    assert entries[LARGE].expected is None


def test_the_cost_is_what_is_configured() -> None:
    entries, _ = listed()
    assert {entry.cost_usd for entry in entries.values() if entry.candidate.local} == {0.0}


# Memory


def cold(gib: float, name: str = LARGE, **fields: Any) -> CandidateState:
    return state(name, gib, loaded=False, **fields)


@pytest.mark.parametrize("by", [POLICY, EXCLUDING], ids=["charge", "exclude"])
def test_a_cold_candidate_that_fits_is_charged_its_load_only(by: Policy) -> None:
    entries, _ = listed(seen(state(SMALL, 3), cold(4), resources=MACHINE), by=by)
    assert entries[LARGE].expected is not None
    assert (entries[LARGE].expected.load_s, entries[LARGE].expected.evict_s) == (6, 0)


def test_one_that_makes_another_providers_go_is_charged_what_bringing_that_back_takes() -> None:
    entries, _ = listed(seen(state(SMALL, 3, speeds=replace(SPEEDS, load_s=2.5)), cold(6), resources=MACHINE))
    assert entries[LARGE].expected is not None
    assert (entries[LARGE].expected.load_s, entries[LARGE].expected.evict_s) == (6, 2.5)


def test_or_is_left_out_where_that_is_configured() -> None:
    entries, excluded = listed(seen(state(SMALL, 3), cold(6), resources=MACHINE), by=EXCLUDING)
    assert LARGE not in entries
    assert excluded[LARGE].reason == f"needs 6.0 GiB of memory, 4.0 GiB are free; {SMALL} would have to go"


@pytest.mark.parametrize("by", [POLICY, EXCLUDING], ids=["charge", "exclude"])
def test_what_could_never_fit_is_left_out(by: Policy) -> None:
    _, excluded = listed(seen(state(SMALL, 3), cold(8), resources=MACHINE), by=by)
    assert excluded[LARGE].reason == "needs 8.0 GiB of memory, 7.0 GiB can be had"


def test_one_that_is_busy_is_not_made_to_go() -> None:
    _, excluded = listed(seen(state(SMALL, 3, running=1), cold(6), resources=MACHINE))
    assert excluded[LARGE].reason == "needs 6.0 GiB of memory, 4.0 GiB can be had"


@pytest.mark.parametrize(
    "large",
    [state(LARGE, 60), state(LARGE, 60, loaded=None), cold(60, remote=True), state(LARGE, loaded=False)],
    ids=["loaded", "nobody knows", "runs elsewhere", "of unknown size"],
)
def test_memory_is_no_matter_for_what_is_loaded_unknown_or_elsewhere(
    large: CandidateState,
) -> None:
    assert LARGE in listed(seen(state(SMALL, 3), large, resources=MACHINE))[0]


def test_without_a_sample_of_the_machine_memory_is_no_matter() -> None:
    assert LARGE in listed(seen(state(SMALL, 3), cold(60)))[0]


def test_the_memory_of_this_machine_does_not_bound_a_trusted_machine_next_door() -> None:
    next_door = Provider(
        kind="openai", base_url="http://192.168.1.5:1234", local=True, models=FrozenMapping(huge=CandidateSettings())
    )
    by = Policy(replace(POLICY.configuration, providers=FrozenMapping(nextdoor=next_door)))
    assert "nextdoor/huge" in listed(seen(cold(60, "nextdoor/huge"), resources=MACHINE), by=by)[0]


def test_an_idle_language_model_that_is_no_candidate_could_make_room_too() -> None:
    from turnout.types import ProviderState

    other = LanguageModel(name="other", loaded=True, memory_bytes=10 * GIB)
    provider = ProviderState(provider="ollama", available=True, observed_s=0, models=(other,))
    snapshot = replace(seen(cold(6), resources=MACHINE), providers={"ollama": provider})
    assert LARGE in listed(snapshot)[0]


# What makes it slower


@pytest.mark.parametrize(("cpu_share", "on_card", "slower"), [(0.89, False, 1), (0.95, False, 1.5), (0.95, True, 1)])
def test_a_busy_machine_slows_those_that_run_on_it(cpu_share: float, on_card: bool, slower: float) -> None:
    by = policy(cpu=CpuLimits(max_percent=90))
    seconds = []
    for share in (0.0, cpu_share):
        resources = replace(MACHINE, cpu_share=share)
        large = state(LARGE, 4, vram_bytes=4 * GIB if on_card else 0)
        expected = listed(seen(large, resources=resources), by=by)[0][LARGE].expected
        assert expected is not None
        seconds.append(expected.total_s)
    assert seconds[1] == pytest.approx(slower * seconds[0])


def test_a_busy_machine_slows_nobody_elsewhere() -> None:
    busy, idle = (
        listed(seen(state(CLOUD), resources=replace(MACHINE, cpu_share=share)))[0][CLOUD].expected for share in (1, 0)
    )
    assert busy == idle


def test_who_knows_the_conversation_reads_only_what_is_new() -> None:
    turn = Turn(SMALL, {}, 900, 0)
    entries, _ = listed(seen(state(SMALL), state(LARGE)), read=turn)
    knowing, other = entries[SMALL].expected, entries[LARGE].expected
    assert knowing is not None and other is not None
    assert other.prefill_s - knowing.prefill_s == pytest.approx(900 / 500)
    assert entries[LARGE].share == entries[SMALL].share == 1.0


def test_an_answer_that_may_not_be_as_long_as_was_learned_takes_its_share() -> None:
    found = {most: _with_limit(most)[SMALL] for most in (None, 200, 40)}
    whole, part = found[None].expected, found[40].expected
    assert whole is not None and part is not None and part.decode_s == pytest.approx(whole.decode_s * 40 / 100)
    assert (found[None].share, found[200].share) == (1.0, 1.0)
    assert found[40].share == pytest.approx(part.answer_s / whole.answer_s)


def _with_limit(most: int | None) -> dict[str, Entry]:
    return listed(seen(state(SMALL)), needs=replace(NEEDS, most_answer_tokens=most), tokens={SMALL: 100.0})[0]


def test_what_another_candidate_of_the_provider_runs_is_waited_for_where_the_provider_takes_one_at_a_time() -> None:
    from turnout.config.providers import QueueLimits

    one_at_a_time = Provider(
        kind="ollama",
        base_url="http://127.0.0.1:1",
        models=FrozenMapping(a=CandidateSettings(), b=CandidateSettings()),
        queue=QueueLimits(max_concurrent=1, max_concurrent_per_candidate=1),
    )
    by = Policy(replace(POLICY.configuration, providers=FrozenMapping(o=one_at_a_time)))
    entries, _ = listed(seen(state("o/a", running=1, waiting=3), state("o/b")), by=by)
    assert entries["o/b"].expected is not None and entries["o/b"].expected.queue_s > 0


# Everybody is told of, once

STATES = st.fixed_dictionaries(
    {},
    optional={
        name: st.builds(
            lambda name, gib, loaded, running, problem, window: state(
                name, gib, loaded=loaded, running=running, problem=problem, context_length=window
            ),
            st.just(name),
            st.one_of(st.none(), st.floats(0.1, 30)),
            st.sampled_from([True, False, None]),
            st.integers(0, 5),
            st.sampled_from(["", "", "gone"]),
            st.one_of(st.none(), st.integers(1, 9000)),
        )
        for name in (SMALL, LARGE, CLOUD)
    },
)
NAMES = st.sampled_from([SMALL, LARGE, CLOUD])
VERDICTS = st.builds(
    Verdict,
    forced=st.one_of(st.none(), st.builds(Forced, st.lists(NAMES, max_size=2).map(tuple), st.just("force"))),
    forbidden=st.dictionaries(NAMES, st.just("forbid")),
    require_local=st.booleans(),
)


@given(STATES, VERDICTS, st.sampled_from([POLICY, EXCLUDING]), st.sampled_from([None, MACHINE]))
def test_everybody_either_can_serve_or_has_a_reason_and_no_rule_is_broken(
    states: dict[str, CandidateState], verdict: Verdict, by: Policy, resources: Resources | None
) -> None:
    entries, excluded = listed(seen(*states.values(), resources=resources), verdict, by=by)
    assert sorted([*entries, *excluded]) == sorted([SMALL, LARGE, CLOUD])
    assert all(entry.reason for entry in excluded.values())
    for name, entry in entries.items():
        assert name not in verdict.forbidden
        assert verdict.forced is None or name in verdict.forced.candidates
        assert entry.candidate.local or not verdict.require_local
        assert name not in states or not states[name].problem
        assert isinstance(entry.candidate, Candidate)
