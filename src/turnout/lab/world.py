"""The tasks of the laboratory, drawn by a seed; what language models learn from is never what they are judged on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.random import Generator

from turnout.errors import DataError
from turnout.lab.families import FAMILIES, FAMILY_NAMES
from turnout.lab.family import DIFFICULTIES, Arguments

Part: TypeAlias = Literal["train", "heldout"]

HELD_OUT_SHARE: Final = 0.2


@dataclass(frozen=True, slots=True)
class Task:
    """One prompt with its only right answer. `group` is the same for the same work in other words."""

    prompt: str
    answer: str
    family: str
    difficulty: int
    group: str


def is_held_out(family: str, arguments: Arguments) -> bool:
    """Whether this work is judged on, in whatever words; a share of `HELD_OUT_SHARE` is."""
    return int(_digest(family, arguments), 16) < HELD_OUT_SHARE * 2**64


def generate(
    n: int,
    seed: int,
    families: Sequence[str] = FAMILY_NAMES,
    difficulties: Sequence[int] = DIFFICULTIES,
    *,
    part: Part = "heldout",
) -> list[Task]:
    """Draw `n` tasks, evenly over families and difficulties.

    Args:
        seed: not negative; the same arguments give the same tasks.
        part: held-out tasks were never trained on.

    Raises:
        DataError: an unknown family or difficulty, or none.
    """
    return list(islice(stream(seed, families, difficulties, part=part), n))


def stream(
    seed: int,
    families: Sequence[str] = FAMILY_NAMES,
    difficulties: Sequence[int] = DIFFICULTIES,
    *,
    part: Part = "heldout",
) -> Iterator[Task]:
    """The tasks of `generate` without an end."""
    for name, given, known in (("family", families, FAMILY_NAMES), ("difficulty", difficulties, DIFFICULTIES)):
        if unknown := [one for one in given if one not in known] or not given:
            raise DataError(f"no {name} {unknown}; there are: {', '.join(map(str, known))}")
    return _drawn(np.random.default_rng(seed), tuple(families), tuple(difficulties), part)


def draw(chance: Generator, family: str, difficulty: int, part: Part) -> Task:
    """One task of that family, difficulty and part."""
    kind = FAMILIES[family]
    while True:
        arguments = kind.draw(chance, difficulty)
        if is_held_out(family, arguments) == (part == "heldout"):
            break
    phrasing = kind.phrasings[int(chance.integers(len(kind.phrasings)))]
    return Task(
        phrasing.format(*arguments),
        kind.solve(*arguments),
        family,
        difficulty,
        f"{family}-{_digest(family, arguments)}",
    )


def _drawn(chance: Generator, families: tuple[str, ...], difficulties: tuple[int, ...], part: Part) -> Iterator[Task]:
    while True:
        family = families[int(chance.integers(len(families)))]
        yield draw(chance, family, difficulties[int(chance.integers(len(difficulties)))], part)


def _digest(family: str, arguments: Arguments) -> str:
    return blake2b("\x1f".join((family, *arguments)).encode(), digest_size=8).hexdigest()
