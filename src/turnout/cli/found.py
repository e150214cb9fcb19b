"""Jobs found by name, and what they take and give in common.

Jobs live in their own package with its own dependencies; they are looked up through the entry-point group
`turnout.jobs`, so serving neither imports nor needs them.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

from turnout.errors import MissingExtraError


def find_job(name: str) -> Callable[..., dict[str, Any]]:
    """The job of that name.

    Raises:
        MissingExtraError: the training libraries are not installed.
    """
    # Libraries that jobs load warn about their own futures; that is for developers, not for a terminal.
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    for entry in entry_points(group="turnout.jobs", name=name):
        try:
            job: Callable[..., dict[str, Any]] = entry.load()
        except ModuleNotFoundError as error:
            raise MissingExtraError("train", f"'turnout {name}' (module {error.name} is missing)") from error
        return job
    raise MissingExtraError("train", f"'turnout {name}'")


def names_of(text: str) -> list[str]:
    """Candidates as they are written in one argument."""
    return [name.strip() for name in text.split("|" if "|" in text else ",") if name.strip()]


def finish(options: argparse.Namespace, result: dict[str, Any], text: str) -> int:
    """Print what a job returned, as an object or as text."""
    print(json.dumps(result, default=str) if options.json else text)
    return 0
