"""`turnout status`: of a running gateway, else looked at from here; once, or again and again."""

from __future__ import annotations

import http.server
import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.cli.emulated import SMALL, Terminal

from turnout.cli.look import ask_gateway
from turnout.cli.views import status_view
from turnout.emulators.server import Emulator
from turnout.execution.metrics import Metrics
from turnout.execution.status import status
from turnout.types import Snapshot

Turnout = Callable[..., Any]


@contextmanager
def gateway(body: bytes, code: int = 200) -> Iterator[int]:
    """Something that answers like a gateway, on a port of this machine."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(code if self.path == "/turnout/status" else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def of_a_gateway(**more: Any) -> dict[str, Any]:
    """The status that a gateway gives."""
    return status(Snapshot(taken_s=0.0), fingerprint="of-the-gateway", uptime_s=7200.0, **more).to_json()


def with_port(port: int) -> None:
    """Let the configuration of the test name the gateway's port."""
    file = Path("hybrid.yaml")
    content = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(content | {"gateway": {"port": port}}), encoding="utf-8")


def test_it_shows_providers_candidates_and_the_machine(turnout: Turnout, emulator: Emulator) -> None:
    ran = turnout("status")
    assert (ran.code, ran.err) == (0, "")
    assert "looked at from here" in ran.out and "hybrid.yaml" in ran.out
    assert "available" in ran.out and SMALL in ran.out and "memory" in ran.out


def test_json_is_the_status_itself(turnout: Turnout, emulator: Emulator) -> None:
    result = json.loads(turnout("status", "--json").out)
    assert result.keys() == of_a_gateway().keys()
    assert SMALL in result["candidates"]


def test_a_provider_that_is_away_is_shown_with_its_problem(turnout: Turnout, nobody: Path) -> None:
    ran = turnout("status")
    assert ran.code == 0
    (line,) = (line for line in ran.out.splitlines() if line.startswith("ollama "))
    assert "available" not in line


def test_a_running_gateway_is_asked_first(turnout: Turnout, nobody: Path) -> None:
    with gateway(json.dumps(of_a_gateway()).encode()) as port:
        with_port(port)
        told, plain = turnout("status"), turnout("status", "--json")
    assert f"gateway at port {port}" in told.out and "up 2 h" in told.out
    assert json.loads(plain.out)["configuration"]["fingerprint"] == "of-the-gateway"


@pytest.mark.parametrize(("body", "code"), [(b"<html>", 200), (b"[]", 200), (b"{}", 200), (b"{}", 401)])
def test_what_is_no_status_is_no_gateway(body: bytes, code: int) -> None:
    with gateway(body, code) as port:
        assert ask_gateway("127.0.0.1", port) is None


def test_a_port_that_keeps_silent_is_left_after_a_moment() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started_s = time.monotonic()
        assert ask_gateway("0.0.0.0", silent.getsockname()[1]) is None
        assert time.monotonic() - started_s < 1


def test_a_challenger_and_what_drifted_are_shown() -> None:
    from rich.console import Console

    about = {"version": "two", "trained_at": "", "candidates": [SMALL], "since": 1.0, "problem": ""}
    against = {"mode": "shadow", "compared": 40, "agreement_share": 0.9, "canary_requests": 0}
    alarm = {"kind": "language_model", "candidate": SMALL, "since": 1.0, "text": "another one [bold]answers"}
    named = {**alarm, "kind": "speed", "text": f"{SMALL} is slower"}
    told = {"challenger": about | against, "drift": {"checked_at": 1.0, "alarms": [alarm, named], "decisions": 9}}
    console = Console(width=200)
    with console.capture() as capture:
        console.print(status_view(of_a_gateway() | told, "here"))
    assert "challenger two, shadow: chose the same in 90% of 40 in the last hour" in capture.get()
    assert f"drift, language model of {SMALL}: another one [bold]answers" in capture.get()
    assert f"drift, speed: {SMALL} is slower" in capture.get()


def test_figures_are_shown_once_there_are_some() -> None:
    from rich.console import Console

    metrics = Metrics()
    metrics.rated("good")
    plain = of_a_gateway(metrics=metrics.snapshot(), history={"waiting": 3, "store": {"rows": 7}}, threshold=0.7)
    plain["metrics"]["total"]["requests"] = 5
    screen = Console(record=True, width=100, file=io.StringIO())
    screen.print(status_view(plain, "here"))
    text = screen.export_text()
    assert "last hour" in text and "good, bad" in text
    assert "history: waiting 3, store rows 7" in text and "escalates under 70%" in text


def test_names_of_a_provider_are_not_read_as_markup(turnout: Turnout, nobody: Path) -> None:
    told = of_a_gateway()
    told["providers"]["[red]x"] = {"available": True, "version": "\x1b[1m", "problem": "", "looked_ago_s": 1}
    with gateway(json.dumps(told).encode()) as port:
        with_port(port)
        out = turnout("status").out
    assert "[red]x" in out and "\x1b" not in out


def test_watch_shows_it_again_in_the_same_place_until_ctrl_c(emulator: Emulator) -> None:
    with Terminal("status", "--watch") as terminal:
        terminal.until("busy")
        terminal.until("busy")
        terminal.type("\x03")
        assert terminal.end() == 130
    assert "Traceback" not in terminal.shown
    assert "\x1b[1A" in terminal.shown, "it moves up again"
