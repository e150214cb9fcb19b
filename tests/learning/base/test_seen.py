"""What a base predictor was made of is known by digests, and nothing is judged on it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.learning.base.world import World

from turnout.learning.base.seen import digests, share_seen
from turnout.learning.base.start import MOST_SEEN, starting_base

TEXT = st.text(st.characters(), max_size=40)

NEW = [f"a prompt that stands in no table, number {number}" for number in range(300)]


@given(st.lists(TEXT, max_size=20))
def test_every_prompt_of_a_training_is_told(prompts: list[str]) -> None:
    seen = digests(prompts)
    assert seen.dtype == np.uint64 and (np.diff(seen.astype(object)) > 0).all()
    assert share_seen(prompts, seen) == (1.0 if prompts else 0.0)


@given(TEXT, st.text(" \t\r\n\u2028\xa0", max_size=5), st.text(" \n", max_size=5))
def test_white_space_at_the_ends_hides_nothing(prompt: str, before: str, after: str) -> None:
    assert share_seen([before + prompt + after], digests([prompt])) == 1.0


def test_new_prompts_and_repeated_ones_are_counted_once() -> None:
    seen = digests(["one", "two"])
    assert share_seen(["one", "one ", "three"], seen) == pytest.approx(0.5)
    assert share_seen(["One", "one two"], seen) == 0.0
    assert share_seen([], seen) == 0.0 and share_seen(["one"], digests([])) == 0.0


def test_no_text_is_kept(world: World) -> None:
    assert len(world.base.seen) == len({prompt.strip() for prompt in world.tables.prompts})


# What a training may start from


@pytest.fixture
def said(base_at: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was said; the world's base predictor is there to start from."""
    monkeypatch.setenv("TURNOUT_BASE", str(base_at))
    return []


def test_new_prompts_start_from_the_base_predictor(said: list[str]) -> None:
    assert starting_base(NEW, said.append) is not None
    assert starting_base((), said.append) is not None
    assert not said


def test_prompts_that_it_was_made_of_do_not(world: World, said: list[str]) -> None:
    assert starting_base([f"{prompt} \n" for prompt in world.tables.prompts], said.append) is None
    assert starting_base([*NEW, *world.tables.prompts[:30]], said.append) is None
    assert said[0] == "starting without the base predictor: it was made of 100% of these prompts"
    assert len(said) == 2


def test_a_prompt_in_common_is_chance(world: World, said: list[str]) -> None:
    assert starting_base([*NEW, world.tables.prompts[0]], said.append) is not None
    assert 1 / (len(NEW) + 1) <= MOST_SEEN


def test_a_damaged_one_is_told_of_and_not_used(
    base_at: Path, tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = Path(shutil.copytree(base_at, tmp_path / "base"))
    (damaged / "base.npz").write_bytes(b"x")
    monkeypatch.setenv("TURNOUT_BASE", str(damaged))
    assert starting_base(NEW, said.append) is None
    assert len(said) == 1 and said[0].startswith("starting without the base predictor: ") and "SHA-256" in said[0]


@pytest.mark.parametrize("where", ["off", "nowhere"])
def test_where_there_is_none_a_training_starts_from_nothing(
    where: str, said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TURNOUT_BASE", "off" if where == "off" else str(tmp_path / where))
    assert starting_base(NEW, said.append) is None
    assert not said
