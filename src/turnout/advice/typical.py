"""Typical prompts: the user's own file, or the few that come with Turnout."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Final

from turnout.errors import DataError

MOST_PROMPTS: Final = 1000
"""More change the figures less than their intervals are wide; of a longer file evenly spaced ones are taken."""

_MOST_BYTES: Final = 64 << 20


def bundled() -> tuple[str, ...]:
    """The sample that comes with Turnout."""
    lines = files("turnout.advice").joinpath("typical.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))


def read_prompts(path: Path) -> tuple[str, ...]:
    """The prompts of a file of JSON lines, at most `MOST_PROMPTS` of them.

    Raises:
        DataError: it cannot be read, is too long, holds no prompts, or a line that is no object with `prompt`.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    if len(content) > _MOST_BYTES:
        raise DataError(f"{path}: holds more than {_MOST_BYTES >> 20} MiB; give a part of it")
    lines = content.decode("utf-8-sig", errors="replace").splitlines()
    prompts = [_prompt(line, f"{path}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]
    if not prompts:
        raise DataError(f"{path}: holds no prompts; expected one object with 'prompt' (text) a line")
    count = min(len(prompts), MOST_PROMPTS)
    return tuple(prompts[place * len(prompts) // count] for place in range(count))


def _prompt(line: str, where: str) -> str:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not JSON: {error}") from error
    if not isinstance(entry, dict) or not isinstance(entry.get("prompt"), str):
        raise DataError(f"{where}: expected an object with 'prompt' (text)")
    return str(entry["prompt"])
