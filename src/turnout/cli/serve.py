"""`turnout serve`: the gateway. Point a client's base URL at it and nothing else changes."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from turnout.cli import exits
from turnout.cli.arguments import configuration_options

if TYPE_CHECKING:
    from turnout.config.gateway import Gateway


def add_command(commands: Any) -> None:
    """Register `serve`."""
    parser = commands.add_parser(
        "serve",
        parents=[configuration_options()],
        help="answer clients of OpenAI and Ollama, routing each prompt",
        epilog="exit codes: 0 stopped by a signal, 1 it could not start, 2 wrong usage or configuration",
    )
    parser.add_argument("--host", help="another address than gateway.host (this machine only)")
    parser.add_argument("--port", type=int, help="another port than gateway.port (8787)")
    parser.add_argument("--workers", type=int, metavar="N", help="another number of processes than gateway.workers (1)")
    parser.add_argument(
        "--logs",
        choices=("auto", "json", "text", "off"),
        default="auto",
        help="a line for each request as JSON or as text; auto is text on a terminal, JSON elsewhere",
    )
    parser.set_defaults(run=run, failed=lambda _, error: exits.code_of(error))


def run(options: argparse.Namespace) -> int:
    """Serve until a signal comes."""
    from turnout.gateway.workers import serve_all

    form: Any = options.logs if options.logs in ("json", "text") else "text" if sys.stderr.isatty() else "json"
    said = {"host": options.host, "port": options.port, "workers": options.workers}
    settings = [f"gateway.{name}={value}" for name, value in said.items() if value is not None]
    serve_all(
        options.config,
        profile=options.profile,
        settings=settings,
        logs=form,
        log_requests=options.logs != "off",
        on_ready=_told,
    )
    return exits.ANSWERED


def _told(gateway: Gateway) -> None:
    host = f"[{gateway.host}]" if ":" in gateway.host else gateway.host
    print(
        f"turnout serves at http://{host}:{gateway.port}\n"
        f"  OpenAI clients:  http://{host}:{gateway.port}/v1\n"
        f"  Ollama clients:  http://{host}:{gateway.port}\n"
        f"  the page:        http://{host}:{gateway.port}/",
        file=sys.stderr,
        flush=True,
    )
