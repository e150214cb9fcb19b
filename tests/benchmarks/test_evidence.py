"""The evidence page comes from results alone: misses first, gaps said, broken files named, nothing edited by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ROOT

from turnout.learning.offpolicy import ESTIMATORS

BENCHMARKS = ROOT / "benchmarks"
PAGES = """
import json, sys
from pathlib import Path
from evidence_claims import CLAIMS
from evidence_page import page
from turnout.errors import DataError

told = []
for folder in sys.argv[1:]:
    try:
        told.append({"page": page(Path(folder), CLAIMS), "error": ""})
    except DataError as error:
        told.append({"page": "", "error": str(error)})
print(json.dumps(told))
"""
"""Run in a process of its own: benchmarks import each other by name, as scripts do."""

PROVENANCE = {
    "benchmark": "lab",
    "date": "2030-01-02T03:04:05+00:00",
    "command": "python benchmarks/lab.py",
    "whole": True,
    "commit": {"id": "0123456789abcdef", "modified": True},
    "machine": {"cpu": "a processor", "cores": 2, "memory_gib": 8.0, "os": "an OS", "load_average": [0.5, 0.4, 0.3]},
    "versions": {"python": "3.11.7", "turnout": "0.1.0"},
}
LAB = {
    "aims": [["mean seconds", 3.25, "≤ 2", False], ["points lost", 0.5, "≤ 1", True], ["AUC", 0.9, "≥ 0.85", True]],
    "tables": [
        {"title": "Aims", "columns": ["what"], "rows": []},
        {
            "title": "Every way on the same prompts, from nothing",
            "columns": ["way", "s"],
            "rows": [["fast | small", 1.5]],
            "note": "A note.",
        },
        {"title": "What escalation recovers", "columns": ["share"], "rows": [[0.8]]},
    ],
}
WAY = {"quality": 0.75, "mean_s": 0.0125, "share_on_fast": 0.6}
STORY = {
    "phases": [
        {
            "name": "first days",
            "requests": 1200,
            "gain": [0.01, -0.02, 0.03],
            "ways": {"Turnout": WAY, "always fast": WAY, "always strong": {**WAY, "mean_s": 0.03}},
        }
    ],
    "swaps": [
        {"at": 2000, "served": "worse", "noticed_after": None},
        {"at": 3000, "served": "right", "noticed_after": 40},
    ],
}
TIMES = {"p50_us": 100.0, "p99_us": 200.0, "p50_us_of_each_round": [90.0, 110.0], "p99_us_of_each_round": [200.0]}
PEERS = {
    "rounds": 2,
    "prompts": 600,
    "examples": 5793,
    "candidates": 5,
    "majority": 0.58,
    "ways": {
        "Turnout": {"whole": TIMES, "agreement": [0.96, 0.94, 0.97], "versions": {"turnout": "0.1.0"}},
        "semantic-router": {
            "whole": {**TIMES, "p50_us": 50.0},
            "inner": {"p50_us": 40.0},
            "agreement": [0.8, 0.7, 0.9],
            "versions": {"semantic-router": "1.1.1"},
        },
    },
}
OFFPOLICY = {
    "training": [
        {
            "pool": "a pool",
            "prompts": 100,
            **{way: [0.6, 0.55, 0.65] for way in ("partial", "as_many", "naive", "everything")},
            "partial_over_as_many": [-0.05, -0.06, -0.04],
            "partial_over_naive": [0.02, 0.01, 0.03],
        }
    ],
    "coverage": [
        {
            "pool": "a pool",
            "decisions": 1000,
            "worth": 0.7,
            "trials": 500,
            **{f"{name}_coverage": 0.95 for name in ESTIMATORS},
            **{f"{name}_rmse": 0.01 for name in ESTIMATORS},
        }
    ],
    "gate": [
        {
            "pool": "a pool",
            "points": points,
            "true_points": points,
            "trials": 500,
            "promoted": share,
            "interval": [0, 1],
        }
        for points, share in ((-3.0, 0.0), (0.0, 0.03), (3.0, 0.7))
    ],
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """Page and error of several folders of results."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("nothing", "some", "broken", "older", "empty")}
    for name, figures in (("lab", LAB), ("peers", PEERS), ("offpolicy", OFFPOLICY)):
        write(folders["some"] / f"{name}.json", {**PROVENANCE, "figures": figures})
    write(folders["some"] / "lab_story.json", {"figures": STORY})
    (folders["broken"] / "chaos.json").write_text('{"figures": {')
    write(folders["older"] / "route.json", {**PROVENANCE, "figures": {"first_sight": {}}})
    write(folders["empty"] / "drift.json", [])
    command = [sys.executable, "-c", PAGES, *map(str, folders.values())]
    done = subprocess.run(command, cwd=BENCHMARKS, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(zip(folders, json.loads(done.stdout), strict=True))


def write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content))


