"""Bandwidth of cards by the names that their driver gives them."""

from __future__ import annotations

import pytest

from turnout.descriptors.cards import bandwidth_of


@pytest.mark.parametrize(
    ("card", "gb_per_s"),
    [
        ("NVIDIA GeForce RTX 4090", 1008),
        ("NVIDIA GeForce RTX 3060 Ti", 448),
        ("NVIDIA GeForce RTX 3060", 360),
        ("NVIDIA GeForce RTX 4070 Ti SUPER", 672),
        ("NVIDIA H100 80GB HBM3", 3350),
        ("NVIDIA H100 PCIe", 2000),
        ("NVIDIA A100-SXM4-80GB", 2039),
        ("NVIDIA A100-PCIE-40GB", 1555),
        ("NVIDIA A10G", 600),
        ("NVIDIA RTX 6000 Ada Generation", 960),
        ("Tesla T4", 320),
        ("Tesla V100-SXM2-16GB", 900),
    ],
)
def test_a_card_is_known_by_the_longest_name_that_fits(card: str, gb_per_s: int) -> None:
    assert bandwidth_of(card) == gb_per_s * 1e9


def test_a_card_in_a_laptop_is_slower_than_its_namesake() -> None:
    mobile, desktop = (bandwidth_of(f"NVIDIA GeForce RTX 4080{rest}") for rest in (" Laptop GPU", ""))
    assert mobile is not None and desktop is not None and mobile < desktop


@pytest.mark.parametrize("card", ["", "NVIDIA GeForce RTX 9999", "Radeon RX 7900 XTX", "NVIDIA T400", "RTX40900"])
def test_an_unknown_card_stays_unknown(card: str) -> None:
    assert bandwidth_of(card) is None
