"""Commands that ask nobody start without what the client needs: its rooms, network libraries, databases."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

# Not rich: the library of the rules brings it along.
HEAVY = {"httpx", "aiohttp", "shtab", "sqlalchemy"}
ROOMS = ("turnout.execution", "turnout.providers", "turnout.history", "turnout.emulators")

SCRIPT = """
import contextlib, io, json, sys
from turnout.cli.main import main
with contextlib.redirect_stdout(io.StringIO()):
    code = main(sys.argv[1:])
print(json.dumps([code, sorted(sys.modules)]))
"""


@pytest.fixture
def loaded(champion: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., set[str]]:
    """The modules that a command has loaded when it ends."""
    monkeypatch.setenv("TURNOUT_MODELS", str(champion.parent))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> set[str]:
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True, check=True, timeout=60
        )
        code, modules = json.loads(done.stdout)
        assert code == 0, done.stderr
        return set(modules)

    return run


@pytest.mark.parametrize(
    "arguments", [("route", "sort the imports"), ("config", "show"), ("config", "init")], ids=" ".join
)
def test_a_command_that_asks_nobody_loads_none_of_it(
    loaded: Callable[..., set[str]], arguments: tuple[str, ...]
) -> None:
    modules = loaded(*arguments)
    found = {name for name in modules if name.partition(".")[0] in HEAVY or name.startswith(ROOMS)}
    assert not found
