"""Rollback: the champion before the one that serves, back in its place."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import mlflow
from turnout_pipelines import promote, tracking

from turnout.config.paths import champion_folder
from turnout.errors import ArtifactError, ArtifactMissingError
from turnout.predictor import read_manifest


def run() -> dict[str, Any]:
    """Promote the previous champion; a second rollback undoes the first.

    Raises:
        ArtifactMissingError: there was none before.
    """
    client = tracking.start()
    before = tracking.CHAMPION if _was_cut_short(client) else tracking.PREVIOUS
    if not tracking.knows(client, before):
        raise ArtifactMissingError("no champion served before this one, so there is nothing to go back to")
    done: dict[str, Any] = promote.run(version=before, client=client)
    return done


def _was_cut_short(client: mlflow.MlflowClient) -> bool:
    """Whether a promotion was killed between file and alias: then the registry's champion is the one before."""
    try:
        serving = read_manifest(champion_folder())
        with tempfile.TemporaryDirectory() as folder:
            return bool(serving != read_manifest(tracking.download(client, tracking.CHAMPION, Path(folder))[1]))
    except ArtifactError:
        return False
