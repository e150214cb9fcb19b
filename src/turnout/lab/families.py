"""All families of the laboratory by name."""

from __future__ import annotations

from typing import Final

from turnout.lab.families_code import CODE
from turnout.lab.families_letters import LETTERS
from turnout.lab.families_numbers import NUMBERS
from turnout.lab.families_words import WORDS

FAMILIES: Final = {family.name: family for family in (*LETTERS, *WORDS, *NUMBERS, *CODE)}

FAMILY_NAMES: Final = tuple(FAMILIES)
