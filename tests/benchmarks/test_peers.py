"""Turnout's part of the benchmark beside other routers: what its process tells, and what the table makes of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ROOT

PROMPTS = ["sort these imports", "why does our lock deadlock under failover?", "write a haiku"]
TABLE = """
import json, sys
from peers import summed
from peers_tables import tables

ways = {"Turnout": {**summed(json.loads(sys.argv[1])), "agreement": [0.9, 0.8, 0.95], "versions": {"turnout": "0"}}}
print(tables({"rounds": 2, "prompts": 3, "examples": 0, "candidates": 3, "majority": 0.5, "ways": ways})[0].markdown())
"""


@pytest.fixture(scope="module")
def lines(champion: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What the process prints for two rounds."""
    asked = tmp_path_factory.mktemp("peers") / "asked.json"
    asked.write_text(json.dumps({"prompts": PROMPTS, "examples": [], "predictor": str(champion)}))
    command = [sys.executable, str(ROOT / "benchmarks" / "peers_ways.py"), "Turnout", str(asked)]
    done = subprocess.run(command, input="round\nround\n", capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_way_tells_its_tiers_before_its_times(lines: list[dict[str, Any]]) -> None:
    assert set(lines[0]["versions"]) == {"turnout"}
    assert len(lines[0]["tiers"]) == len(PROMPTS) and set(lines[0]["tiers"]) <= {"fast", "strong"}


def test_a_round_times_every_prompt_once(lines: list[dict[str, Any]]) -> None:
    assert len(lines) == 3
    for line in lines[1:]:
        assert len(line["whole"]) == len(PROMPTS) and min(line["whole"]) > 0
        assert "inner" not in line


def test_the_table_tells_the_spread_over_rounds() -> None:
    rounds = [{"whole": [1000, 2000, 3000]}, {"whole": [3000, 4000, 5000]}]
    command = [sys.executable, "-c", TABLE, json.dumps(rounds)]
    done = subprocess.run(command, cwd=ROOT / "benchmarks", capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "| 3 [2, 4] |" in done.stdout and "| 1.0 | 0.900 [0.800, 0.950] |" in done.stdout
