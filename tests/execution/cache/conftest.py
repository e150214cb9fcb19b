"""A Redis of one's own, one for each test process, and the event loop that the asynchronous tests run in."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Redis that nobody else uses. Skips where there is none, fails with TURNOUT_REQUIRE_REDIS=1."""
    server = shutil.which("redis-server")
    if server is None or importlib.util.find_spec("redis") is None:
        told = "needs redis-server (apt-get install redis-server) and redis-py (the extra team)"
        if os.environ.get("TURNOUT_REQUIRE_REDIS") == "1":
            pytest.fail(told)
        pytest.skip(told)
    folder = tmp_path_factory.mktemp("redis")
    path = Path(f"/tmp/turnout-redis-{os.getpid()}.sock")  # the address of a socket is 107 bytes at most
    options = ["--port", "0", "--unixsocket", str(path), "--save", "", "--appendonly", "no", "--dir", str(folder)]
    with subprocess.Popen([server, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(path, process)
            yield f"unix://{path}"
        finally:
            process.terminate()
            process.wait(timeout=10)
            path.unlink(missing_ok=True)


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
