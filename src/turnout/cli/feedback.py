"""`turnout feedback`: say whether an answer was any good, so that the next one is better."""

from __future__ import annotations

import argparse
import json
import math
from typing import Any

from turnout.cli import exits
from turnout.cli.arguments import configuration_options
from turnout.cli.last import recall
from turnout.cli.opening import opened
from turnout.errors import RequestError


def add_command(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Register `feedback`."""
    parser = commands.add_parser(
        "feedback",
        parents=[shared, configuration_options()],
        help="say whether the last answer was any good",
        epilog="exit codes: 0 kept, 1 not kept, 2 wrong usage or configuration",
    )
    parser.add_argument("kind", choices=("good", "bad", "score"), help="score takes a value from 0 to 1")
    parser.add_argument("value", nargs="?", type=float, metavar="VALUE")
    parser.add_argument("--decision", metavar="ID", help="another than the last answer on this machine")
    parser.add_argument("--comment", default="", metavar="TEXT")
    parser.set_defaults(run=run, failed=exits.failed)


def run(options: argparse.Namespace) -> int:
    """Hand the feedback to the client."""
    value = _value(options.kind, options.value)
    decision = options.decision or recall()
    if not decision:
        raise RequestError("no answer is remembered on this machine; name one with --decision ID")
    with opened(options) as client:
        client.feedback(decision, options.kind, value, options.comment)
    result = {"decision": decision, "kind": options.kind, "value": value, "comment": options.comment}
    print(json.dumps(result) if options.json else f"kept: {_told(options.kind, value)} for {decision}")
    return exits.ANSWERED


def _value(kind: str, value: float | None) -> float | None:
    """The value of a score; nothing else has one.

    Raises:
        RequestError: a score without a value from 0 to 1, or a value without a score.
    """
    if kind != "score":
        if value is not None:
            raise RequestError(f"{kind} takes no value; 'score {value:g}' does")
        return None
    if value is None or not (math.isfinite(value) and 0 <= value <= 1):
        raise RequestError("score takes a value from 0 (useless) to 1 (perfect)")
    return value


def _told(kind: str, value: float | None) -> str:
    return kind if value is None else f"{kind} {value:g}"
