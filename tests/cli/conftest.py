"""Running the command: in this process for its answers, in one of its own for pipes, streams and exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
from tests.cli.emulated import configure, emulating

from turnout.cli.main import main
from turnout.emulators.server import Emulator


class Ran(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory for what is pretended, however busy this machine is."""
    real = psutil.virtual_memory()
    plenty = real._replace(total=max(real.total, 64 << 30), available=max(real.available, 48 << 30))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: plenty)


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


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state folder of one test, which is its working directory's."""
    folder = tmp_path / "state"
    monkeypatch.setenv("TURNOUT_STATE", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def nobody(state: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration whose provider does not listen."""
    file = configure(state.parent / "hybrid.yaml", ollama="http://127.0.0.1:9")
    monkeypatch.setenv("TURNOUT_CONFIG", str(file))
    return file


@pytest.fixture
def emulator(state: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """A pretended Ollama that waits for nothing, and a configuration that names it."""
    with emulating() as (url, emulator):
        monkeypatch.setenv("TURNOUT_CONFIG", str(configure(state.parent / "hybrid.yaml", ollama=url)))
        yield emulator


@pytest.fixture
def unwritable(state: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder that cannot be made, because a file is where it should be."""
    (state.parent / "taken").write_text("", encoding="utf-8")
    monkeypatch.setenv("TURNOUT_STATE", str(state.parent / "taken" / "state"))
    return state.parent / "taken" / "state"
