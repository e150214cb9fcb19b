"""Quantisations: how names write them, one spelling for each, and how many bits a weight takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

BITS_PER_WEIGHT: Final[Mapping[str, float]] = {
    "IQ1_S": 2.0042,
    "IQ1_M": 2.1460,
    "IQ2_XXS": 2.3824,
    "IQ2_XS": 2.5882,
    "IQ2_S": 2.7403,
    "IQ2_M": 2.9294,
    "IQ3_XXS": 3.2548,
    "IQ3_XS": 3.4977,
    "IQ3_S": 3.6606,
    "IQ3_M": 3.7628,
    "IQ4_XS": 4.4597,
    "IQ4_NL": 4.6818,
    "Q2_K_S": 2.9697,
    "Q2_K": 3.1593,
    "Q3_K_S": 3.6429,
    "Q3_K_M": 4.00,
    "Q3_K_L": 4.2979,
    "Q4_K_S": 4.6672,
    "Q4_K_M": 4.8944,
    "Q5_K_S": 5.5704,
    "Q5_K_M": 5.7036,
    "Q6_K": 6.5633,
    "Q8_0": 8.5008,
    "F16": 16.0005,
    "Q4_0": 4.5,
    "Q4_1": 5.0,
    "Q5_0": 5.5,
    "Q5_1": 6.0,
    "TQ1_0": 1.6875,
    "TQ2_0": 2.0625,
    "MXFP4": 4.25,
    "NVFP4": 4.5,
    "BF16": 16.0,
    "F32": 32.0,
    "FP8": 8.0,
    "INT8": 8.0,
    "AWQ": 4.16,
    "3BIT": 3.5,
    "4BIT": 4.5,
    "5BIT": 5.5,
    "6BIT": 6.5,
    "8BIT": 8.5,
}
"""Bits a weight takes, scales included.

From IQ1_S to F16: Llama 3.1 8B as measured in llama.cpp's tools/quantize/README.md (commit 311c2c9; Q3_K_M, which that
table leaves out, by the file size that llama-quantize prints). The others by their layout: ggml's blocks of 32 (Q4_0 to
Q5_1) and 256 (TQ1_0, TQ2_0), OCP's MXFP4 with an 8-bit scale for 32, NVFP4 with one for 16, AutoAWQ's 4 bits with a
16-bit scale and a 4-bit zero for 128, MLX's n bits with a 16-bit scale and bias for 64. GPTQ and EXL come in several
widths, which their names alone do not tell.
"""

_ALIASES: Final[Mapping[str, str]] = {
    "FP16": "F16",
    "FP32": "F32",
    "W8A8": "INT8",
    "MXFP4_MOE": "MXFP4",
}
_MIXED: Final = re.compile(
    r"(?<![a-z0-9])(?:"
    r"i?q[1-8][_-](?:[01]|k|xxs|xs|s|m|l|nl)(?:[_-](?:xxs|xs|s|m|l|xl|nl))?(?:_[48]){0,2}"
    r"|q[2-8]k[sml]?|tq[12]_0"
    r"|(?:mx|nv)fp4(?:_moe)?|b?f16|fp(?:4|8|16|32)|f32|int[48]|nf4|w4a16|w8a8"
    r"|[2-8][ _-]?bits?|awq|gptq|exl[23]|hqq|qat"
    r")(?![a-z0-9])"
)
_BLOCK: Final = re.compile(r"(I?Q[1-8])_?(K)_?([SML])?")
_VAGUE: Final = ("QAT", "GPTQ", "AWQ")


def canonical(text: str) -> str | None:
    """One spelling for one quantisation ("q4-k-m" and "Q4_K_M", "fp16" and "F16"), None for what is none."""
    lower = text.strip().lower()
    return _spelled(lower) if _MIXED.fullmatch(lower) else None


def found_in(text: str) -> tuple[str | None, str]:
    """The quantisation that a lower-case name tells, and the name without it.

    Where it tells several, a concrete one goes before what only names a method ("it-qat-q4_0", "gptq-int4"), but a
    method of 4 bits keeps its own name over a bare number of them.
    """
    found = [_spelled(match.group()) for match in _MIXED.finditer(text)]
    if not found:
        return None, text
    methods = [each for each in found if each in _VAGUE and each != "QAT"]
    concrete = [each for each in found if each not in _VAGUE]
    return (methods or concrete or found)[0], _MIXED.sub(" ", text)


def _spelled(lower: str) -> str:
    upper = lower.upper().replace("-", "_")
    if "BIT" in upper:
        return upper[0] + "BIT"
    if match := _BLOCK.fullmatch(upper):
        return "_".join(filter(None, match.groups()))
    return _ALIASES.get(upper, upper)
