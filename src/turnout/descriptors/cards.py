"""Memory bandwidth of graphics cards by the name that NVIDIA's driver gives them, from their makers' data sheets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_GB_PER_S: Final[Mapping[str, int]] = {
    "GTX 1060": 192, "GTX 1070": 256, "GTX 1070 Ti": 256, "GTX 1080": 320, "GTX 1080 Ti": 484,
    "GTX 1650": 128, "GTX 1660": 192, "GTX 1660 Ti": 288, "GTX 1660 SUPER": 336,
    "RTX 2060": 336, "RTX 2060 SUPER": 448, "RTX 2070": 448, "RTX 2070 SUPER": 448, "RTX 2080": 448,
    "RTX 2080 SUPER": 496, "RTX 2080 Ti": 616, "TITAN RTX": 672,
    "RTX 3050": 224, "RTX 3060": 360, "RTX 3060 Ti": 448, "RTX 3070": 448, "RTX 3070 Ti": 608,
    "RTX 3080": 760, "RTX 3080 Ti": 912, "RTX 3090": 936, "RTX 3090 Ti": 1008,
    "RTX 4060": 272, "RTX 4060 Ti": 288, "RTX 4070": 504, "RTX 4070 SUPER": 504, "RTX 4070 Ti": 504,
    "RTX 4070 Ti SUPER": 672, "RTX 4080": 717, "RTX 4080 SUPER": 736, "RTX 4090": 1008,
    "RTX 5060": 448, "RTX 5060 Ti": 448, "RTX 5070": 672, "RTX 5070 Ti": 896, "RTX 5080": 960, "RTX 5090": 1792,
    "RTX A2000": 288, "RTX A4000": 448, "RTX A5000": 768, "RTX A6000": 768,
    "RTX 4000 Ada": 360, "RTX 5000 Ada": 576, "RTX 6000 Ada": 960,
    "Tesla P4": 192, "Tesla P40": 346, "Tesla P100": 732, "Tesla T4": 320, "T4": 320,
    "Tesla V100": 900, "V100": 900, "A10": 600, "A10G": 600, "A16": 200, "A30": 933, "A40": 696,
    "L4": 300, "L40": 864, "L40S": 864, "A100": 1555, "A100 80GB": 1935, "A100-SXM4-80GB": 2039,
    "H100 PCIe": 2000, "H100 NVL": 3900, "H100": 3350, "H200": 4800, "B200": 8000, "GH200": 4000, "GB10": 273,
}  # fmt: skip
"""10^9 bytes a second of the desktop cards and accelerators; where one name came with several memories, the slower."""

_LAPTOP: Final = 0.8
"""Cards of the same name in laptops run their memory slower: RTX 4080 432 of 717 GB/s, RTX 4060 256 of 272."""

_WORD: Final = re.compile(r"[^A-Za-z0-9]+")


def bandwidth_of(card: str) -> float | None:
    """Bytes a second of a card such as "NVIDIA GeForce RTX 4090"; None where it is not known."""
    words = f" {_WORD.sub(' ', card)} ".lower()
    known = [name for name in _GB_PER_S if f" {_WORD.sub(' ', name)} ".lower() in words]
    if not known:
        return None
    bytes_per_s = _GB_PER_S[max(known, key=len)] * 1e9
    return bytes_per_s * (_LAPTOP if " laptop " in words or " max q " in words else 1.0)
