"""The restart benchmark, once and with a short breaker: a provider that is killed fails nobody and is asked again soon."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Of a run in a process of its own."""
    folder = tmp_path_factory.mktemp("restart")
    command = [sys.executable, str(ROOT / "benchmarks" / "restart.py"), "--rounds", "1", "--results", str(folder)]
    command += ["--load", "2.5", "--down", "0.5", "--open-s", "2", "--interval-s", "0.4"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads((folder / "restart.json").read_bytes())["figures"]
    return found


@pytest.mark.slow
def test_every_aim_is_reached(figures: dict[str, Any]) -> None:
    missed = [f"{what}: {figure}, aim {aim}" for what, figure, aim, reached in figures["aims"] if not reached]
    assert missed == [], figures["told"]


@pytest.mark.slow
def test_it_was_under_load_and_really_away(figures: dict[str, Any]) -> None:
    (one,) = figures["rounds"]
    assert one["share_before"] > 0.9 and one["share_while_away"] < 0.1
    assert figures["fell_back"] > 0 and figures["requests"] > 30
