"""Cold speed: from size, quantisation and bandwidth; as wide as little is known, and near what was published."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.descriptors import Descriptor, describe
from turnout.descriptors.speed import Bandwidth, Likely, Weights, cold_speed

GB = 10**9
GIB = 2**30


def weights(name: str, size_bytes: int | None = None) -> Weights:
    found = Weights.of(describe(name), size_bytes)
    assert found is not None
    return found


# Likely numbers


def test_what_is_certain_has_no_spread() -> None:
    sure = Likely(3.0)
    assert (sure.low, sure.high, sure.spread) == (3.0, 3.0, 0.0)


def test_factors_of_independent_numbers_add_up_in_quadrature() -> None:
    product = Likely(2.0, 3.0).times(Likely(5.0, 3.0))
    assert product.value == 10 and 3 < product.factor < 9
    assert product.spread == pytest.approx(2**0.5 * Likely(1.0, 3.0).spread)
    assert Likely(2.0, 3.0).over(Likely(4.0)) == Likely(0.5, pytest.approx(3.0))


# Weights


def test_the_size_of_the_file_goes_before_what_the_name_tells() -> None:
    assert weights("llama3.1:8b", 5 * GB).total == Likely(5 * GB)


def test_a_told_quantisation_gives_the_size_nearly() -> None:
    told = weights("Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf").total
    assert told.value == pytest.approx(4.92 * GB, rel=0.05) and told.factor == 1.0


def test_an_untold_quantisation_leaves_room_for_others() -> None:
    untold = weights("llama3.1:8b").total
    assert untold.low < 8e9 * 3.5 / 8 and untold.value < untold.high == pytest.approx(8e9 * 7.8 / 8, rel=0.02)


def test_only_the_active_part_of_a_mixture_is_read_for_each_token() -> None:
    mixture = weights("qwen3:30b-a3b", 18 * GB)
    assert mixture.active.value == pytest.approx(1.8 * GB)
    vague = Weights.of(Descriptor(parameters_b=100.0), 50 * GB)
    assert vague is not None and vague.active.factor > 2 and vague.active.value < vague.total.value


def test_of_an_unknown_size_nothing_is_told() -> None:
    assert Weights.of(Descriptor()) is None
    assert Weights.of(Descriptor(), 4 * GB) == Weights(Likely(4 * GB), Likely(4 * GB))


# Speed, against published figures


PUBLISHED = [
    ("RTX 3090, 8B Q4_0 (llama.cpp pull request 15802)", 4.33 * GIB, 936, 155.0, True),
    ("P40, 7B Q4_0 (4766)", 3.56 * GIB, 346, 56.8, True),
    ("i9-13900K on DDR5-6400, 7B in four bits (issue 34)", 3.56 * GIB, 102.4, 18.3, False),
    ("EPYC 9554, 14B Q4_K_M (ahelpme.com)", 8.43 * GIB, 460.8, 28.7, False),
    ("EPYC 9554, 14B Q8_0 (ahelpme.com)", 14.51 * GIB, 460.8, 19.2, False),
]


@pytest.mark.parametrize(("what", "size", "bandwidth", "measured", "card"), PUBLISHED, ids=[p[0] for p in PUBLISHED])
def test_what_was_published_lies_in_the_range(
    what: str, size: float, bandwidth: float, measured: float, card: bool
) -> None:
    known = Likely(bandwidth * 1e9)
    told = Weights.of(Descriptor(), round(size))
    assert told is not None
    decode = cold_speed(told, Bandwidth(known, known), on_card=float(card)).decode_tokens_per_s
    assert decode.low <= measured <= decode.high


@pytest.mark.parametrize(("size", "seconds"), [(42 * GB, 74.0), (42 * GB, 18.0)])
def test_published_loads_lie_in_the_range(size: int, seconds: float) -> None:
    told = Weights.of(Descriptor(), size)
    assert told is not None
    load = cold_speed(told, Bandwidth()).load_s
    assert load.low <= seconds <= load.high


def test_a_measured_memory_is_told_more_narrowly_than_a_guessed_one() -> None:
    told = weights("llama3.1:8b", 5 * GB)
    guessed, measured = (
        cold_speed(told, Bandwidth.of(ram_copied_per_s=copied)).decode_tokens_per_s for copied in (None, 50e9)
    )
    assert measured.factor < guessed.factor
    assert measured.value == pytest.approx(0.65 * 62.5 / 5)


def test_a_part_in_main_memory_slows_the_whole_down() -> None:
    told = weights("llama3.3:70b", 42 * GB)
    rates = [
        cold_speed(told, Bandwidth.of(card_bytes_per_s=1e12), on_card=share).decode_tokens_per_s.value
        for share in (0.0, 0.5, 0.9, 1.0)
    ]
    assert rates == sorted(rates) and rates[1] < 2 * rates[0] and rates[3] > 10 * rates[0]


@given(st.integers(1, 10**13), st.floats(0, 1), st.none() | st.floats(1e8, 1e13), st.none() | st.floats(1e8, 1e13))
def test_every_speed_is_a_positive_number_within_its_range(
    size: int, share: float, ram: float | None, card: float | None
) -> None:
    told = Weights.of(Descriptor(), size)
    assert told is not None
    speed = cold_speed(told, Bandwidth.of(ram_copied_per_s=ram, card_bytes_per_s=card), on_card=share)
    for one in (speed.decode_tokens_per_s, speed.prefill_tokens_per_s, speed.load_s):
        assert 0 < one.low <= one.value <= one.high < float("inf")
    assert speed.prefill_tokens_per_s.value > speed.decode_tokens_per_s.value
