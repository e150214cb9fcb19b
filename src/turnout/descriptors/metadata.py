"""What a provider says of a language model, in its own words: LM Studio's list and Ollama's details."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

LEAST_B: Final = 0.001
MOST_B: Final = 5000.0
"""Billions of parameters. Outside of these nothing was published; a number there is a mistake."""

_PARAMETERS: Final = re.compile(
    r"(?:([0-9]{1,3})x)?([0-9]{1,6}(?:\.[0-9]{1,6})?)\s?([kmbt])(?:-a([0-9]{1,4}(?:\.[0-9]{1,3})?)b)?"
)
_SCALES: Final = {"k": 1e-6, "m": 1e-3, "b": 1.0, "t": 1e3}

EXPERTS: Final = {
    (8, 7.0): (46.7, 12.9),
    (8, 22.0): (140.6, 39.1),
    (16, 17.0): (109.0, 17.0),
    (128, 17.0): (400.0, 17.0),
}
"""Published total and active billions of what is called "8x7B": less than the product, since experts share a part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What a provider tells; None where it does not.

    LM Studio gives `architecture` ("qwen2"), `parameters` ("7B", its `params_string`), `quantisation` and
    `bits_per_weight`, `context_tokens` (`max_context_length`) and `kind` (its `type`: "llm", "vlm", "embedding").
    Ollama gives `architecture` (`details.family`), `parameters` ("7.6B", its `parameter_size`; a number is
    `general.parameter_count`), `quantisation` (`quantization_level`) and `context_tokens`.
    """

    architecture: str | None = None
    parameters: str | float | None = None
    active_parameters: str | float | None = None
    quantisation: str | None = None
    bits_per_weight: float | None = None
    context_tokens: int | None = None
    kind: str | None = None


def plausible(billions: float) -> float | None:
    """The size in billions of parameters, None where no language model has it."""
    return billions if LEAST_B <= billions <= MOST_B else None


def parameters_b(told: str | float | None) -> tuple[float | None, float | None]:
    """Total and active billions of "7.6B", "8x7B", "30B-A3B" or a count of parameters; None where it does not tell."""
    if told is None or isinstance(told, bool):
        return None, None
    if not isinstance(told, str):
        return (plausible(told / 1e9) if 0 < told < 1e15 else None), None
    match = _PARAMETERS.fullmatch(told.strip().lower()[:40])
    if match is None:
        return None, None
    experts, number, scale, active = match.groups()
    size = float(number) * _SCALES[scale]
    if experts is not None:
        return EXPERTS.get((int(experts), size), (None, None))
    return plausible(size), plausible(float(active)) if active else None
