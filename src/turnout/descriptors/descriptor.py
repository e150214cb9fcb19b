"""What is known of one language model as a frozen value; unknown is None and never a guess."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Variant: TypeAlias = Literal["base", "instruct", "coder", "reasoning", "math", "tools", "vision", "embedding"]
SizeTier: TypeAlias = Literal["small", "medium", "large"]
Effort: TypeAlias = Literal["low", "medium", "high"]

Identity: TypeAlias = tuple[str | float | bool | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """One language model, however its name was written.

    `family` is the lower-case lineage of who trained it last, `generation` what its maker counts ("2.5", "4o"; only
    DeepSeek's keeps its "v", as in "v3"), `line` its place among what the maker sells under one generation ("nemo",
    "flash-lite", "turbo"), empty for the plain one. `variant` is what it was made for; a speciality goes before instruct
    and base, and what only thinks when asked to is instruct. `instruct` says whether it was tuned to follow
    instructions. `tier` is what its maker calls its size where the parameters are unpublished.

    `parameters_b` and `active_parameters_b` (for each token) are billions; `nominal_b` is the size that its name or
    the table gives it, which stays the same where providers count differently (a "7b" is told as 7.6B).
    `context_tokens` is the window its name or its provider tells. `version` is the dated or numbered version of one
    generation ("2024-07", "002", or "latest", which moves), `released` a year with its month as a fraction (July 2024 is 2024.5).
    """

    family: str | None = None
    generation: str | None = None
    line: str = ""
    variant: Variant | None = None
    instruct: bool | None = None
    tier: SizeTier | None = None
    effort: Effort | None = None
    parameters_b: float | None = None
    active_parameters_b: float | None = None
    nominal_b: float | None = None
    quantisation: str | None = None
    bits_per_weight: float | None = None
    context_tokens: int | None = None
    version: str | None = None
    released: float | None = None

    @property
    def identity(self) -> Identity:
        """What makes it the same language model wherever it is served; not its quantisation, not its window."""
        return (
            self.family,
            self.generation,
            self.line,
            self.variant,
            self.instruct,
            self.nominal_b,
            self.tier,
            self.effort,
            self.version,
        )
