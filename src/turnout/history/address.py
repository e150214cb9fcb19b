"""Where a configuration keeps its history."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from turnout.config.records import History as Settings
from turnout.errors import ConfigurationError

DATABASE_FILE: Final = "history.db"


def history_url(settings: Settings, folder: Path | str) -> str:
    """The database's address; an SQLite file in the folder unless another is configured.

    Raises:
        ConfigurationError: the variable that should hold the address is not set.
    """
    if settings.url_variable is not None:
        url = os.environ.get(settings.url_variable, "")
        if not url:
            raise ConfigurationError(f"history.url_variable: the variable {settings.url_variable} is not set")
        return url
    return settings.url or f"sqlite:///{Path(folder).absolute() / DATABASE_FILE}"