def test_the_page_in_the_repository_is_made_of_the_results_in_the_repository(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / "evidence.py"), "--page", str(tmp_path / "evidence.md")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    made, kept = ((folder / "evidence.md").read_text() for folder in (tmp_path, ROOT / "docs"))
    assert made == kept, "docs/evidence.md is another: run `make evidence`"


def test_what_was_missed_stands_before_every_claim(told: dict[str, dict[str, str]]) -> None:
    page = told["some"]["page"]
    first = page.partition("\n## ")[2].partition("\n## ")[0]
    assert first.startswith("What was not reached")
    assert "| [The laboratory, live](#the-laboratory-live) | mean seconds | 3.25 | ≤ 2 |" in first
    assert "| µs of a decision, p50, beside semantic-router | 100 | ≤ 50 |" in first
    assert "| a pool: promoted at +3 points | 70.0% | ≥ 80% |" in first
    assert "points lost" not in first and "at -3 points" not in first


def test_a_claim_without_results_says_how_to_get_them(told: dict[str, dict[str, str]]) -> None:
    page = told["some"]["page"]
    assert "- Chaos: run `make bench-chaos`." in page.partition("## What was not measured yet")[2]
    assert "**Not measured yet: run `make bench-chaos`.**" in section(page, "Chaos")


def test_no_results_at_all_make_a_page_that_claims_nothing_reached(told: dict[str, dict[str, str]]) -> None:
    page = told["nothing"]["page"]
    assert "Nothing was measured yet." in page and "Reached:" not in page


def test_a_claim_shows_its_table_its_verdicts_and_where_they_are_from(told: dict[str, dict[str, str]]) -> None:
    shown = section(told["some"]["page"], "The laboratory, live")
    assert "| from nothing | fast \\| small | 1.500 |" in shown and "From nothing: A note." in shown
    assert "- **Missed**: mean seconds: 3.25, aim ≤ 2." in shown
    assert "- Reached: points lost: 0.5 (aim ≤ 1)." in shown
    for part in ("2030-01-02 03:04:05 UTC", "`python benchmarks/lab.py`", "`0123456789ab` with changes", "a processor"):
        assert part in shown
    assert "load average at the end 0.5" in shown and "python 3.11.7, turnout 0.1.0" in shown


def test_a_swap_that_nobody_noticed_counts_as_missed(told: dict[str, dict[str, str]]) -> None:
    shown = section(told["some"]["page"], "The laboratory's story")
    assert "- **Missed**: requests until the swap at 2,000 was noticed: –, aim noticed." in shown
    assert "at 3,000 (right): noticed after 40 requests" in shown


def test_aims_about_trust_stand_under_their_own_claim(told: dict[str, dict[str, str]]) -> None:
    page = told["some"]["page"]
    assert "AUC: 0.9" in section(page, "The laboratory: is the answer right?")
    assert "AUC" not in section(page, "The laboratory, live")


def test_what_a_result_does_not_record_is_said_and_not_made_up(told: dict[str, dict[str, str]]) -> None:
    shown = section(told["some"]["page"], "The laboratory's story")
    assert "| first days | 1,200 | 0.750 |" in shown and "| 12.5 | 30.0 | 60% |" in shown
    for name in ("Measured", "command", "commit", "machine", "versions"):
        assert f"{name}: not recorded" in shown


@pytest.mark.parametrize(
    ("folder", "file", "problem"),
    [
        ("broken", "chaos.json", "cannot be read as JSON"),
        ("empty", "drift.json", "no object `figures`"),
        ("older", "route.json", "is not what `make bench-route` writes today"),
    ],
)
def test_a_broken_file_is_named_with_its_remedy(
    told: dict[str, dict[str, str]], folder: str, file: str, problem: str
) -> None:
    error = told[folder]["error"]
    assert file in error and problem in error and "run" in error


def section(page: str, title: str) -> str:
    """What stands under a heading."""
    return page.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
