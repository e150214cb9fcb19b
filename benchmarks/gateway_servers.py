"""The servers that `gateway.py` compares: nginx with a fixed answer, Turnout's gateway and LiteLLM's proxy before it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from common import say
from small_champion import fit_small

TEXT: Final = "Paris is the capital of France."
LEARNED: Final = {"lmstudio/qwen2.5-coder-7b": "lmstudio/fixed", "ollama/llama-3.3-70b": "ollama/strong"}
"""Whose outcomes in the bundled history stand for which of the two candidates."""

READY_WITHIN_S: Final = 120.0

_WHOLE: Final = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1700000000,
    "model": "fixed",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 20, "completion_tokens": 8, "total_tokens": 28},
}
_MODELS: Final = {"object": "list", "data": [{"id": name, "object": "model"} for name in ("fixed", "strong")]}


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def _stream(model: str) -> str:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000, "model": model}
    frames = [
        {**head, "choices": [{"index": 0, "delta": {"content": word + " "}, "finish_reason": None}]}
        for word in TEXT.split()
    ]
    frames.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    frames.append({**head, "choices": [], "usage": _WHOLE["usage"]})
    return "".join(f"data: {json.dumps(frame)}\n\n" for frame in frames) + "data: [DONE]\n\n"


@contextmanager
def nginx(folder: Path) -> Iterator[int]:
    """nginx with one worker: whole answers at /v1, the same as a stream at /streamed/v1.

    Below /strong the other language model says that it answered: an answer by another than was asked is an error.

    Raises:
        SystemExit: it is not installed.
    """
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if program is None:
        raise SystemExit("nginx is needed (Debian: apt-get install nginx)")
    port = free_port()
    models = json.dumps(_MODELS)
    paths = ""
    for server, model in (("", "fixed"), ("/strong", "strong")):
        whole, stream = json.dumps({**_WHOLE, "model": model}), _stream(model).replace("\n", "\\n")
        paths += "".join(
            f"location = {server}{prefix}/v1/models {{ default_type application/json; return 200 '{models}'; }}\n"
            f"location = {server}{prefix}/v1/chat/completions {{ default_type {kind}; return 200 '{body}'; }}\n"
            for prefix, kind, body in (("", "application/json", whole), ("/streamed", "text/event-stream", stream))
        )
    configuration = folder / "nginx.conf"
    # `return` reads no escapes, so the line ends of the stream are put in as they are.
    configuration.write_text(
        f"worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;\n"
        "events { worker_connections 4096; }\n"
        "http { access_log off; keepalive_requests 100000000; keepalive_timeout 3600s;\n"
        f"server {{ listen 127.0.0.1:{port} backlog=1024;\n{paths}}} }}\n".replace("\\n", "\n")
    )
    with _running([program, "-c", str(configuration)], folder / "nginx.out"):
        _wait(f"http://127.0.0.1:{port}/v1/models")
        yield port


@contextmanager
def turnout(folder: Path, upstream: int, *, streamed: bool = False) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """The gateway as `turnout serve` starts it: one process, a champion, the history on SQLite; no line for each request,
    which LiteLLM writes none of either."""
    folder.mkdir(exist_ok=True)
    port, prefix = free_port(), "/streamed" if streamed else ""
    fast, strong = (f"http://127.0.0.1:{upstream}{server}{prefix}/v1" for server in ("", "/strong"))
    queue = "{max_concurrent: 64, max_concurrent_per_candidate: 64}"
    configuration = folder / "turnout.yaml"
    configuration.write_text(
        "providers:\n"
        f"  lmstudio: {{kind: openai, base_url: '{fast}', models: [{{name: fixed}}], queue: {queue}}}\n"
        f"  ollama: {{kind: openai, base_url: '{strong}', models: [{{name: strong}}], queue: {queue}}}\n"
        # The canned answer is no good one; asking another candidate for it would be measured as routing.
        "routing: {escalation: {threshold: 0, min_threshold: 0, adaptive: false}}\n"
    )
    models = folder.parent / "models"
    if not models.exists():
        say("fitting a champion ...")
        (models / "champion").mkdir(parents=True)
        fit_small(models / "champion", LEARNED)
    environment = {
        **os.environ,
        "TURNOUT_STATE": str(folder / "state"),
        "TURNOUT_MODELS": str(models),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "turnout.cli.main", "serve", "--config", str(configuration)]
    command += ["--port", str(port), "--logs", "off"]
    with _running(command, folder / "turnout.log", environment) as process:
        _wait(f"http://127.0.0.1:{port}/readyz")
        yield port, process


@contextmanager
def litellm(folder: Path, upstream: int, python: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """LiteLLM's proxy with one worker, as its documentation starts it, without a database."""
    port = free_port()
    configuration = folder / "litellm.yaml"
    configuration.write_text(
        "model_list:\n"
        "  - model_name: auto\n"
        "    litellm_params:\n"
        f"      {{model: openai/fixed, api_base: 'http://127.0.0.1:{upstream}/v1', api_key: none}}\n"
        "litellm_settings: {telemetry: false, num_retries: 0}\n"
        # No keys, as Turnout has none on its own machine.
        "general_settings: {dangerously_permit_weak_or_unset_master_key: true}\n"
    )
    command = [str(python.parent / "litellm"), "--config", str(configuration), "--port", str(port)]
    command += ["--host", "127.0.0.1", "--num_workers", "1"]
    with _running(command, folder / "litellm.log", {**os.environ, "LITELLM_LOG": "ERROR"}) as process:
        _wait(f"http://127.0.0.1:{port}/health/liveliness")
        yield port, process


@contextmanager
def _running(
    command: list[str], log: Path, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(url: str) -> None:
    """Until something answers."""
    until_s = time.monotonic() + READY_WITHIN_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                response.read()
                return
        except (OSError, urllib.error.URLError):
            if time.monotonic() > until_s:
                raise SystemExit(f"nothing answers at {url}") from None
            time.sleep(0.1)
