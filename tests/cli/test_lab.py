"""`turnout lab`: everything up with one command and down with Ctrl-C, traffic through it, and clear errors."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from turnout.cli import lab as command

ROOT = Path(__file__).parents[2]
SMALL = ROOT / "models" / "lab" / "small.gguf"
Turnout = Callable[..., Any]

# A shell that starts the tests in the background has its children ignore Ctrl-C; a terminal has not.
SCRIPT = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from turnout.cli.main import main
sys.exit(main())
"""


@pytest.fixture
def up(champion: Path, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any], str]]:
    """`turnout lab up` with the smallest model alone: its process, its object, its lines."""
    pytest.importorskip("xllamacpp", reason="the real engine needs xllamacpp")
    models = tmp_path / "models"
    (models / "lab").mkdir(parents=True)
    (models / "lab" / "small.gguf").symlink_to(SMALL)
    (models / "champion").symlink_to(champion)
    arguments = ["lab", "up", "--port", "0", "--folder", str(tmp_path / "lab"), "--json"]
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *arguments],
        env={**os.environ, "TURNOUT_MODELS": str(models)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None and process.stderr is not None
            line = process.stdout.readline()
            assert line, process.stderr.read()
            said = ""
            while "Ctrl-C" not in said:
                said += process.stderr.readline()
            yield process, json.loads(line), said
        finally:
            process.kill()


def test_it_comes_up_answers_learns_of_verdicts_and_leaves_nothing(
    up: tuple[subprocess.Popen[str], dict[str, Any], str], turnout: Turnout, tmp_path: Path
) -> None:
    process, told, said = up
    assert list(told["candidates"]) == ["lmstudio/turnout-lab-small"]
    assert f"{told['gateway']}/\n" in said and "curl" in said and f"--gateway {told['gateway']}" in said

    ran = turnout("lab", "run", "--requests", "6", "--seed", "2", "--gateway", told["gateway"], "--json")
    assert ran.code == 0 and ran.err == ""
    result = json.loads(ran.out)
    assert result["total"]["requests"] == 6 and result["total"] == result["candidates"]["lmstudio/turnout-lab-small"]

    ran = turnout("lab", "run", "--requests", "2", "--gateway", f"{told['gateway']}/")
    heading, *rows = ran.out.splitlines()
    assert heading.split() == ["candidate", "requests", "right", "mean", "seconds"]
    assert [row.split()[:2] for row in rows] == [["lmstudio/turnout-lab-small", "2"], ["total", "2"]]

    started = psutil.Process(process.pid).children(recursive=True)
    assert started
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "", "")
    assert not psutil.wait_procs(started, timeout=10)[1]
    assert {"history.db", "laboratory.yaml"} <= {file.name for file in (tmp_path / "lab").iterdir()}


def test_without_language_models_it_says_where_they_should_be(turnout: Turnout, tmp_path: Path) -> None:
    ran = turnout("lab", "up", "--folder", tmp_path / "lab")
    assert ran.code == 2 and "no language models of the laboratory in" in ran.err and "TURNOUT_MODELS" in ran.err


def test_without_the_engine_it_says_what_to_install(
    turnout: Turnout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("turnout.lab.running.find_spec", lambda _: None)
    monkeypatch.setattr("turnout.lab.laboratory.lab_files", lambda _: {"small": SMALL})
    ran = turnout("lab", "up", "--folder", tmp_path / "lab")
    assert ran.code == 2 and "pip install 'turnout[lab]'" in ran.err


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the command says to its own process is taken back."""
    monkeypatch.setenv("TURNOUT_STATE", "")
    monkeypatch.setenv("TURNOUT_MODELS", str(SMALL.parents[1]))
    monkeypatch.setattr("turnout.gateway.logs.set_up_logs", lambda *_, **__: None)


def test_traffic_without_a_gateway_says_how_to_start_one(turnout: Turnout) -> None:
    ran = turnout("lab", "run", "--gateway", "http://127.0.0.1:9", "--json")
    assert ran.code == 1 and "turnout lab up" in ran.err
    assert "turnout lab up" in json.loads(ran.out)["error"]["message"]


@pytest.mark.parametrize(
    "arguments",
    [("up", "--port", "70000"), ("up", "--explore", "2"), ("run", "--requests", "0"), ("run", "--seed", "x")],
)
def test_values_out_of_range_are_refused(turnout: Turnout, arguments: tuple[str, ...]) -> None:
    ran = turnout("lab", *arguments)
    assert ran.code == 2 and arguments[1] in ran.err


def test_the_usual_gateway_needs_no_address(tmp_path: Path) -> None:
    class Lab:
        benches, candidates, folder, config_path = (), ("a",), tmp_path, tmp_path / "laboratory.yaml"

    said = command._greeting(Lab(), "http://127.0.0.1:8787")  # type: ignore[arg-type]
    assert "turnout lab run --requests 200\n" in said
