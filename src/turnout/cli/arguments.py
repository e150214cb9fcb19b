"""Options that several commands share, and what their texts mean."""

from __future__ import annotations

import argparse
import getpass
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any


def configuration_options() -> argparse.ArgumentParser:
    """Which configuration counts; a parent of every command that asks providers."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="another configuration than TURNOUT_CONFIG, config/hybrid.yaml or the example that ships",
    )
    parser.add_argument("--profile", metavar="P", help="none, auto, high-end, resource-constrained, or one of your own")
    return parser


def wish_options() -> argparse.ArgumentParser:
    """Who shall answer and how; a parent of `ask` and `chat`."""
    parser = argparse.ArgumentParser(add_help=False)
    speed = parser.add_mutually_exclusive_group()
    speed.add_argument("--fast", action="store_const", const="fast", dest="preference", help="rather fast than good")
    speed.add_argument("--quality", action="store_const", const="quality", dest="preference", help="rather good")
    speed.add_argument(
        "--preference", type=preference, metavar="X", help="fast, balanced, quality, or an exchange rate"
    )
    parser.add_argument("--candidate", default="", metavar="NAME", help="the only one that may answer")
    parser.add_argument("--voice", default="", metavar="NAME", help="a persona of the configuration")
    parser.add_argument("--system", default="", metavar="TEXT", help="what the language model is told about its task")
    parser.add_argument("--temperature", type=number(0, 2), metavar="T", help="how freely it speaks, 0 to 2")
    parser.add_argument("--max-tokens", type=whole_number(1), metavar="N", help="tokens that an answer may have")
    parser.add_argument("--deadline", type=number(0.001), metavar="S", help="seconds for everything together")
    parser.add_argument("--hold", action="store_true", help="show the answer only when it has been judged")
    parser.add_argument("--no-cache", action="store_true", help="ask afresh, whatever the caches know")
    return parser


def preference(text: str) -> str | float:
    """A preference by its name, or an exchange rate."""
    try:
        return float(text)
    except ValueError:
        return text


def number(least: float, most: float = math.inf) -> Callable[[str], float]:
    """A reader of numbers in a range, which says the range when it refuses."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (least <= value <= most and math.isfinite(value)):
            raise argparse.ArgumentTypeError(f"{text!r} is not a number {_range(least, most)}")
        return value

    return read


def whole_number(least: int) -> Callable[[str], int]:
    """The same for whole numbers."""

    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number {_range(least, math.inf)}")
        return int(text)

    return read


def client_options(options: argparse.Namespace) -> dict[str, Any]:
    """What the wishes of a command line are called in `turnout.execution.asked.Options`."""
    from turnout.types import Sampling

    said: dict[str, Any] = {
        "user": _user(),
        "candidate": options.candidate,
        "voice": options.voice,
        "hold": options.hold,
        "use_cache": not options.no_cache,
        "sampling": Sampling(temperature=options.temperature, max_tokens=options.max_tokens),
    }
    if options.preference is not None:
        said["preference"] = options.preference
    if options.deadline is not None:
        said["deadline_s"] = options.deadline
    return said


def _user() -> str:
    """Whose answers these are, so that feedback counts for whoever gave it; empty where the system knows no name."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def _range(least: float, most: float) -> str:
    return f"of {least:g} or more" if most == math.inf else f"from {least:g} to {most:g}"
