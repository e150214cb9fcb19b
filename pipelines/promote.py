"""Promote: make a registered predictor the champion that serves.

The version is downloaded, loaded as serving would load it, and only then written over `models/champion`, in one
rename; the alias moves last. Rolling back is promoting the version before.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import mlflow
from turnout_pipelines import tracking

from turnout.config.paths import champion_folder
from turnout.predictor import load, save


def run(*, version: str = "challenger", client: mlflow.MlflowClient | None = None) -> dict[str, Any]:
    """Promote a version number or alias; returns {version, champion, candidates}."""
    client = client or tracking.start()
    with tempfile.TemporaryDirectory() as folder:
        number, path = tracking.download(client, version, Path(folder))
        predictor = load(path)
        save(predictor, champion_folder())
    tracking.crown(client, number)
    return {"version": number, "champion": str(champion_folder()), "candidates": list(predictor.candidates)}
