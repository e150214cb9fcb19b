"""`turnout emulate`: its options, its one line, and its errors."""

from __future__ import annotations

import argparse
import json
import signal
import socket
import subprocess
import sys
import urllib.request
from typing import Any

import pytest

from turnout.cli import emulate
from turnout.errors import ConfigurationError

# A shell that starts the tests in the background has its children ignore Ctrl-C; a terminal has not.
SCRIPT = """
import argparse, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from turnout.cli import emulate
parser = argparse.ArgumentParser(prog="turnout")
shared = argparse.ArgumentParser(add_help=False)
shared.add_argument("--json", action="store_true")
emulate.add_command(parser.add_subparsers(required=True), shared)
options = parser.parse_args()
sys.exit(options.run(options))
"""


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="turnout")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", action="store_true")
    emulate.add_command(parser.add_subparsers(required=True), shared)
    return parser.parse_args(["emulate", *arguments])


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as error:
        parse(*arguments)
    assert error.value.code == 2
    return capsys.readouterr().err


def test_it_serves_says_where_and_ends_quietly_when_interrupted() -> None:
    command = [sys.executable, "-c", SCRIPT, "emulate", "ollama", "--port", "0", "--json", "--models", "qwen3:4b,phi4"]
    process: Any = subprocess.Popen(
        [*command, "--speed", "0", "--seed", "3", "--fault", "busy_503:0", "--slots", "2", "--context", "2048"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        said = json.loads(process.stdout.readline())
        line = process.stderr.readline()
        assert said["kind"] == "ollama" and said["models"] == ["qwen3:4b", "phi4:latest"]
        assert said["base_url"] in line and "qwen3:4b, phi4:latest" in line and "Ctrl-C" in line
        with urllib.request.urlopen(f"{said['base_url']}/_emulator/state", timeout=5) as response:
            assert json.load(response)["faults"][0]["name"] == "busy_503"
        process.send_signal(signal.SIGINT)
        try:
            rest = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 0 and rest == ("", "")


def test_unknown_providers_are_refused_with_the_valid_ones(capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, "llamacpp")
    assert all(kind in said for kind in ("lmstudio", "ollama", "openai", "anthropic"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("--port", "70000"),
        ("--speed", "-1"),
        ("--speed", "nan"),
        ("--slots", "0"),
        ("--context", "x"),
        ("--models", ","),
    ],
)
def test_values_out_of_range_are_refused(capsys: pytest.CaptureFixture[str], arguments: tuple[str, str]) -> None:
    assert arguments[0] in refused(capsys, "ollama", *arguments)


def test_an_unknown_fault_is_refused_with_the_valid_ones() -> None:
    options = parse("ollama", "--port", "0", "--fault", "explode")
    with pytest.raises(ConfigurationError, match=r"'explode'; valid are refused, hang"):
        options.run(options)


def test_a_port_in_use_is_a_clear_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        options = parse("ollama", "--port", str(port))
        with pytest.raises(ConfigurationError, match=rf"127\.0\.0\.1:{port}: .*in use; choose another --port"):
            options.run(options)
