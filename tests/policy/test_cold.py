"""What candidates that were never asked should be like: from names, providers and the machine; unknown stays unknown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from turnout.descriptors.speed import ColdSpeed
from turnout.policy.candidates import Candidate
from turnout.policy.cold import descriptor_of, expected_speed, weights_of
from turnout.types import CandidateState, LanguageModel, Resources

GB = 10**9
ONE = Candidate(name="ollama/llama3.1:8b")
MACHINE = Resources(sampled_s=0, ram_total_bytes=64 * GB, ram_free_bytes=48 * GB, cpu_share=0)
CARD = replace(MACHINE, card="NVIDIA GeForce RTX 3090", vram_total_bytes=24 * GB, vram_free_bytes=20 * GB)


def state(**model: Any) -> CandidateState:
    return CandidateState(candidate=ONE.name, model=LanguageModel(name="llama3.1:8b", **model))


def speed(candidate: Candidate, seen: CandidateState | None, machine: Resources | None = MACHINE) -> ColdSpeed:
    found = expected_speed(candidate, seen, machine)
    assert found is not None
    return found


def test_what_a_provider_tells_goes_into_the_descriptor() -> None:
    told = descriptor_of("local/mystery", LanguageModel(name="mystery", parameters="7.6B", quantization="Q8_0"))
    assert (told.parameters_b, told.quantisation) == (7.6, "Q8_0")
    assert descriptor_of("local/mystery", None).parameters_b is None


def test_a_name_alone_tells_a_speed() -> None:
    assert 1 < speed(ONE, None).decode_tokens_per_s.value < 30


def test_more_that_is_told_narrows_the_range() -> None:
    name, told = speed(ONE, None), speed(ONE, state(size_bytes=5 * GB))
    measured = speed(ONE, state(size_bytes=5 * GB), replace(MACHINE, ram_bytes_per_s=40e9))
    factors = [each.decode_tokens_per_s.factor for each in (name, told, measured)]
    assert factors == sorted(factors, reverse=True) and len(set(factors)) == 3


@pytest.mark.parametrize(
    "candidate", [Candidate(name="local/mystery"), Candidate(name="cloud/llama3.1:8b", local=False, here=False)]
)
def test_of_an_unknown_size_or_a_machine_of_somebody_else_nothing_is_expected(candidate: Candidate) -> None:
    assert expected_speed(candidate, None, MACHINE) is None


def test_what_its_provider_passes_on_is_not_judged_by_its_size_here() -> None:
    assert expected_speed(ONE, state(size_bytes=300, remote=True), MACHINE) is None


def test_the_configured_memory_stands_in_for_an_untold_size() -> None:
    nameless = Candidate(name="local/mystery", memory_bytes=6 * GB)
    found = weights_of(nameless, None)
    assert found is not None and found.total.value == 6 * GB
    assert speed(nameless, None).load_s.value == pytest.approx(5.0)


def test_a_card_with_room_is_taken_for_what_is_not_loaded_yet() -> None:
    here, card = (speed(ONE, state(size_bytes=5 * GB, loaded=False), machine) for machine in (MACHINE, CARD))
    assert card.decode_tokens_per_s.value > 5 * here.decode_tokens_per_s.value
    assert 80 < card.decode_tokens_per_s.value < 200


def test_where_it_is_loaded_its_provider_tells() -> None:
    inside = state(size_bytes=5 * GB, memory_bytes=6 * GB, vram_bytes=0)
    assert speed(ONE, inside, CARD) == speed(ONE, inside, MACHINE)


def test_another_machine_is_not_judged_by_this_one() -> None:
    there = replace(ONE, here=False)
    assert speed(there, None, CARD) == speed(there, None, None)
