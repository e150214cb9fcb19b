"""A PostgreSQL server for the tests, started by the tests: a socket in a folder of its own, nothing on the network.

Skips where there is none; with TURNOUT_REQUIRE_POSTGRES=1, as in `.ci/run`, that is a failure.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Final

import pytest

_NEW: Final = count(1)


def require_postgres() -> Path:
    """The folder of PostgreSQL's programs; skips or fails without one."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    program = str(found[-1]) if found else shutil.which("initdb")
    if program is not None and (os.name != "posix" or os.getuid() or shutil.which("runuser")):
        return Path(program).parent
    why = "PostgreSQL is not installed (Debian: apt-get install postgresql)"
    if os.environ.get("TURNOUT_REQUIRE_POSTGRES") == "1":
        pytest.fail(why)
    pytest.skip(why)


class PostgresServer:
    """A server with trust for whoever can reach its socket."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self.folder = folder

    def make(self) -> None:
        self._run(
            "initdb", "--pgdata", str(self._data), "--auth=trust", "--username=turnout", "--no-sync", "-E", "UTF8"
        )

    def start(self) -> None:
        options = f"-k {self.folder} -c listen_addresses='' -c fsync=off -c max_connections=50"
        log = str(self.folder / "log")
        self._run("pg_ctl", "start", "--wait", "-D", str(self._data), "-o", options, "--log", log)

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "--wait", "-D", str(self._data), "--mode", "fast")

    def new_database(self) -> str:
        """The address of an empty database."""
        name = f"test_{next(_NEW)}"
        self._run("createdb", "--host", str(self.folder), "--username", "turnout", name)
        return f"postgresql://turnout@/{name}?host={self.folder}"

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        if not os.getuid():  # the server refuses to run as root
            command = ["runuser", "-u", _unprivileged(), "--", *command]
        # The server keeps what it inherits open, so there must be no pipe to wait for.
        with (self.folder / "output").open("w") as output:
            done = subprocess.run(command, stdout=output, stderr=output, cwd=self.folder, timeout=60, check=False)
        assert done.returncode == 0, (program, (self.folder / "output").read_text())


@contextmanager
def serve_postgres() -> Iterator[PostgresServer]:
    """A running server; everything of it is gone afterwards."""
    programs = require_postgres()
    folder = Path(
        tempfile.mkdtemp(prefix="turnout-pg-")
    )  # a socket's path holds 107 bytes: too few for pytest's folders
    try:
        if not os.getuid():
            shutil.chown(folder, _unprivileged())
        server = PostgresServer(programs, folder)
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged() -> str:
    import pwd

    return "postgres" if any(user.pw_name == "postgres" for user in pwd.getpwall()) else "nobody"
