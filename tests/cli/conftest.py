"""Running the command: in this process for its answers, in one of its own for pipes, streams and exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from turnout.cli.main import main


class Ran(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def turnout(champion: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run `turnout ARGUMENTS…` with the small champion."""
    monkeypatch.setenv("TURNOUT_MODELS", str(champion.parent))

    def run(*arguments: object) -> Ran:
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as leaving:  # argparse leaves so
            assert isinstance(leaving.code, int)
            code = leaving.code
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    return run


@pytest.fixture
def process(champion: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Run `turnout ARGUMENTS…` in a process of its own; bytes in, bytes out."""

    def run(*arguments: object, environment: dict[str, str] | None = None, **options: object):  # type: ignore[no-untyped-def]
        return subprocess.run(
            [sys.executable, "-m", "turnout.cli.main", *map(str, arguments)],
            env={**os.environ, "TURNOUT_MODELS": str(champion.parent), **(environment or {})},
            timeout=60,
            check=False,
            **({"capture_output": True} | options),
        )

    return run
