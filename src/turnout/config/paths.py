"""Where things live: `models/` and `state/` in the working directory, or where the environment points."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path


def models_folder() -> Path:
    """The folder of everything trained."""
    return Path(os.environ.get("TURNOUT_MODELS") or "models")


def champion_folder() -> Path:
    """The folder of the predictor that serves."""
    return models_folder() / "champion"


def challenger_folder() -> Path:
    """The folder of the predictor that wants to serve."""
    return models_folder() / "challenger"


def confidence_file() -> Path:
    """The file of the confidence model that was fitted to the history; without it the default judges."""
    return models_folder() / "confidence.json"


def base_folder() -> Path | None:
    """The folder of the base predictor: TURNOUT_BASE (none where it is "off"), else the one that came with Turnout."""
    told = os.environ.get("TURNOUT_BASE", "")
    if told == "off":
        return None
    if told:
        return Path(told)
    try:
        return Path(str(files("turnout_base")))
    except ModuleNotFoundError:  # a package that was built without it
        return None


def state_folder() -> Path:
    """The folder of what was measured here and is worth keeping over a restart (TURNOUT_STATE)."""
    return Path(os.environ.get("TURNOUT_STATE") or "state")
