"""Whether a language model would fit, and who has to go for it: over all providers of one machine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.config.resources import MemoryLimits, VramLimits
from turnout.config.resources import Resources as Limits
from turnout.policy.candidates import Candidate
from turnout.policy.memory import allowed_bytes, memory_bytes, room_for
from turnout.types import CandidateState, LanguageModel, Resources

GIB = 2**30
NO_LIMITS = Limits(memory=MemoryLimits(max_percent=100, reserve_mb=0), vram=VramLimits(max_percent=100, reserve_mb=0))
Pair = tuple[Candidate, CandidateState | None]


def model(name: str, gib: float | None = None, *, running: int = 0, here: bool = True, **known: Any) -> Pair:
    size = None if gib is None else int(gib * GIB)
    known = {"loaded": True, "memory_bytes": size, **known}
    state = CandidateState(candidate=name, model=LanguageModel(name=name, **known), running=running)
    return Candidate(name=name, here=here), state


def machine(
    ram: float = 16, ram_free: float = 8, vram: float | None = None, vram_free: float | None = None
) -> Resources:
    return Resources(
        sampled_s=0,
        ram_total_bytes=int(ram * GIB),
        ram_free_bytes=int(ram_free * GIB),
        cpu_share=0,
        vram_total_bytes=None if vram is None else int(vram * GIB),
        vram_free_bytes=None if vram_free is None else int(vram_free * GIB),
    )


# Sizes


def test_a_size_that_is_configured_goes_before_what_the_provider_says() -> None:
    candidate, state = model("a/one", 4)
    assert memory_bytes(replace(candidate, memory_bytes=7), state) == 7
    assert memory_bytes(candidate, state) == 4 * GIB


def test_a_file_takes_some_more_in_memory_than_on_disk() -> None:
    candidate, state = model("a/one", size_bytes=1000)
    assert 1000 < (memory_bytes(candidate, state) or 0) <= 1200


@pytest.mark.parametrize("state", [None, CandidateState(candidate="a/one", model=None), model("a/one")[1]])
def test_a_size_that_nobody_gives_is_unknown(state: CandidateState | None) -> None:
    assert memory_bytes(Candidate(name="a/one"), state) is None


# What may be taken


def test_what_is_free_may_be_taken() -> None:
    assert allowed_bytes(machine(), NO_LIMITS) == 8 * GIB


def test_free_video_memory_counts_too() -> None:
    assert allowed_bytes(machine(vram=12, vram_free=3), NO_LIMITS) == 11 * GIB


def test_video_memory_that_is_switched_off_does_not_count() -> None:
    off = replace(NO_LIMITS, vram=VramLimits(enabled=False))
    assert allowed_bytes(machine(vram=12, vram_free=3), off) == 8 * GIB


@pytest.mark.parametrize(
    ("max_percent", "reserve_mb", "left"),
    [(100, 1024, 7), (75, 0, 4), (75, 1024, 4), (75, 6 * 1024, 2), (40, 0, 0), (100, 100_000, 0)],
)
def test_the_larger_of_reserve_and_share_stays_free(max_percent: float, reserve_mb: float, left: float) -> None:
    limits = replace(NO_LIMITS, memory=MemoryLimits(max_percent=max_percent, reserve_mb=reserve_mb))
    assert allowed_bytes(machine(), limits) == left * GIB


def test_video_memory_has_a_reserve_of_its_own() -> None:
    limits = replace(NO_LIMITS, vram=VramLimits(max_percent=100, reserve_mb=1024))
    assert allowed_bytes(machine(ram_free=0, vram=12, vram_free=3), limits) == 2 * GIB
    assert allowed_bytes(machine(ram_free=1, vram=12, vram_free=0.5), limits) == GIB, "a lack here takes nothing there"


@given(st.floats(0, 64), st.floats(0, 24), st.floats(1, 100), st.floats(0, 1e6))
def test_never_more_than_is_free_and_never_less_than_nothing(
    ram_free: float, vram_free: float, max_percent: float, reserve_mb: float
) -> None:
    seen = machine(64, ram_free, 24, vram_free)
    limits = Limits(
        memory=MemoryLimits(max_percent=max_percent, reserve_mb=reserve_mb),
        vram=VramLimits(max_percent=max_percent, reserve_mb=reserve_mb),
    )
    assert 0 <= allowed_bytes(seen, limits) <= seen.ram_free_bytes + (seen.vram_free_bytes or 0)


# Room


def test_what_fits_into_free_memory_evicts_nobody() -> None:
    room = room_for(*model("a/new", 4, loaded=False), [model("a/idle", 4)], 4 * GIB)
    assert (room.verdict, room.evicted) == ("fits", ())


def test_a_size_that_nobody_knows_fits() -> None:
    assert room_for(*model("a/new", loaded=False), [], 0).verdict == "fits"


def test_an_idle_language_model_of_another_provider_makes_room() -> None:
    room = room_for(*model("a/new", 6, loaded=False), [model("b/idle", 4)], 3 * GIB)
    assert (room.verdict, room.evicted) == ("evicts", ("b/idle",))
    assert room.told == "needs 6.0 GiB of memory, 3.0 GiB are free; b/idle would have to go"


def test_the_largest_go_first_and_no_more_than_needed() -> None:
    others = [model("a/small", 1), model("b/large", 5), model("a/middle", 3)]
    assert room_for(*model("a/new", 6, loaded=False), others, 1 * GIB).evicted == ("b/large",)
    assert room_for(*model("a/new", 8, loaded=False), others, 1 * GIB).evicted == ("b/large", "a/middle")


@pytest.mark.parametrize(
    "other",
    [
        model("b/busy", 8, running=1),
        model("b/cold", 8, loaded=False),
        model("b/unknown", 8, loaded=None),
        model("cloud/huge", 8, here=False),
        (Candidate(name="b/unseen", memory_bytes=8 * GIB), None),
        (Candidate(name="b/unlisted", memory_bytes=8 * GIB), CandidateState(candidate="b/unlisted", model=None)),
    ],
    ids=["busy", "cold", "nobody knows", "elsewhere", "unseen", "unlisted"],
)
def test_who_is_busy_elsewhere_or_not_in_memory_makes_no_room(other: Pair) -> None:
    room = room_for(*model("a/new", 6, loaded=False), [other], 3 * GIB)
    assert room.verdict == "never"
    assert room.told == "needs 6.0 GiB of memory, 3.0 GiB can be had"


def test_a_candidate_makes_no_room_for_itself() -> None:
    new = model("a/new", 6)
    assert room_for(*new, [new], 3 * GIB).verdict == "never"


def test_what_never_fits_is_told_with_all_that_can_be_had() -> None:
    room = room_for(*model("a/new", 40, loaded=False), [model("b/idle", 4)], 3 * GIB)
    assert room.told == "needs 40.0 GiB of memory, 7.0 GiB can be had"


@given(st.floats(0.1, 40), st.lists(st.tuples(st.floats(0.1, 20), st.booleans()), max_size=6), st.integers(0, 20))
def test_what_is_evicted_is_enough_idle_and_without_surplus(
    needed: float, sizes: list[tuple[float, bool]], free: int
) -> None:
    others = [model(f"b/{n}", size, running=int(busy)) for n, (size, busy) in enumerate(sizes)]
    new = model("a/new", needed, loaded=False)
    room = room_for(*new, others, free * GIB)
    held = {candidate.name: memory_bytes(candidate, state) or 0 for candidate, state in others}
    idle = {f"b/{n}" for n, (_, busy) in enumerate(sizes) if not busy}
    given_back = [held[name] for name in room.evicted]
    need = memory_bytes(*new) or 0
    assert set(room.evicted) <= idle
    match room.verdict:
        case "fits":
            assert need <= free * GIB
        case "evicts":
            assert free * GIB + sum(given_back) >= need > free * GIB + sum(given_back[:-1])
        case "never":
            assert free * GIB + sum(held[name] for name in idle) < need
