"""A predictor's folder that is followed: read when it changed, left alone when not, one word about what is damaged."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from turnout import Router
from turnout.errors import ArtifactError
from turnout.policy.followed import AGAIN_S, Followed
from turnout.predictor import save
from turnout.predictor.fit import Fitted


class Clock:
    """A monotonic clock that moves when told to."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path, champion: Path) -> Path:
    return Path(shutil.copytree(champion, tmp_path / "predictor"))


@pytest.fixture
def followed(folder: Path, clock: Clock) -> Followed:
    made = Followed(folder, clock)
    made.read()
    return made


def damage(folder: Path) -> None:
    """Another manifest, which is none, in the place of the one before."""
    aside = folder / "aside"
    aside.write_text("{")
    aside.replace(folder / "manifest.json")


def test_what_was_read_is_not_read_again(followed: Followed) -> None:
    assert followed.newer() is None and followed.problem == ""


def test_what_was_put_in_its_place_is_read_once(followed: Followed, folder: Path, small_fitted: Fitted) -> None:
    save(replace(small_fitted.predictor, info={"created": "later"}), folder)
    found = followed.newer()
    assert found is not None and found.info["created"] == "later"
    assert followed.newer() is None


def test_a_folder_that_is_not_there_yet_is_read_when_it_is(tmp_path: Path, champion: Path) -> None:
    made = Followed(tmp_path / "later")
    assert made.newer() is None and not made.is_there and made.problem == ""
    with pytest.raises(ArtifactError):
        made.read()
    shutil.copytree(champion, tmp_path / "later")
    assert made.newer() is not None and made.is_there


def test_what_is_damaged_is_told_once(
    followed: Followed, folder: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    damage(folder)
    with caplog.at_level(logging.WARNING, "turnout"):
        for _ in range(5):
            assert followed.newer() is None
            clock.now_s += AGAIN_S
    assert len(caplog.records) == 1 and "manifest" in caplog.text
    assert "manifest" in followed.problem


def test_what_is_damaged_is_tried_again_now_and_then(
    followed: Followed, folder: Path, clock: Clock, small_fitted: Fitted, tmp_path: Path
) -> None:
    save(replace(small_fitted.predictor, info={"created": "later"}), folder)
    arrays = list(folder.glob("arrays-*.npz"))
    for path in arrays:
        path.rename(tmp_path / path.name)
    assert followed.newer() is None and followed.problem
    for path in arrays:
        (tmp_path / path.name).rename(path)
    assert followed.newer() is None, "not at every look"
    clock.now_s += AGAIN_S
    assert followed.newer() is not None and followed.problem == ""


def test_what_was_forgotten_is_new_again(followed: Followed) -> None:
    followed.forget()
    assert followed.newer() is not None


def test_a_router_takes_another_predictor_when_it_refreshes(folder: Path, small_fitted: Fitted) -> None:
    router = Router.load(folder)
    before, since = router.predictor, router.since
    assert not router.refresh() and router.predictor is before
    save(replace(small_fitted.predictor, info={"created": "later"}), folder)
    assert router.refresh()
    assert router.predictor is not None and router.predictor.info["created"] == "later"
    assert router.since >= since and router.folder == folder
    damage(folder)
    assert not router.refresh()
    assert router.predictor.info["created"] == "later" and router.problem


def test_a_router_without_a_folder_has_nothing_to_refresh(small_fitted: Fitted) -> None:
    router = Router(small_fitted.predictor)
    assert not router.refresh() and router.folder is None and router.problem == ""
