"""llama.cpp's own server for one language model of the laboratory, and one question at a time to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final

from turnout.errors import LoadFailedError

MOST_TOKENS: Final = 80
"""Of an answer; the longest right one has under 60."""

_PATIENCE_S: Final = 120.0

# The server ends with its standard input, so none outlives the job.
_SERVER: Final = """
import json, os, sys
import xllamacpp

options = json.loads(sys.argv[1])
params = xllamacpp.CommonParams()
params.model.path = options.pop("model")
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = options.pop("threads")
address = options.pop("address")
for name, value in options.items():
    setattr(params, name, value)
server = xllamacpp.Server(params)
with open(address + ".part", "w", encoding="utf-8") as file:
    file.write(server.listening_address)
os.replace(address + ".part", address)
sys.stdin.buffer.read()
os._exit(0)
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one question: seconds from sending it to the whole answer, log-probabilities of its tokens."""

    text: str
    seconds: float
    prompt_tokens: int
    completion_tokens: int
    logprobs: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class LabEngine:
    """A running server and the connection to it, which stays open."""

    connection: HTTPConnection

    def ask(self, prompt: str, most: int = MOST_TOKENS) -> Answer:
        """The likeliest answer, by /v1/chat/completions.

        Raises:
            LoadFailedError: the server refused, or broke off.
        """
        question = {
            "messages": [{"role": "user", "content": prompt}],
            "temperature": 0.0,
            "max_tokens": most,
            "logprobs": True,
        }
        began = time.perf_counter()
        status, said = self._post("/v1/chat/completions", question)
        seconds = time.perf_counter() - began
        if status != 200:
            raise LoadFailedError(f"the engine answers {status}: {said}")
        choice, usage = said["choices"][0], said["usage"]
        logprobs = tuple(float(token["logprob"]) for token in (choice.get("logprobs") or {}).get("content") or ())
        text = choice["message"]["content"] or ""
        return Answer(text, seconds, usage["prompt_tokens"], usage["completion_tokens"], logprobs)

    def _post(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        try:
            try:
                return self._posted(path, body)
            except (ConnectionError, HTTPException):  # the server closes a connection that was idle for seconds
                self.connection.close()
                return self._posted(path, body)
        except (OSError, HTTPException, ValueError) as error:
            raise LoadFailedError(f"the engine broke off: {error}") from error

    def _posted(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        self.connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read())


@contextmanager
def serve(model: Path, *, threads: int = 1) -> Iterator[LabEngine]:
    """Serve that file on a free local port until the block ends, one request at a time.

    Raises:
        LoadFailedError: the server ended, or is not ready after two minutes.
    """
    with tempfile.TemporaryDirectory() as folder:
        address, log = Path(folder) / "address", Path(folder) / "log"
        options = {
            "model": str(model),
            "model_alias": [model.stem],
            "port": 0,
            "n_parallel": 1,
            "n_ctx": 0,
            "use_jinja": True,
            "fit_params": False,
            "ui": False,
            "threads": threads,
            "address": str(address),
        }
        command = [sys.executable, "-c", _SERVER, json.dumps(options)]
        with log.open("wb") as output:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT)  # noqa: S603
        try:
            with closing(_connected(process, address, log)) as connection:
                yield LabEngine(connection)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _connected(process: subprocess.Popen[bytes], address: Path, log: Path) -> HTTPConnection:
    deadline = time.monotonic() + _PATIENCE_S
    while process.poll() is None and time.monotonic() < deadline:
        if address.exists():
            host, _, port = address.read_text(encoding="utf-8").strip().removeprefix("http://").rpartition(":")
            connection = HTTPConnection(host, int(port), timeout=_PATIENCE_S)
            if _healthy(connection):
                return connection
        time.sleep(0.02)
    end = "is not ready" if process.poll() is None else f"ended with {process.returncode}"
    raise LoadFailedError(f"the engine {end}: {os.linesep.join(_last_words(log))}")


def _healthy(connection: HTTPConnection) -> bool:
    try:
        connection.request("GET", "/health")
        answer = connection.getresponse()
        answer.read()
    except (OSError, HTTPException):
        connection.close()
        return False
    return answer.status == 200


def _last_words(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:]
