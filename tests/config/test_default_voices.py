"""The voices that come with Turnout: valid, short, and read only when somebody wants one."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from turnout.config.default_voices import FILE, default_voices
from turnout.config.providers import name_problem

ROOT = Path(__file__).parents[2]


def test_the_voices_of_the_older_system_and_three_more_are_there() -> None:
    assert set(default_voices()) == {
        *("explorer", "maintainer", "analyzer", "developer", "implementor", "security", "architect"),
        *("tester", "reviewer", "writer"),
    }


@pytest.mark.parametrize("name", default_voices())
def test_a_voice_speaks_in_three_to_six_sentences_and_says_how(name: str) -> None:
    voice = default_voices()[name]
    assert not name_problem(name)
    assert 3 <= len(re.findall(r"[.!?](?:\s|$)", voice.system_prompt)) <= 6
    assert len(voice.system_prompt) < 600 and "\n" not in voice.system_prompt
    assert voice.description.endswith(".") and voice.temperature is not None and voice.preference is not None


def test_the_voices_differ_from_each_other() -> None:
    assert len({voice.system_prompt for voice in default_voices().values()}) == len(default_voices())


def test_the_voices_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        default_voices()["explorer"] = default_voices()["writer"]  # type: ignore[index]


def test_the_file_ships_with_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert FILE in project["tool"]["setuptools"]["package-data"]["turnout.config"]


def test_importing_the_voices_reads_no_yaml() -> None:
    script = "import sys\nimport turnout.config.default_voices\nprint(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert "yaml" not in done.stdout.split() and "turnout.config.source" not in done.stdout.split()


def test_the_documentation_tells_each_voice_as_it_is() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| ([\d.]+) \| (\w+) \|$", text, re.MULTILINE)
    told = [(name, str(voice.temperature), voice.preference) for name, voice in default_voices().items()]
    assert rows == told
