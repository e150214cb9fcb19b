"""`turnout status`: what serves, who is there, how busy, how well; of a running gateway, else of what is found now."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

from turnout.cli import exits
from turnout.cli.arguments import configuration_options
from turnout.cli.look import ask_gateway
from turnout.cli.opening import opened
from turnout.cli.terminal import console

if TYPE_CHECKING:
    from turnout.execution.sync import SyncHybridClient

_EVERY_S: Final = 2.0


def add_command(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Register `status`."""
    parser = commands.add_parser(
        "status",
        parents=[shared, configuration_options()],
        help="show what serves, who is there, how busy and how well",
        epilog="exit codes: 0 shown, 1 it cannot be told, 2 wrong usage or configuration, 130 stopped",
    )
    parser.add_argument("--watch", action="store_true", help="show it again every 2 seconds, until Ctrl-C")
    parser.set_defaults(run=run, failed=exits.failed)


def run(options: argparse.Namespace) -> int:
    """Show it once, or again and again."""
    with ExitStack() as stack:
        take = _taker(options, stack)
        if options.watch:
            _watch(_moments(take), as_json=options.json)
        elif options.json:
            print(json.dumps(take()[0]))
        else:
            from turnout.cli.views import status_view

            console().print(status_view(*take()))
    return exits.ANSWERED


def _taker(options: argparse.Namespace, stack: ExitStack) -> Callable[[], tuple[dict[str, Any], str]]:
    """Takes one status with where it is from: the gateway while one answers, else a client that is then kept open."""
    from turnout.config.loader import load

    gateway = load(options.config, profile=options.profile).configuration.gateway
    client: SyncHybridClient | None = None

    def take() -> tuple[dict[str, Any], str]:
        nonlocal client
        told = ask_gateway(gateway.host, gateway.port)
        if told is not None:
            return told, f"gateway at port {gateway.port}"
        if client is None:
            client = stack.enter_context(opened(options))
        return client.status().to_json(), "looked at from here"

    return take


def _moments(take: Callable[[], tuple[dict[str, Any], str]]) -> Iterator[tuple[dict[str, Any], str]]:
    while True:
        yield take()
        time.sleep(_EVERY_S)


def _watch(moments: Iterator[tuple[dict[str, Any], str]], *, as_json: bool) -> None:
    """Show each in the place of the one before; as JSON one a line."""
    if as_json:
        for status, _ in moments:
            print(json.dumps(status), flush=True)
        return
    from rich.live import Live

    from turnout.cli.views import status_view

    with Live(console=console(), auto_refresh=False, vertical_overflow="crop") as live:
        for moment in moments:
            live.update(status_view(*moment), refresh=True)
