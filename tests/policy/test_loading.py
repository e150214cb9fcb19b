"""Loading a predictor folder, and reading it again while requests come in."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from turnout import Router, TurnoutError
from turnout.errors import ArtifactCorruptError, ArtifactError, ArtifactMissingError
from turnout.predictor import Predictor, save
from turnout.predictor.fit import Fitted

PROMPT = "quick question: why does our lock deadlock under failover?"
DAMAGES = {
    "manifest gone": ArtifactMissingError,
    "manifest cut": ArtifactCorruptError,
    "manifest altered": ArtifactCorruptError,
    "arrays gone": ArtifactMissingError,
    "arrays cut": ArtifactCorruptError,
    "one bit flipped": ArtifactCorruptError,
    "folder gone": ArtifactMissingError,
}


@pytest.fixture
def other(small_fitted: Fitted) -> Predictor:
    """Another predictor: other names, and surer of everything."""
    predictor = small_fitted.predictor
    names = tuple(f"{name}-next" for name in predictor.candidates)
    return replace(predictor, candidates=names, blend=replace(predictor.blend, offset=predictor.blend.offset + 0.1))


@pytest.fixture
def serving(champion: Path, tmp_path: Path) -> Path:
    """A copy of the champion's folder that a test may change."""
    return Path(shutil.copytree(champion, tmp_path / "serving"))


# Loading


def test_a_loaded_router_decides_as_the_fitted_predictor_does(router: Router, small_fitted: Fitted) -> None:
    assert router.route(PROMPT) == Router(small_fitted.predictor).route(PROMPT)


def test_without_a_path_the_champion_of_the_models_folder_is_loaded(
    champion: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TURNOUT_MODELS", str(champion.parent))
    assert Router.load().candidates == Router.load(champion).candidates


def test_without_a_models_variable_the_champion_lies_in_the_working_directory(
    champion: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(champion, tmp_path / "models" / "champion")
    monkeypatch.delenv("TURNOUT_MODELS", raising=False)
    monkeypatch.chdir(tmp_path)
    assert len(Router.load().candidates) == 3


@pytest.mark.parametrize("form", [str, Path])
def test_a_path_may_be_text_or_a_path(champion: Path, form: type) -> None:
    assert Router.load(form(champion)).candidates


def test_a_missing_folder_is_named_and_the_remedy_too(tmp_path: Path) -> None:
    with pytest.raises(ArtifactMissingError, match=r"no predictor in .*nowhere.*run 'turnout train --promote'"):
        Router.load(tmp_path / "nowhere")


def test_a_file_in_place_of_the_folder_is_a_missing_predictor(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(ArtifactMissingError):
        Router.load(tmp_path / "file")


@pytest.mark.parametrize(("how", "error"), DAMAGES.items(), ids=DAMAGES)
def test_a_damaged_folder_is_refused_with_its_place(
    how: str, error: type[ArtifactError], damaged: Callable[[str], Path]
) -> None:
    folder = damaged(how)
    with pytest.raises(error, match=folder.name):
        Router.load(folder)


def test_every_refusal_to_load_can_be_caught_as_one_kind() -> None:
    assert all(issubclass(error, ArtifactError) and issubclass(error, TurnoutError) for error in DAMAGES.values())


# Reading again


def test_a_new_predictor_in_the_folder_serves_after_a_reload(serving: Path, other: Predictor) -> None:
    router = Router.load(serving)
    save(other, serving)
    assert router.route(PROMPT).candidate not in other.candidates
    assert router.reload() is True
    assert router.candidates == other.candidates
    assert router.route(PROMPT).candidate in other.candidates


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_folder_leaves_the_old_predictor_serving_and_says_so(
    how: str, damaged: Callable[[str], Path], serving: Path, caplog: pytest.LogCaptureFixture
) -> None:
    router = Router.load(serving)
    before, predictor = router.route(PROMPT), router.predictor
    shutil.rmtree(serving)
    if how != "folder gone":
        damaged(how).rename(serving)
    with caplog.at_level(logging.WARNING, "turnout"):
        assert router.reload() is False
    assert router.predictor is predictor
    assert router.route(PROMPT) == before
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith("keeping the predictor that serves: ")
    assert str(serving) in record.getMessage()


def test_a_repaired_folder_serves_after_the_next_reload(serving: Path, other: Predictor) -> None:
    router = Router.load(serving)
    (serving / "manifest.json").unlink()
    assert router.reload() is False
    save(other, serving)
    assert router.reload() is True
    assert router.candidates == other.candidates


def test_a_router_without_a_folder_has_nothing_to_reload(small_fitted: Fitted) -> None:
    router = Router(small_fitted.predictor)
    assert router.reload() is False
    assert router.route(PROMPT)


def test_a_reload_says_nothing_when_all_is_well(serving: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "turnout"):
        assert Router.load(serving).reload() is True
    assert not caplog.records


def test_requests_during_reloads_see_one_predictor_or_the_other_never_a_mixture(
    serving: Path, other: Predictor, small_fitted: Fitted
) -> None:
    router = Router.load(serving)
    allowed = [Router(predictor).route(PROMPT) for predictor in (small_fitted.predictor, other)]
    assert allowed[0] != allowed[1]

    def swap(turn: int) -> bool:
        save(other if turn % 2 else small_fitted.predictor, serving)
        return router.reload()

    with ThreadPoolExecutor(5) as pool:
        swaps = pool.submit(lambda: [swap(turn) for turn in range(10)])
        decisions = [decision for _ in range(50) for decision in pool.map(router.route, [PROMPT] * 8)]
        assert all(swaps.result())
    assert all(decision in allowed for decision in decisions)
    np.testing.assert_equal(router.candidates, other.candidates)
