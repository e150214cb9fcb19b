"""The versions that a trained artifact names."""

from __future__ import annotations

import platform
from importlib.metadata import version

LIBRARIES = ("numpy", "scikit-learn", "scipy", "pandas")


def versions() -> dict[str, str]:
    """Python, the libraries that fit, and Turnout."""
    return {"python": platform.python_version(), **{name: version(name) for name in (*LIBRARIES, "turnout")}}
