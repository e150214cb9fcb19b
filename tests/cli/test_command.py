"""The command as a whole: usage, version, exit codes, pipes, and the jobs it finds by name."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import turnout as package
from turnout.cli.found import find_job
from turnout.errors import MissingExtraError

Turnout = Callable[..., Any]
Process = Callable[..., subprocess.CompletedProcess[bytes]]


# Usage


def test_the_version_is_told(turnout: Turnout) -> None:
    assert turnout("--version") == (0, f"turnout {package.__version__}\n", "")


def test_help_lists_the_commands(turnout: Turnout) -> None:
    ran = turnout("--help")
    assert ran.code == 0
    assert all(f"    {command} " in ran.out for command in ("route", "train", "evaluate", "promote", "import"))


@pytest.mark.parametrize("command", ["route", "train", "evaluate", "promote", "import"])
def test_every_command_explains_itself_and_takes_json(turnout: Turnout, command: str) -> None:
    ran = turnout(command, "--help")
    assert ran.code == 0
    assert "--json" in ran.out


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("unknown",),
        ("route",),
        ("route", "hi", "--file", "prompts.jsonl"),
        ("route", "hi", "--unknown"),
        ("train",),
        ("train", "--outcomes"),
        ("evaluate", "--outcomes", "a.parquet", "--split", "time"),
        ("evaluate", "--outcomes", "a.parquet", "--folds", "many"),
        ("import", "--outcomes", "a.parquet"),
    ],
    ids=" ".join,
)
def test_wrong_usage_leaves_with_two_and_shows_the_right_one(turnout: Turnout, arguments: tuple[str, ...]) -> None:
    ran = turnout(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("usage: turnout")


# Streams


def test_a_dash_reads_the_prompt_from_standard_input(process: Process) -> None:
    done = process("route", "-", "--json", input=b"why does our lock deadlock under failover?")
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["task"]["tier"] == "strong"


def test_standard_input_that_is_not_utf8_is_routed_all_the_same(process: Process) -> None:
    done = process("route", "-", input=b"rename \xff\xfe to x", environment={"PYTHONIOENCODING": "utf-8"})
    assert (done.returncode, done.stderr) == (0, b"")


def test_empty_standard_input_is_an_empty_prompt(process: Process) -> None:
    done = process("route", "-", input=b"")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"turnout route: the prompt is empty")
    assert b"Traceback" not in done.stderr


def test_json_is_json_on_a_terminal_that_knows_only_ascii(process: Process, tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text(json.dumps({"id": "é😀", "prompt": "hi"}, ensure_ascii=False), encoding="utf-8")
    done = process("route", "--file", path, "--json", environment={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["id"] == "é😀"


def test_a_card_is_printed_on_a_terminal_that_knows_only_ascii(process: Process) -> None:
    done = process("route", "naïve 😀 question", environment={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(os.name != "posix", reason="closes a pipe as POSIX does")
@pytest.mark.parametrize("count", [1, 3000], ids=["less than a buffer", "more than a buffer"])
def test_a_reader_that_has_gone_ends_the_command_quietly(process: Process, tmp_path: Path, count: int) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"prompt": "sort the imports"}\n' * count, encoding="utf-8")
    reader, writer = os.pipe()
    os.close(reader)
    streams = {"stdout": writer, "stderr": subprocess.PIPE, "capture_output": False}
    try:
        # Buffered, as in a shell: what is less than a buffer is written only at the end.
        done = process("route", "--file", path, environment={"PYTHONUNBUFFERED": ""}, **streams)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


# Jobs


@pytest.mark.parametrize(
    ("command", "more"),
    [("train", ()), ("evaluate", ("--no-track",)), ("import", ("--output", "out.parquet"))],
    ids=["train", "evaluate", "import"],
)
def test_a_table_that_does_not_exist_is_explained_in_one_line(
    turnout: Turnout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, more: tuple[str, ...]
) -> None:
    monkeypatch.setenv("TURNOUT_MODELS", str(tmp_path / "models"))
    monkeypatch.chdir(tmp_path)
    ran = turnout(command, "--outcomes", tmp_path / "missing.parquet", *more)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines()[-1] == f"turnout {command}: {tmp_path / 'missing.parquet'}: no such file"
    assert "Traceback" not in ran.err
    assert not list(tmp_path.iterdir()), "nothing was written"


def test_a_job_that_is_not_installed_names_the_extra_that_brings_it() -> None:
    with pytest.raises(MissingExtraError, match=r"pip install 'turnout\[train\]'"):
        find_job("no-such-job")
