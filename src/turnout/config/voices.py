"""Named personas, and several candidates that answer together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from turnout.config.rules import PreferenceSetting
from turnout.config.values import Count, Names, NotNegative, Positive, Section, SettingError, Strict, Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice(Section):
    """A persona: its system prompt, how freely it speaks, and the candidates it likes best, in order."""

    system_prompt: Text
    description: Text = ""
    temperature: Annotated[float, Strict(least=0, most=2)] | None = None
    candidates: Names = ()
    preference: PreferenceSetting | None = None

    def check(self) -> None:
        """It says something."""
        if not self.system_prompt.strip():
            raise SettingError("system_prompt", "system_prompt is empty")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ensemble(Section):
    """Several answers made into one.

    `best_of`: `answers` answers, the `judge` picks one. `majority`: the answer that most agree on. `refine`: the first
    candidate drafts, the next ones improve. `voices`: each voice answers, the `judge` writes the synthesis. Budgets
    are for the whole; None is no budget of its own.
    """

    kind: Literal["best_of", "majority", "refine", "voices"]
    description: Text = ""
    candidates: Names = ()
    voices: Names = ()
    answers: Annotated[int, Strict(least=1, most=32)] = 3
    judge: Text | None = None
    max_parallel: Count = 2
    budget_s: Positive | None = None
    budget_usd: NotNegative | None = None

    def check(self) -> None:
        """Those who speak are named."""
        if self.kind == "voices" and not self.voices:
            raise SettingError("voices", "voices is empty; an ensemble of kind voices names the voices that answer")
        if self.kind == "refine" and len(self.candidates) < 2:
            raise SettingError("candidates", "candidates holds less than two; one drafts and another refines")
