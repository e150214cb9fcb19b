"""Rolling back: the champion before the one that serves, back in its place, whatever happened to the promotion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.pipelines.logs import files
from turnout_pipelines import promote, rollback, tracking

from turnout.errors import ArtifactMissingError
from turnout.predictor import read_manifest


def versions() -> tuple[str, str]:
    """Which version serves by the registry, and which served before."""
    client = tracking.start()
    champion, previous = (
        client.get_model_version_by_alias(tracking.REGISTERED_MODEL, alias).version
        for alias in ("champion", "previous")
    )
    return str(champion), str(previous)


@pytest.fixture
def two(models: Path, trained: dict[str, Any], pair: dict[str, Any]) -> tuple[str, str]:
    """Two versions, promoted one after the other."""
    promote.run(version=trained["version"])
    promote.run(version=pair["version"])
    return trained["version"], pair["version"]


def test_the_champion_before_serves_again(models: Path, two: tuple[str, str], trained: dict[str, Any]) -> None:
    done = rollback.run()
    assert done["version"] == two[0] and done["candidates"] == trained["candidates"]
    assert read_manifest(models / "champion")["candidates"] == trained["candidates"]
    assert versions() == two


def test_a_second_rollback_undoes_the_first(models: Path, two: tuple[str, str]) -> None:
    before = read_manifest(models / "champion")
    rollback.run()
    assert rollback.run()["version"] == two[1]
    assert read_manifest(models / "champion") == before
    assert versions() == two[::-1]


def test_promoting_the_same_version_again_does_not_forget_the_one_before(models: Path, two: tuple[str, str]) -> None:
    promote.run(version=two[1])
    assert rollback.run()["version"] == two[0]


def test_a_promotion_that_was_killed_before_its_alias_moved_is_rolled_back_too(
    models: Path, two: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(tracking, "crown", lambda *arguments: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            promote.run(version=two[0])
    assert rollback.run()["version"] == two[1], "which served before the promotion that did not end"
    assert versions() == two[::-1]


@pytest.mark.parametrize("promoted", [False, True], ids=["nothing was promoted", "only one was promoted"])
def test_without_a_champion_before_it_is_a_clear_error(
    tmp_path: Path, pair: dict[str, Any], models: Path, monkeypatch: pytest.MonkeyPatch, promoted: bool
) -> None:
    client = tracking.start()
    promote.run(version=pair["version"])
    before = files(models / "champion")
    for alias in ("previous",) if promoted else ("previous", "champion"):
        if tracking.knows(client, alias):
            client.delete_registered_model_alias(tracking.REGISTERED_MODEL, alias)
    with pytest.raises(ArtifactMissingError, match="no champion served before this one"):
        rollback.run()
    assert files(models / "champion") == before
