"""Policies on a history of which only the chosen result is known: who can be judged, how, and when nothing is concluded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.pipelines.logs import BOTH, STRONG, WEAK, records, renamed, write
from turnout_pipelines import compare, promote

from turnout.errors import ArtifactMissingError, DataError, TooFewRowsError

COUNT = 300
CONFIGURATION = f"""
providers:
  lmstudio: {{base_url: "http://127.0.0.1:9", models: [{WEAK.partition("/")[2]}]}}
  ollama: {{base_url: "http://127.0.0.1:9", models: [{STRONG.partition("/")[2]}]}}
routing:
  rules: [{{name: all, when: "true", then: {{force: "{STRONG}"}}}}]
"""


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write(tmp_path_factory.mktemp("explored") / "history.db", records(COUNT, exploration=0.8))


@pytest.fixture
def site(models: Path, pair: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The champion knows both candidates; there is no challenger."""
    promote.run(version=pair["version"])
    shutil.rmtree(models / "challenger", ignore_errors=True)
    monkeypatch.chdir(tmp_path)
    return models


def test_by_default_those_that_there_are_and_each_candidate_are_compared(site: Path, url: str) -> None:
    result = compare.run(history=url)
    always = [f"always:{name}" for name in BOTH]
    assert list(result["policies"]) == ["champion", "logged", "random", *always]
    assert len(result["differences"]) == 10 and result["decisions"] == COUNT
    for one in result["policies"].values():
        value, low, high = one["dr"]
        assert low <= value <= high and one["support"]["problem"] == ""
    assert result["policies"][f"always:{STRONG}"]["dr"][0] > result["policies"][f"always:{WEAK}"]["dr"][0]
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_a_folder_a_version_and_the_champion_can_be_the_same(site: Path, url: str, pair: dict[str, Any]) -> None:
    shutil.copytree(site / "champion", site / "challenger")
    named = ["champion", "challenger", f"version:{pair['version']}", str(site / "champion")]
    result = compare.run(history=url, compared=named)
    assert len({tuple(one["dr"]) for one in result["policies"].values()}) == 1
    assert all(one["differ"] == 0 and one["score"] == [0, 0, 0] for one in result["differences"].values())


def test_rules_choose_as_they_would(site: Path, url: str, tmp_path: Path) -> None:
    file = tmp_path / "hybrid.yaml"
    file.write_text(CONFIGURATION, encoding="utf-8")
    result = compare.run(history=url, config=file, compared=["rules", f"always:{STRONG}"])
    assert result["differences"][f"rules − always:{STRONG}"]["differ"] == 0


@pytest.mark.parametrize("policy", ["oracle", "always:", "version:", "always", "/no/such/folder", "", "champion2"])
def test_an_unknown_policy_is_explained_with_those_there_are(site: Path, url: str, policy: str) -> None:
    with pytest.raises(DataError, match=r"is unknown; there is champion, challenger, .*always:CANDIDATE"):
        compare.run(history=url, compared=["random", policy])


def test_a_candidate_that_nobody_knows_is_explained(site: Path, url: str) -> None:
    with pytest.raises(DataError, match="no logged decision knows candidate 'cloud/huge'; there is: lmstudio"):
        compare.run(history=url, compared=["always:cloud/huge"])


@pytest.mark.parametrize("policy", ["challenger", "version:999"])
def test_a_predictor_that_is_not_there_is_explained(site: Path, url: str, policy: str) -> None:
    with pytest.raises(ArtifactMissingError):
        compare.run(history=url, compared=[policy])


def test_without_prompts_rules_cannot_be_judged(site: Path, tmp_path: Path) -> None:
    url = write(tmp_path / "history.db", records(120, prompts=False))
    with pytest.raises(DataError, match=r"this history keeps none \(history.prompts\)"):
        compare.run(history=url, compared=["rules"])


def test_without_exploration_nothing_is_concluded(site: Path, tmp_path: Path) -> None:
    url = write(tmp_path / "history.db", records(COUNT, exploration=0.0))
    result = compare.run(history=url, compared=["logged", f"always:{STRONG}"])
    assert "switch exploration on" in result["policies"][f"always:{STRONG}"]["support"]["problem"]
    assert "switch exploration on" in result["differences"][f"logged − always:{STRONG}"]["support"]["problem"]
    assert result["policies"]["logged"]["support"]["problem"] == ""


def test_what_was_never_tried_is_no_figure_but_stays_json(site: Path, tmp_path: Path) -> None:
    only_weak = records(120, exploration=0.0, chooses=lambda scores, rng: 0)
    url = write(tmp_path / "history.db", only_weak)
    result = compare.run(history=url, candidates=BOTH, compared=[f"always:{STRONG}"])
    one = result["policies"][f"always:{STRONG}"]
    assert one["snips"] == [None, None, None] and "could not have chosen" in one["support"]["problem"]
    json.dumps(result, allow_nan=False)


def test_champions_of_other_candidates_are_left_out_unless_they_are_named(site: Path, url: str, tmp_path: Path) -> None:
    named = records(120, exploration=0.8)
    other = write(tmp_path / "history.db", [renamed(entry) for entry in named])
    assert list(compare.run(history=other)["policies"])[:2] == ["logged", "random"]
    with pytest.raises(DataError, match="knows none of the candidates"):
        compare.run(history=other, compared=["champion"])


def test_a_history_with_too_little_is_an_error(site: Path, tmp_path: Path) -> None:
    with pytest.raises(TooFewRowsError):
        compare.run(history=write(tmp_path / "history.db", records(20)))
