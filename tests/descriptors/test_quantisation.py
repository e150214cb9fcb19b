"""One spelling for each quantisation, and the bits that its weights take."""

from __future__ import annotations

import pytest

from turnout.descriptors.quantisation import BITS_PER_WEIGHT, canonical, found_in


@pytest.mark.parametrize(
    ("written", "spelled"),
    [
        ("q4_K_M", "Q4_K_M"),
        ("q4-k-m", "Q4_K_M"),
        ("Q4KM", "Q4_K_M"),
        ("IQ2_XXS", "IQ2_XXS"),
        ("fp16", "F16"),
        ("bf16", "BF16"),
        ("4-bit", "4BIT"),
        ("8bit", "8BIT"),
        ("MXFP4", "MXFP4"),
        ("q8_0", "Q8_0"),
        ("Q4_K_XL", "Q4_K_XL"),
        ("", None),
        ("q9_0", None),
        ("unknown", None),
    ],
)
def test_every_habit_of_writing_has_one_spelling(written: str, spelled: str | None) -> None:
    assert canonical(written) == spelled


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        ("gemma-3-4b-it-qat-q4_0", "Q4_0"),
        ("gemma3:27b-it-qat", "QAT"),
        ("qwen2.5-32b-instruct-gptq-int4", "GPTQ"),
        ("qwen2.5-7b-instruct-awq", "AWQ"),
        ("qwen2.5-7b", None),
        ("minilm-l6-v2", None),
    ],
)
def test_the_most_telling_word_of_a_name_wins(name: str, spelled: str | None) -> None:
    assert found_in(name)[0] == spelled


def test_every_spelling_with_bits_reads_as_itself_and_no_weight_is_free() -> None:
    assert all(canonical(spelled) == spelled for spelled in BITS_PER_WEIGHT)
    assert all(1 < bits <= 32 for bits in BITS_PER_WEIGHT.values())


def test_more_bits_are_named_by_higher_numbers() -> None:
    order = ["Q2_K", "Q3_K_M", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "F16", "F32"]
    assert sorted(order, key=lambda each: BITS_PER_WEIGHT[each]) == order
