"""The page on the command line is true: its examples run, its tables name what there is."""

from __future__ import annotations

import io
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.emulated import configure, emulating

from turnout.cli.chat_commands import COMMANDS
from turnout.cli.main import build_parser, main

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^\$ (.*)$", PAGE, re.M)
SLOW = ("train", "evaluate", "promote", "import", "retrain", "rollback", "drift", "tune")  # other tests run them
ENDLESS = ("emulate", "serve", "lab")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Where a pretended Ollama listens."""
    with emulating() as (url, _):
        yield url


@pytest.fixture
def workplace(address: str, champion: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the files that the examples name, and one answer given before."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    (tmp_path / "pool.py").write_text("def take(): ...\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TURNOUT_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("TURNOUT_MODELS", str(champion.parent))
    monkeypatch.setenv("TURNOUT_BASE", str(ROOT / "models" / "base"))
    monkeypatch.setenv("TURNOUT_CONFIG", str(configure(tmp_path / "hybrid.yaml", ollama=address)))
    monkeypatch.setattr(sys, "stdin", io.StringIO("hello\n"))
    assert main(["chat"]) == 0
    monkeypatch.setattr(sys, "stdin", io.StringIO("hello\n"))
    return tmp_path


def words(example: str) -> list[str]:
    """The arguments of the last command of a pipe."""
    return shlex.split(example.rpartition("| ")[2])[1:]


def test_there_are_examples_of_every_command() -> None:
    (commands,) = (action.choices for action in build_parser()._actions if action.dest == "command")
    assert {words(example)[0] for example in EXAMPLES} == set(commands)
    headings = " ".join(re.findall(r"^## turnout (.*)$", PAGE, re.M))
    assert set(headings.replace(",", "").split()) == set(commands)


@pytest.mark.parametrize("example", [example for example in EXAMPLES if words(example)[0] not in (*SLOW, *ENDLESS)])
def test_an_example_runs(workplace: Path, example: str, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(words(example)) == 0
    assert capsys.readouterr().out


@pytest.mark.parametrize("example", [example for example in EXAMPLES if words(example)[0] in (*SLOW, *ENDLESS)])
def test_an_example_that_takes_long_is_understood(example: str) -> None:
    assert build_parser().parse_args(words(example)).command in (*SLOW, *ENDLESS)


def test_the_page_names_every_command_of_the_chat() -> None:
    named = set(re.findall(r"`(/[a-z]+)", PAGE))
    assert named == set(COMMANDS)


def test_links_of_the_page_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!http|#)([^)#]+)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
