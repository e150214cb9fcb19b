"""What the rules say about one request, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from turnout.config.rules import ExchangeRates
from turnout.types import Preference


@dataclass(frozen=True, slots=True)
class Forced:
    """The only candidates that a rule leaves, none of them forbidden."""

    candidates: tuple[str, ...]
    rule: str


@dataclass(frozen=True, slots=True)
class Preferred:
    """Candidates that a rule prefers, in its order and none of them forbidden, and how sure it is of them."""

    candidates: tuple[str, ...]
    confidence: float
    rule: str


@dataclass(frozen=True, slots=True)
class Spoken:
    """A rule that decided something: `effects` are the words of the configuration for what it set."""

    name: str
    description: str
    effects: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the rules say about one request: None, nobody or false where no rule speaks.

    `forbidden` maps a candidate to the first rule that forbids it; `preference` and `threshold` take the place of those
    of the request; `hold` keeps a stream back until the answer is judged; `require_local` keeps the prompt on this
    machine. `rules` are those that decided something, `matched` the positions of all that hold.
    """

    forced: Forced | None = None
    forbidden: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    preferred: Preferred | None = None
    preference: Preference | float | ExchangeRates | None = None
    threshold: float | None = None
    hold: bool = False
    require_local: bool = False
    rules: tuple[Spoken, ...] = ()
    matched: tuple[int, ...] = ()

    def by(self, effect: str) -> str:
        """The rule that decided an effect; of several that forbid the first; empty for none."""
        return next((rule.name for rule in self.rules if effect in rule.effects), "")


NOTHING_SAID: Final = Verdict()
