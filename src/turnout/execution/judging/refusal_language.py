"""How the refusals of one language are described: the words that give them away and the patterns of their core.

A *firm* phrase refuses the request itself ("I can't help with that"). A *soft* one tells a limit ("I don't have access to
the internet"), which often opens a good answer, so more has to be known before it counts. Patterns see lower-case text
with straight apostrophes, single blanks and one before each line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Phrases:
    """One language. Every text that `firm` or `soft` can match has one of `words` among its words, or is not ASCII where
    there are none, and holds one of `triggers`."""

    language: str
    words: frozenset[str]
    triggers: tuple[str, ...]
    firm: re.Pattern[str]
    soft: re.Pattern[str]


def phrases(language: str, words: str, triggers: str, firm: str, soft: str) -> Phrases:
    """One language: words with blanks between, triggers with bars, patterns in verbose form."""
    return Phrases(
        language,
        frozenset(words.split()),
        tuple(triggers.split("|")),
        re.compile(firm, re.VERBOSE),
        re.compile(soft, re.VERBOSE),
    )


def spaced(language: str, words: str, triggers: str, firm: str, soft: str) -> Phrases:
    """A language with blanks between its words: patterns that begin with one are looked for three times as fast."""
    return phrases(language, words, triggers, rf"\ (?:{firm})", rf"\ (?:{soft})")
