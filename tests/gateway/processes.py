"""`turnout serve` as a process, in front of a provider, with whatever belongs to it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from tests.gateway.world import until

PATIENCE_S = 60.0
"""As long as a process may take on a busy machine."""


def configured(folder: Path, provider: str, **gateway: Any) -> Path:
    """A configuration file for a provider at an address."""
    file = folder / "hybrid.json"
    content = {
        "providers": {"ollama": {"base_url": provider}},
        "resources": {"memory": {"reserve_mb": 0, "max_percent": 100}},
        "history": {"enabled": False},
        "hybrid": {"enabled": False},
        "gateway": {"port": 0, "drain_s": 20.0, **gateway},
    }
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


class Served:
    """A running one."""

    def __init__(self, folder: Path, file: Path, *arguments: str) -> None:
        self.errors = folder / "errors.txt"
        environment = {**os.environ, "TURNOUT_STATE": str(folder / "state"), "TURNOUT_MODELS": str(folder / "models")}
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "turnout.cli.main", "serve", "--config", str(file), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
                cwd=folder,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        """Everything that it wrote to standard error."""
        return self.errors.read_text(errors="replace")

    @property
    def url(self) -> str:
        """Where it serves, once it does."""
        until(lambda: "turnout serves at" in self.log or self.process.poll() is not None, PATIENCE_S)
        found = re.search(r"turnout serves at (\S+)", self.log)
        assert found, self.log
        return found[1]

    @property
    def workers(self) -> list[psutil.Process]:
        """The processes that answer, where there are several."""
        return [each for each in psutil.Process(self.process.pid).children() if _answers(each)]

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        """Wait for the end; the exit code."""
        return self.process.wait(PATIENCE_S)


def _answers(process: psutil.Process) -> bool:
    """Whether it is a worker that lives; one that has just been killed stays a zombie for a moment."""
    try:
        return any("spawn_main" in word for word in process.cmdline())
    except (psutil.ZombieProcess, psutil.NoSuchProcess):
        return False


@contextmanager
def served(folder: Path, provider: str, *arguments: str, **gateway: Any) -> Iterator[Served]:
    """A process, and nothing of it afterwards."""
    running = Served(folder, configured(folder, provider, **gateway), *arguments)
    try:
        yield running
    finally:
        with suppress(ProcessLookupError):
            os.killpg(running.process.pid, signal.SIGKILL)
        running.process.wait(PATIENCE_S)
        assert running.process.stdout is not None
        running.process.stdout.close()


class Behind(threading.Thread):
    """Something that is done meanwhile; `result` waits for it."""

    def __init__(self, do: Any) -> None:
        super().__init__(daemon=True)
        self._do = do
        self._told: Any = None
        self.start()

    def run(self) -> None:
        try:
            self._told = self._do()
        except Exception as error:
            self._told = error

    @property
    def result(self) -> Any:
        self.join(PATIENCE_S)
        assert not self.is_alive(), "it does not end"
        if isinstance(self._told, Exception):
            raise self._told
        return self._told
