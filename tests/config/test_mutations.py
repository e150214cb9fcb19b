"""Broken variants of the example, made by machine: every one is refused at the right line, or changes nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

import pytest
from tests.config.mutations import Mutant, mutants

from turnout.config.loader import Loaded
from turnout.config.problems import InvalidConfigurationError


@pytest.fixture(scope="module")
def broken(example: str) -> list[Mutant]:
    return list({mutant.text: mutant for mutant in mutants(example) if mutant.text != example}.values())


def test_broken_variants_of_the_example_are_refused_at_their_line_or_harmless(
    broken: list[Mutant], example: str, read: Callable[..., Loaded]
) -> None:
    refused = judged(sorted(broken, key=lambda mutant: mutant.kind)[::8], example, read)
    assert sum(refused.values()) >= 200
    assert set(refused) >= {
        "key renamed", "key twice", "another type", "out of range", "name misspelled", "variable misspelled",
        "condition torn", "line missing", "indented", "outdented", "tab", "no colon",
    }  # fmt: skip


@pytest.mark.slow
def test_every_broken_variant_of_the_example_is_refused_at_its_line_or_harmless(
    broken: list[Mutant], example: str, read: Callable[..., Loaded]
) -> None:
    assert sum(judged(broken, example, read).values()) >= 2_000


def judged(chosen: list[Mutant], example: str, read: Callable[..., Loaded]) -> Counter[str]:
    """How many of each kind were refused; the rest must mean the same as the example."""
    whole = read(example).configuration
    refused: Counter[str] = Counter()
    wrong = []
    for mutant in chosen:
        try:
            same = read(mutant.text).configuration == whole
        except InvalidConfigurationError as error:
            refused[mutant.kind] += 1
            if not rightly_told(mutant, error):
                wrong.append(f"{mutant}, at {sorted(mutant.lines)}: {error}")
        else:
            if not same:
                wrong.append(f"{mutant}: taken, with another meaning")
    assert not wrong, f"{len(wrong)} of {len(chosen)}:\n" + "\n".join(wrong[:40])
    return refused


def rightly_told(mutant: Mutant, error: InvalidConfigurationError) -> bool:
    """Whether a problem stands at one of the lines, or names one as the line that it does not fit."""
    told = {problem.origin.line for problem in error.problems}
    told |= {int(line) for problem in error.problems for line in re.findall(r"line (\d+)", problem.message)}
    return bool(told & mutant.lines)
