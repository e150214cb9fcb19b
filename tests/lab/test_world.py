"""The laboratory's tasks: drawn by a seed, graded, and never both learnt from and judged on."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnout.errors import DataError
from turnout.lab import DIFFICULTIES, FAMILIES, FAMILY_NAMES, generate, is_held_out
from turnout.lab.world import HELD_OUT_SHARE, draw

LONGEST_TOKENS = 130
seeds = st.integers(0, 2**32)
families = st.sampled_from(FAMILY_NAMES)
difficulties = st.sampled_from(DIFFICULTIES)


def test_there_are_families_enough_each_asked_in_several_ways() -> None:
    assert len(FAMILIES) >= 15
    for family in FAMILIES.values():
        assert len(set(family.phrasings)) >= 3


def test_no_two_families_ask_in_the_same_words() -> None:
    phrasings = [phrasing for family in FAMILIES.values() for phrasing in family.phrasings]
    assert len(set(phrasings)) == len(phrasings)


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_the_same_seed_gives_the_same_tasks(seed: int) -> None:
    assert generate(20, seed) == generate(20, seed)
    assert generate(20, seed) == generate(30, seed)[:20]


def test_another_seed_gives_others() -> None:
    assert generate(20, 0) != generate(20, 1)


@given(seeds, families, difficulties)
@settings(max_examples=300, deadline=None)
def test_a_task_is_one_that_was_asked_for_and_fits_the_context(seed: int, family: str, difficulty: int) -> None:
    (task,) = generate(1, seed, [family], [difficulty])
    assert (task.family, task.difficulty) == (family, difficulty)
    assert task.group.startswith(family) and task.prompt.strip() == task.prompt
    # the brackets of a phrasing's placeholders are gone, those of an argument may be there
    assert "{0}" not in task.prompt and "{1}" not in task.prompt
    assert len(task.prompt.encode()) + len(task.answer.encode()) + 3 <= LONGEST_TOKENS


@given(seeds, families, difficulties)
@settings(max_examples=300, deadline=None)
def test_the_parts_share_no_work(seed: int, family: str, difficulty: int) -> None:
    kind = FAMILIES[family]
    arguments = kind.draw(np.random.default_rng(seed), difficulty)
    prompts = {phrasing.format(*arguments) for phrasing in kind.phrasings}
    other = "train" if is_held_out(family, arguments) else "heldout"
    assert prompts.isdisjoint(task.prompt for task in generate(20, seed, [family], [difficulty], part=other))


def test_no_prompt_of_thousands_is_in_both_parts() -> None:
    learnt, asked = generate(6000, 0, part="train"), generate(6000, 0, part="heldout")
    assert {task.group for task in learnt}.isdisjoint(task.group for task in asked)
    assert {task.prompt for task in learnt}.isdisjoint(task.prompt for task in asked)


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_about_the_stated_share_of_every_family_is_held_out(family: str) -> None:
    chance, kind = np.random.default_rng(0), FAMILIES[family]
    held = [is_held_out(family, kind.draw(chance, 3)) for _ in range(800)]
    assert abs(np.mean(held) - HELD_OUT_SHARE) < 0.07


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_what_is_harder_is_longer(family: str) -> None:
    lengths = []
    for difficulty in DIFFICULTIES:
        tasks = generate(60, 1, [family], [difficulty])
        lengths.append(np.mean([len(task.prompt) + len(task.answer) for task in tasks]))
    assert lengths[-1] >= lengths[0] + 5
    assert all(after > before - 1 for before, after in pairwise(lengths))


def test_tasks_are_spread_evenly() -> None:
    tasks = generate(4400, 0)
    for counts in (Counter(task.family for task in tasks), Counter(task.difficulty for task in tasks)):
        mean = len(tasks) / len(counts)
        assert all(0.7 * mean < count < 1.3 * mean for count in counts.values())


@pytest.mark.parametrize("family", ["palindrome", "brackets"])
def test_yes_and_no_are_both_common(family: str) -> None:
    answers = Counter(task.answer for task in generate(300, 0, [family]))
    assert set(answers) == {"yes", "no"} and min(answers.values()) > 100


def test_a_task_in_other_words_has_the_same_group() -> None:
    chance = np.random.default_rng(0)
    tasks = [draw(chance, "add", 1, "heldout") for _ in range(400)]
    by_group = {task.group: {other.prompt for other in tasks if other.group == task.group} for task in tasks}
    assert max(map(len, by_group.values())) > 1
    assert all(len({task.answer for task in tasks if task.group == group}) == 1 for group in by_group)


@pytest.mark.parametrize(("families", "difficulties"), [(["poetry"], [1]), (["add"], [6]), ([], [1]), (["add"], [])])
def test_what_there_is_not_is_said(families: list[str], difficulties: list[int]) -> None:
    with pytest.raises(DataError, match="there are"):
        generate(1, 0, families, difficulties)
