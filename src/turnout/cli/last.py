"""Which decision was the last one on this machine, for feedback that names none."""

from __future__ import annotations

import json
from pathlib import Path

from turnout.cli.terminal import note
from turnout.config.paths import state_folder
from turnout.files import write_aside


def remember(decision: str, candidate: str) -> None:
    """Keep the id of a decision; a folder that cannot be written is told and fails nothing."""
    path = _path()
    try:
        write_aside(path, json.dumps({"decision": decision, "candidate": candidate}).encode())
    except OSError as error:
        note(
            f"'turnout feedback' will not know this answer: {path} cannot be written ({error.strerror}); "
            "TURNOUT_STATE names another folder"
        )


def recall() -> str:
    """The id of the last decision; empty where there is none."""
    try:
        return str(json.loads(_path().read_bytes())["decision"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _path() -> Path:
    return state_folder() / "last_decision"
