"""Load on a gateway: `wrk` with unique prompts, and one client that looks at the first piece of a stream."""

from __future__ import annotations

import itertools
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Final

_SCRIPT: Final = """
local n, seed = 0, os.time()
request = function()
  n = n + 1
  local prompt = string.format("What is the capital of country number %d of list %d, and since when?", n, math.random(1, 1e9))
  return wrk.format("POST", "/v1/chat/completions", {["Content-Type"] = "application/json"},
    '{"model":"auto","messages":[{"role":"user","content":"' .. prompt .. '"}]}')
end
init = function() math.randomseed(os.time() * 1000 + tonumber(tostring({}):sub(8), 16) % 1000) end
done = function(summary, latency)
  io.write(string.format("FIGURES %d %d %d %d %f %f %f %f\\n", summary.requests, summary.duration,
    summary.errors.status, summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50), latency:percentile(99), latency.mean, latency.max))
end
"""
_NUMBERS: Final = itertools.count()


def wrk(port: int, connections: int, seconds: float, folder: Path) -> dict[str, float]:
    """Requests a second and latencies in µs of one run.

    Raises:
        SystemExit: wrk is not installed, or an answer was an error.
    """
    program = shutil.which("wrk")
    if program is None:
        raise SystemExit("wrk is needed (Debian: apt-get install wrk)")
    script = folder / "load.lua"
    script.write_text(_SCRIPT)
    command = [
        program,
        "-t1",
        f"-c{connections}",
        f"-d{max(1, round(seconds))}s",
        "--timeout",
        "30s",
        "-s",
        str(script),
    ]
    told = subprocess.run([*command, f"http://127.0.0.1:{port}"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"FIGURES (.*)", told)
    if found is None:
        raise SystemExit(f"wrk told nothing:\n{told}")
    requests, duration_us, refused, broken, p50, p99, mean, most = map(float, found[1].split())
    if refused or broken:
        raise SystemExit(f"{refused:.0f} answers were errors and {broken:.0f} connections broke at port {port}")
    return {
        "requests_per_s": 1e6 * requests / duration_us,
        "requests": requests,
        "p50_us": p50,
        "p99_us": p99,
        "mean_us": mean,
        "max_us": most,
    }


def first_tokens(port: int, path: str, count: int) -> list[float]:
    """Microseconds to the first piece with content of so many streamed answers, one after the other."""
    found = []
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number in itertools.islice(_NUMBERS, count):
            body = (
                '{"model":"auto","stream":true,"messages":[{"role":"user","content":'
                f'"What is the capital of country number {number} of the world?"}}]}}'
            ).encode()
            head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
            started_s = time.perf_counter()
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            received = b""
            while b'"content":"' not in received.replace(b'": "', b'":"'):
                received += _more(connection)
            found.append(1e6 * (time.perf_counter() - started_s))
            while b"[DONE]\n\n" not in received:
                received += _more(connection)
            if b"chunked" in received.partition(b"\r\n\r\n")[0]:
                while not received.endswith(b"0\r\n\r\n"):
                    received += _more(connection)
    return found


def _more(connection: socket.socket) -> bytes:
    received = connection.recv(65536)
    if not received:
        raise SystemExit("the connection ended in the middle of a stream")
    return received
