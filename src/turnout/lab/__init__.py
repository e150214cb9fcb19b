"""The laboratory: a world of short tasks whose answers a program checks, for language models small enough to ship."""

from turnout.lab.families import FAMILIES, FAMILY_NAMES
from turnout.lab.family import DIFFICULTIES, Family
from turnout.lab.judge import judge
from turnout.lab.world import Part, Task, generate, is_held_out

__all__ = [
    "DIFFICULTIES",
    "FAMILIES",
    "FAMILY_NAMES",
    "Family",
    "Part",
    "Task",
    "generate",
    "is_held_out",
    "judge",
]
