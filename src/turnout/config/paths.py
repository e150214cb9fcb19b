"""Where predictors live: `models/` in the working directory, or where TURNOUT_MODELS points."""

from __future__ import annotations

import os
from pathlib import Path


def models_folder() -> Path:
    """The folder of everything trained."""
    return Path(os.environ.get("TURNOUT_MODELS") or "models")


def champion_folder() -> Path:
    """The folder of the predictor that serves."""
    return models_folder() / "champion"
