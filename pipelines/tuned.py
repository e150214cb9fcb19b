"""The settings that trainings use: those that a tuning found, where one did."""

from __future__ import annotations

from pathlib import Path

from turnout_pipelines.sources import say

from turnout.config.paths import models_folder
from turnout.predictor.settings import SETTINGS_FILE, FitSettings, read_settings


def settings_path() -> Path:
    """Where a tuning leaves what it found."""
    return models_folder() / SETTINGS_FILE


def tuned_settings() -> FitSettings | None:
    """The tuned settings, and says so; None, the defaults, where there are none.

    Raises:
        ConfigurationError: the file is damaged, or has a setting that is unknown or out of range.
    """
    settings = read_settings(settings_path())
    if settings is not None:
        told = ", ".join(f"{name} {value:g}" for name, value in settings.to_json().items())
        say(f"settings of {settings_path()}: {told}")
    return settings
