"""The `turnout` command: parse, call, print. Results go to standard output, progress and errors to standard error.

Exit codes: 0 done, 1 an error that is explained in one line, 2 wrong usage, 130 interrupted. The commands that ask
providers tell more apart; see `turnout.cli.exits`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence

from turnout import __version__
from turnout.cli import (
    advise,
    ask,
    chat,
    completion,
    config,
    emulate,
    feedback,
    jobs,
    keys,
    lab,
    learning,
    models,
    route,
    serve,
    status,
    tuning,
    warm,
)
from turnout.errors import TurnoutError


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(prog="turnout", description="Route each prompt to the right language model.")
    parser.add_argument("--version", action="version", version=f"turnout {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", action="store_true", help="print one machine-readable object to standard output")
    for command in (ask, chat, route, feedback, models, status, warm, advise):
        command.add_command(commands, shared)
    serve.add_command(commands)
    keys.add_command(commands, shared)
    on_cluster = jobs.cluster_options()
    jobs.add_commands(commands, shared, on_cluster)
    learning.add_commands(commands, shared, on_cluster)
    tuning.add_command(commands, shared, on_cluster)
    config.add_command(commands, shared)
    emulate.add_command(commands, shared)
    lab.add_command(commands, shared)
    completion.add_command(commands, shared, build_parser)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    for stream, errors in (
        (sys.stdin, "surrogateescape"),
        (sys.stdout, "backslashreplace"),
        (sys.stderr, "backslashreplace"),
    ):
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors=errors)  # type: ignore[union-attr]
    options = build_parser().parse_args(arguments)
    try:
        code = int(options.run(options))
        sys.stdout.flush()  # a reader that has gone is noticed here, not while the interpreter exits
        return code
    except TurnoutError as error:
        print(f"turnout {options.command}: {error}", file=sys.stderr)
        return int(options.failed(options, error)) if "failed" in options else 1
    except KeyboardInterrupt:
        print(f"turnout {options.command}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of a pipe has gone; point standard output elsewhere so that the exit flush stays quiet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
