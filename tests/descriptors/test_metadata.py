"""What a provider says goes before what a name says, and impossible figures go unheard."""

from __future__ import annotations

from typing import Any

import pytest

from turnout.descriptors import Metadata, describe
from turnout.descriptors.metadata import parameters_b


@pytest.mark.parametrize(
    ("told", "billions"),
    [
        ("7.6B", (7.6, None)),
        ("7B", (7, None)),
        (" 494.03m ", (0.49403, None)),
        ("30B-A3B", (30, 3)),
        ("8x7B", (46.7, 12.9)),
        (7_615_616_512, (7.615616512, None)),
        (None, (None, None)),
        ("", (None, None)),
        ("big", (None, None)),
        ("9999999B", (None, None)),
        ("٧B", (None, None)),
        (float("nan"), (None, None)),
        (float("inf"), (None, None)),
        (-5e9, (None, None)),
        (10**400, (None, None)),
        (True, (None, None)),
    ],
)
def test_parameters_are_read_as_providers_write_them(told: Any, billions: tuple[float | None, float | None]) -> None:
    assert parameters_b(told) == pytest.approx(billions)


def test_a_providers_count_goes_before_the_name_and_leaves_the_identity() -> None:
    counted = describe("qwen2.5:7b", metadata=Metadata(architecture="qwen2", parameters="7.6B"))
    assert (counted.parameters_b, counted.active_parameters_b, counted.nominal_b) == (7.6, 7.6, 7)
    assert counted.identity == describe("qwen2.5:7b").identity


def test_a_providers_count_tells_what_the_default_tag_is() -> None:
    counted = describe("deepseek-r1:latest", metadata=Metadata(architecture="qwen3", parameters="8.2B"))
    assert counted.identity == describe("deepseek-r1:8b").identity
    assert describe("qwen2.5:latest", metadata=Metadata(parameters="7.6B")).identity == describe("qwen2.5:7b").identity


def test_a_mixture_is_no_dense_model_though_its_name_hides_it() -> None:
    assert (
        describe("mine:latest", metadata=Metadata(architecture="qwen3moe", parameters="30B")).active_parameters_b
        is None
    )
    assert describe("mine:latest", metadata=Metadata(architecture="qwen3", parameters="8B")).active_parameters_b == 8


def test_a_nameless_model_belongs_to_the_family_of_its_architecture_unless_everybody_uses_that() -> None:
    assert describe("mine", metadata=Metadata(architecture="gemma3")).family == "gemma"
    assert describe("mine", metadata=Metadata(architecture="llama")).family is None
    assert describe("dolphin3:8b", metadata=Metadata(architecture="qwen2")).family == "dolphin"


def test_quantisation_bits_and_window_are_the_providers_where_it_tells_them() -> None:
    told = Metadata(quantisation="Q8_0", bits_per_weight=8, context_tokens=32768)
    found = describe("qwen2.5-7b-instruct-1m@q4_k_m", metadata=told)
    assert (found.quantisation, found.bits_per_weight, found.context_tokens) == ("Q8_0", 8, 32768)


@pytest.mark.parametrize("bits", [0.0, -4.0, float("nan"), float("inf"), 1000.0])
def test_impossible_bits_go_unheard(bits: float) -> None:
    assert describe("x-q8_0", metadata=Metadata(bits_per_weight=bits)).bits_per_weight == 8.5008


def test_a_quantisation_that_nobody_knows_leaves_the_names() -> None:
    assert describe("x-q8_0", metadata=Metadata(quantisation="unknown", context_tokens=0)).quantisation == "Q8_0"


def test_what_a_provider_embeds_with_is_for_embedding() -> None:
    assert describe("bert-large", metadata=Metadata(kind="embeddings")).variant == "embedding"
    assert describe("qwen3:8b", metadata=Metadata(kind="llm")).variant == "instruct"
