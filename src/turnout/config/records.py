"""What is kept, what is private, and what is told while developing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from turnout.config.patterns import bounded_pattern
from turnout.config.values import Count, Flag, FrozenMapping, Positive, Section, SettingError, Text
from turnout.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class History(Section):
    """The log of decisions, attempts and outcomes.

    `url` is an SQLAlchemy address, None an SQLite file in the state folder; with a password in it, name the environment
    variable that holds it in `url_variable` instead. Prompts are stored in full, as features only, or not at all. Rows older than
    `retention_days` are deleted; None keeps them.
    """

    enabled: Flag = True
    url: Text | None = None
    url_variable: Text | None = None
    prompts: Literal["full", "features", "none"] = "full"
    retention_days: Count | None = 365

    def check(self) -> None:
        """An address with a scheme."""
        if self.url is not None and not re.match(r"[a-z][a-z0-9+]*://", self.url):
            raise SettingError("url", "url is no database address; expected sqlite:///FILE or postgresql://HOST/NAME")


@dataclass(frozen=True, slots=True, kw_only=True)
class Privacy(Section):
    """What a prompt is searched for before it is sent anywhere: known kinds of secrets, and patterns of one's own.

    `patterns` maps a name, which rules see and logs may hold, to a regular expression. At most the first
    `max_scan_characters` of a request are searched.
    """

    scan: Flag = True
    patterns: Mapping[str, Text] = field(default_factory=FrozenMapping)
    max_scan_characters: Count = 1_000_000

    def check(self) -> None:
        """Patterns compile, cannot take long, and do not match nothing."""
        for name, pattern in self.patterns.items():
            try:
                bounded_pattern(pattern)
            except ConfigurationError as error:
                raise SettingError(f"patterns.{name}", f"pattern {name!r}: {error}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Development(Section):
    """For those who look inside. `log_decisions` writes one line for each, without the prompt; `debug` tells more."""

    log_decisions: Flag = False
    debug: Flag = False
    slow_decision_s: Positive = 0.05
