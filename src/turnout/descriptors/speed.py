"""How fast a language model should run that was never run here: from its size and the bandwidth of the memory it is in.

Writing a token reads every active weight once, so decoding is bound by memory bandwidth (Pope et al., "Efficiently Scaling
Transformer Inference", 2022). All of it is a guess with a range; measurements replace it as they come.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Self

from turnout.descriptors.descriptor import Descriptor

_Z_90: Final = 1.645

_EFFICIENCY: Final = 0.65, 1.35
"""Share of the bandwidth on paper that llama.cpp's decoding reaches, with the factor that 90 % lie within.

Tokens a second times the file's size over the bandwidth on paper: RTX 3090 with an 8B in Q4_0 .77 (llama.cpp pull request
15802), M1 Max with a 33B .69 (2188), Core i9-13900K on DDR5-6400 with a 7B in four bits .68 (issue 34), Tesla P40 with a 7B in
Q4_0 .63 (4766), EPYC 9554 with a 14B in Q8_0 .65 and in Q4_K_M .56 (ahelpme.com, 2025).
"""

_PREFILL_IN_RAM: Final = 6.0, 2.5
_PREFILL_ON_CARD: Final = 25.0, 2.5
"""Tokens read for each token written, with the same kind of factor: prefill is bound by arithmetic.

From the same sources 3 for the 13900K, 16 for the P40, and some 65 for an RTX 4090, which reads 10,400 tokens of an 8B in Q4_0
a second (7676); two cores of a Xeon 8375C read 13 (blog.victorbona.dev, 2025).
"""

_LOAD_BYTES_PER_S: Final = 1.5e9, 2.7
_LOAD_OVERHEAD_S: Final = 1.0
"""A 70B in four bits was loaded in 74 s from a SATA disk and in 18 s from NVMe (markaicode.com, 2026): .55 and 2.3 GB/s.
What the system still holds in its cache comes faster, a spinning disk slower. A process starts and allocates in a second."""

_USUAL_BITS: Final = 4.8944, 1.6
"""Where no quantisation is told: Q4_K_M, which Ollama's library and LM Studio take unless asked, up to Q8_0."""

_SOME_ARE_ACTIVE: Final = 0.2, 2.5
"""Active share of a mixture of experts whose active parameters nobody told: .06 (DeepSeek V3) to .28 (Mixtral 8x7B)."""

_RAM_BYTES_PER_S: Final = 64e9, 2.0
"""Unmeasured main memory: two channels of DDR4-2400 (38 GB/s) to DDR5-8000 (128 GB/s)."""

_VRAM_BYTES_PER_S: Final = 500e9, 2.0
"""An unknown card: RTX 3050 (224 GB/s) to RTX 4090 (1,008 GB/s)."""

_MEASURED: Final = 1.25, 1.3
"""Bandwidth on paper over what copying reaches: four fifths are had by STREAM on most processors, and others are at work."""


@dataclass(frozen=True, slots=True)
class Likely:
    """A positive number that is not known: its middle, and the factor either way that 90 % lie within (1 is certain)."""

    value: float
    factor: float = 1.0

    @property
    def low(self) -> float:
        """The lower end of the 90 % interval."""
        return self.value / self.factor

    @property
    def high(self) -> float:
        """The upper end."""
        return self.value * self.factor

    @property
    def spread(self) -> float:
        """Standard deviation of its logarithm."""
        return math.log(self.factor) / _Z_90

    def times(self, other: Likely) -> Likely:
        """The product of two that have nothing to do with each other."""
        return Likely(self.value * other.value, math.exp(math.hypot(math.log(self.factor), math.log(other.factor))))

    def over(self, other: Likely) -> Likely:
        """The quotient of two that have nothing to do with each other."""
        return self.times(Likely(1 / other.value, other.factor))


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """Of a machine's memories, in bytes a second as on paper."""

    ram: Likely = Likely(*_RAM_BYTES_PER_S)
    vram: Likely = Likely(*_VRAM_BYTES_PER_S)

    @classmethod
    def of(cls, *, ram_copied_per_s: float | None = None, card_bytes_per_s: float | None = None) -> Self:
        """From what copying in main memory reached and what the card's maker publishes, None where unknown."""
        ram, vram = Likely(*_RAM_BYTES_PER_S), Likely(*_VRAM_BYTES_PER_S)
        if ram_copied_per_s is not None:
            ram = Likely(ram_copied_per_s).times(Likely(*_MEASURED))
        return cls(ram, vram if card_bytes_per_s is None else Likely(card_bytes_per_s))


@dataclass(frozen=True, slots=True)
class Weights:
    """What a language model's weights take, in bytes: all of them, and those read for each token."""

    total: Likely
    active: Likely

    @classmethod
    def of(cls, descriptor: Descriptor, size_bytes: int | None = None) -> Self | None:
        """From the size of its file where a provider tells it, else from parameters and quantisation; else None."""
        parameters, active = descriptor.parameters_b, descriptor.active_parameters_b
        if size_bytes:
            total = Likely(float(size_bytes))
        elif parameters is not None:
            bits = descriptor.bits_per_weight
            total = (Likely(*_USUAL_BITS) if bits is None else Likely(bits)).times(Likely(parameters * 1e9 / 8))
        else:
            return None
        if parameters is None:
            return cls(total, total)
        share = Likely(*_SOME_ARE_ACTIVE) if active is None else Likely(min(1.0, active / parameters))
        return cls(total, total.times(share))


@dataclass(frozen=True, slots=True)
class ColdSpeed:
    """What is expected of a language model before anything was measured."""

    decode_tokens_per_s: Likely
    prefill_tokens_per_s: Likely
    load_s: Likely


def cold_speed(weights: Weights, bandwidth: Bandwidth, *, on_card: float = 0.0) -> ColdSpeed:
    """The speed of weights of which the share `on_card` is in the card's memory, the rest in main memory."""
    # One after the other: each token passes through all layers, wherever they are.
    ram_s, card_s = (1 - on_card) / bandwidth.ram.value, on_card / bandwidth.vram.value
    slower = bandwidth.ram if ram_s > card_s else bandwidth.vram
    together = Likely(1 / (ram_s + card_s), slower.factor)
    decode = together.over(weights.active).times(Likely(*_EFFICIENCY))
    prefill = decode.times(Likely(*(_PREFILL_ON_CARD if on_card == 1 else _PREFILL_IN_RAM)))
    reading = weights.total.over(Likely(*_LOAD_BYTES_PER_S))
    return ColdSpeed(decode, prefill, Likely(_LOAD_OVERHEAD_S + reading.value, reading.factor))
