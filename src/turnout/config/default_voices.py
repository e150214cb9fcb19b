"""The voices that come with Turnout, read from their file when the first of them is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

from turnout.config.values import FrozenMapping
from turnout.config.voices import Voice

FILE: Final = "default_voices.yaml"


@cache
def default_voices() -> Mapping[str, Voice]:
    """Each voice under its name; read once, so that a request without a voice never pays for YAML."""
    from turnout.config.source import parse

    tree = parse(files("turnout.config").joinpath(FILE).read_bytes(), FILE)
    return FrozenMapping({name: Voice(**entry.plain()) for name, entry in tree.entries.items()})
