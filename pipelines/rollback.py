"""Rollback: the champion before the one that serves, back in its place."""

from __future__ import annotations

from typing import Any

from turnout_pipelines import promote, tracking


def run() -> dict[str, Any]:
    """Promote the previous champion; a second rollback undoes the first.

    Raises:
        ArtifactMissingError: there was none before.
    """
    done: dict[str, Any] = promote.run(version=tracking.PREVIOUS)
    return done
