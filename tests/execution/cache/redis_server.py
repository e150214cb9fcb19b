"""A Redis for the tests, started by the tests: a socket in a folder of its own, nothing on the network.

Skips where there is none; with TURNOUT_REQUIRE_REDIS=1, as in `.ci/run`, that is a failure.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def serve_redis() -> Iterator[str]:
    """The address of a Redis that nobody else uses; everything of it is gone afterwards."""
    server = shutil.which("redis-server")
    if server is None or importlib.util.find_spec("redis") is None:
        told = "needs redis-server (apt-get install redis-server) and redis-py (the extra team)"
        if os.environ.get("TURNOUT_REQUIRE_REDIS") == "1":
            pytest.fail(told)
        pytest.skip(told)
    # The address of a socket is 107 bytes at most: too few for pytest's folders.
    with tempfile.TemporaryDirectory(prefix="turnout-redis-") as folder:
        path = Path(folder) / "socket"
        options = ["--port", "0", "--unixsocket", str(path), "--save", "", "--appendonly", "no", "--dir", folder]
        with subprocess.Popen([server, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                _wait_for(path, process)
                yield f"unix://{path}"
            finally:
                process.terminate()
                process.wait(timeout=10)


def _wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(str(path))
                return
            except OSError:
                assert process.poll() is None, "redis-server ended"
                time.sleep(0.02)
    raise AssertionError("redis-server did not begin to listen")
