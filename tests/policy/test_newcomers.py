"""Candidates that no predictor knows: placed by what the base predictor makes of their names."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.learning.base.world import EASY, HARD, MIDDLING, World, prompt

from turnout import Router
from turnout.features import extract
from turnout.policy.newcomers import Newcomers

SMALL, LARGE, UNSEEN = "ollama/qwen2.5:0.5b", "ollama/qwen2.5:72b", "ollama/qwen2.5:14b"
BASE = """
providers:
  ollama: {models: ["qwen2.5:72b", "qwen2.5:0.5b"]}
hybrid: {exploration: {enabled: false}}
"""
TEXT = "in the function please validate the field and escape it"


@pytest.fixture(scope="module")
def newcomers(world: World) -> Newcomers:
    return Newcomers(world.base)


def chances(newcomers: Newcomers, *names: str, text: str = TEXT, **known: float) -> list[float]:
    renamed = {name.replace("__", "/").replace("_", ":"): p for name, p in known.items()}
    return list(newcomers.chances(extract(text), names, renamed).values())


# What is expected


def test_a_larger_sibling_is_expected_to_do_better(newcomers: Newcomers) -> None:
    small, unseen, large = chances(newcomers, SMALL, UNSEEN, LARGE)
    assert 0 < small < unseen < large < 1


def test_an_easier_prompt_is_easier_for_all(newcomers: Newcomers) -> None:
    rng = np.random.default_rng(3)
    easy, middling, hard = (
        np.mean([chances(newcomers, SMALL, LARGE, text=prompt(rng, words)) for _ in range(5)], axis=0)
        for words in (EASY, MIDDLING, HARD)
    )
    assert (easy > middling).all() and (middling > hard).all()


def test_beside_nobody_a_newcomer_is_what_its_name_says(world: World, newcomers: Newcomers) -> None:
    from turnout.descriptors import describe

    lines = world.base.lines([describe(UNSEEN)])
    row, _ = world.base.traits.of(extract(TEXT))
    assert chances(newcomers, UNSEEN) == pytest.approx(lines.p_success(row).tolist())


def test_a_newcomer_is_moved_as_far_as_those_that_are_known(newcomers: Newcomers) -> None:
    (alone,) = chances(newcomers, UNSEEN)
    (expected,) = chances(newcomers, SMALL)
    features = extract(TEXT)
    for p in (expected / 2, expected, min(0.99, expected * 1.5)):
        moved = newcomers.chances(features, [UNSEEN], {SMALL: p})[UNSEEN]
        odds = (moved / (1 - moved)) / (alone / (1 - alone))
        assert odds == pytest.approx((p / (1 - p)) / (expected / (1 - expected)))


@given(
    st.dictionaries(st.sampled_from([SMALL, LARGE, "cloud/nobody", "\ud800"]), st.floats(0, 1)), st.text(max_size=20)
)
def test_whatever_is_known_and_whatever_its_name_a_chance_is_one(
    newcomers: Newcomers, known: dict[str, float], name: str
) -> None:
    (p,) = newcomers.chances(extract(TEXT), [name], known).values()
    assert 0 < p < 1


def test_nobody_asked_about_is_nobody_told_of(newcomers: Newcomers) -> None:
    assert newcomers.chances(extract(TEXT), [], {}) == {}


def test_asked_about_more_sets_than_are_remembered_it_answers_as_before(world: World) -> None:
    asked = Newcomers(world.base)
    first = chances(asked, SMALL, LARGE)
    for number in range(70):
        chances(asked, f"ollama/made-up-{number}")
    assert chances(asked, SMALL, LARGE) == first


# From its files


def test_switched_off_there_are_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert Newcomers.load() is None
    monkeypatch.setenv("TURNOUT_BASE", str(tmp_path / "nowhere"))
    assert Newcomers.load() is None


def test_from_its_folder_it_answers_the_same(
    newcomers: Newcomers, base_at: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TURNOUT_BASE", str(base_at))
    loaded = Newcomers.load()
    assert loaded is not None
    assert chances(loaded, SMALL, LARGE) == pytest.approx(chances(newcomers, SMALL, LARGE), abs=1e-3)


def test_a_damaged_folder_is_warned_of_and_done_without(
    base_at: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    damaged = Path(shutil.copytree(base_at, tmp_path / "base"))
    (damaged / "base.npz").write_bytes(b"x")
    monkeypatch.setenv("TURNOUT_BASE", str(damaged))
    with caplog.at_level(logging.WARNING, "turnout"):
        assert Newcomers.load() is None
    (record,) = caplog.records
    assert "newcomers count as average" in record.getMessage() and str(damaged) in record.getMessage()


# In a router


@pytest.fixture
def day_zero(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path | None], Router]:
    """A router under a configuration, before there is a champion; with the base predictor of a folder, or without."""

    def load(base: Path | None) -> Router:
        monkeypatch.setenv("TURNOUT_MODELS", str(tmp_path / "models"))
        monkeypatch.setenv("TURNOUT_BASE", "off" if base is None else str(base))
        (tmp_path / "f.yaml").write_text(BASE, encoding="utf-8")
        return Router.load(configuration=tmp_path / "f.yaml")

    return load


def test_before_there_is_a_champion_names_decide(day_zero: Callable[[Path | None], Router], base_at: Path) -> None:
    router = day_zero(base_at)
    assert router.predictor is None
    decision = router.route(TEXT, "quality")
    p = {entry.candidate: entry.p_success for entry in decision.ranking}
    assert decision.candidate == LARGE and p[LARGE] > p[SMALL] + 0.1
    assert "what such language models achieve" in decision.reason
    assert not any(entry.learned for entry in decision.ranking)


def test_switched_off_all_count_the_same(day_zero: Callable[[Path | None], Router]) -> None:
    decision = day_zero(None).route(TEXT, "quality")
    assert len({entry.p_success for entry in decision.ranking}) == 1
    assert "seconds, cost and the configured order" in decision.reason


def test_beside_a_champion_that_knows_others_a_newcomer_is_placed(
    champion: Path, base_at: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TURNOUT_BASE", str(base_at))
    text = BASE.replace("ollama:", "lmstudio: {models: [qwen2.5-coder-1.5b, qwen2.5-coder-7b]}\n  ollama:")
    (tmp_path / "f.yaml").write_text(text, encoding="utf-8")
    ranking = Router.load(champion, configuration=tmp_path / "f.yaml").route(TEXT).ranking
    p = {entry.candidate: entry.p_success for entry in ranking}
    learned = {entry.candidate for entry in ranking if entry.learned}
    assert learned == {"lmstudio/qwen2.5-coder-1.5b", "lmstudio/qwen2.5-coder-7b"}
    assert p[LARGE] > p[SMALL]
