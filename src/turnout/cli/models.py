"""`turnout models`: every candidate there is, with what its provider tells and what was measured here."""

from __future__ import annotations

import argparse
import json
from typing import Any

from turnout.cli import exits
from turnout.cli.arguments import configuration_options
from turnout.cli.opening import hint, opened
from turnout.cli.terminal import console


def add_command(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Register `models`."""
    parser = commands.add_parser(
        "models",
        parents=[shared, configuration_options()],
        help="list the candidates with what is known of them",
        epilog="exit codes: 0 listed, 1 no candidate is known, 2 wrong usage or configuration, 130 stopped",
    )
    parser.set_defaults(run=run, failed=exits.failed)


def run(options: argparse.Namespace) -> int:
    """Look at every provider and print what it has."""
    with opened(options) as client:
        status = client.status().to_json()
        if not status["candidates"]:
            hint(client)
    if options.json:
        print(json.dumps({"candidates": status["candidates"], "providers": status["providers"]}))
    elif status["candidates"]:
        from turnout.cli.views import models_table

        screen = console()
        screen.print(models_table(status["candidates"], columns=screen.width))
    return exits.ANSWERED if status["candidates"] else exits.NO_ANSWER
