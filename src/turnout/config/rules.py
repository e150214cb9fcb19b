"""Rules as they are written: a condition in the Common Expression Language, and what it does to the candidates."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, Final, TypeAlias

from turnout.config.values import Flag, Names, NotNegative, OneOf, Section, SettingError, Share, Text
from turnout.types import Preference

MAX_CONDITION_CHARACTERS: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRates(Section):
    """What time and money are worth, as probability of success: `success_per_second` .01 gives up one point of success
    to be a second faster, `success_per_cent` the same for one US cent."""

    success_per_second: NotNegative = 0.0
    success_per_cent: NotNegative = 0.0


PreferenceSetting: TypeAlias = Annotated[
    Preference | NotNegative | ExchangeRates,
    OneOf("fast, balanced, quality, a number of 0 or more, or {success_per_second, success_per_cent}"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefer(Section):
    """A preference that decides where the predictor is unsure: targets in order, and how sure the rule is of them."""

    target: Names
    confidence: Share = 0.8

    def check(self) -> None:
        """Somebody is preferred."""
        if not self.target:
            raise SettingError("target", "target is empty; name a candidate, a provider or a pattern such as ollama/*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects(Section):
    """What a rule does, one or more of these. First match wins inside an effect.

    `force` leaves only its targets, `forbid` takes its targets away, `prefer` decides where the predictor is unsure,
    `preference` and `threshold` set those of the request, `hold` keeps a stream back until the answer is judged,
    `require_local` leaves only candidates on this machine. A target is a candidate (`ollama/llama3.3`), a provider
    (`ollama`), a pattern (`*/qwen*`) or a tier (`fast`, `strong`: the cheaper and the dearer half).
    """

    force: Names = ()
    prefer: Prefer | None = None
    forbid: Names = ()
    preference: PreferenceSetting | None = None
    threshold: Share | None = None
    hold: Flag | None = None
    require_local: Flag | None = None

    def check(self) -> None:
        """At least one effect."""
        if all(getattr(self, entry.name) in (None, ()) for entry in fields(self)):
            raise SettingError("", f"no effect; give one or more of {', '.join(entry.name for entry in fields(self))}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(Section):
    """One rule. `name` and `description` stand in the decisions it makes; `when` is the condition, `then` the effects."""

    name: Text
    when: Text
    then: Effects
    description: Text = ""
    enabled: Flag = True

    def check(self) -> None:
        """A name that can be shown and a condition of bounded length."""
        if not self.name.strip() or not self.name.isprintable() or len(self.name) > 80:
            raise SettingError("name", f"name is {self.name[:80]!r}; expected 1 to 80 printable characters")
        if not self.when.strip() or len(self.when) > MAX_CONDITION_CHARACTERS:
            raise SettingError("when", f"when is empty or longer than {MAX_CONDITION_CHARACTERS} characters")
