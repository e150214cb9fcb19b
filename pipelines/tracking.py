"""MLflow: where runs go, and the registry of predictor versions with its champion and challenger aliases."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

import mlflow
from mlflow.exceptions import MlflowException

from turnout.config.paths import models_folder
from turnout.errors import ArtifactMissingError
from turnout.predictor import Predictor, save

EXPERIMENT = "turnout"
REGISTERED_MODEL = "turnout-predictor"
PREDICTOR = "predictor"
CHAMPION, PREVIOUS = "champion", "previous"
"""Aliases: what serves, and what served before it."""

logging.getLogger("mlflow").setLevel(logging.WARNING)
logging.getLogger("alembic").setLevel(logging.WARNING)


def start() -> mlflow.MlflowClient:
    """Point MLflow at MLFLOW_TRACKING_URI, or at an SQLite store beside the models, and open the experiment."""
    folder = models_folder().absolute()
    folder.mkdir(parents=True, exist_ok=True)
    # These two have a meaning of their own in a database URI; MLflow takes everything else as it is.
    database = (folder / "mlflow.db").as_posix().replace("%", "%25").replace("?", "%3F")
    local = f"sqlite:///{database}"
    uri = os.environ.get("MLFLOW_TRACKING_URI") or local
    mlflow.set_tracking_uri(uri)
    if mlflow.get_experiment_by_name(EXPERIMENT) is None:
        artifacts = (folder / "mlartifacts").as_uri() if uri.startswith("sqlite:") else None
        mlflow.create_experiment(EXPERIMENT, artifact_location=artifacts)
    mlflow.set_experiment(EXPERIMENT)
    return mlflow.MlflowClient()


@contextmanager
def run(name: str, parameters: Mapping[str, Any]) -> Iterator[str]:
    """One tracked run; yields its id. A run that raises is marked as failed."""
    with mlflow.start_run(run_name=name) as active:
        mlflow.log_params(dict(parameters))
        yield active.info.run_id


def log_predictor(predictor: Predictor) -> None:
    """Attach the artifact folder to the active run."""
    with tempfile.TemporaryDirectory() as folder:
        save(predictor, Path(folder) / PREDICTOR)
        mlflow.log_artifacts(str(Path(folder) / PREDICTOR), PREDICTOR)


def register(client: mlflow.MlflowClient, run_id: str) -> str:
    """Make the run's predictor a new version, the challenger; returns the version."""
    try:
        client.create_registered_model(REGISTERED_MODEL)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    source = f"{client.get_run(run_id).info.artifact_uri}/{PREDICTOR}"
    version = str(client.create_model_version(REGISTERED_MODEL, source, run_id).version)
    client.set_registered_model_alias(REGISTERED_MODEL, "challenger", version)
    return version


def download(client: mlflow.MlflowClient, version_or_alias: str, folder: Path) -> tuple[str, Path]:
    """Fetch a version's predictor folder; returns the version and where it lies.

    Raises:
        ArtifactMissingError: no such version or alias.
    """
    try:
        if version_or_alias.isdigit():
            found = client.get_model_version(REGISTERED_MODEL, version_or_alias)
        else:
            found = client.get_model_version_by_alias(REGISTERED_MODEL, version_or_alias)
        path = mlflow.artifacts.download_artifacts(run_id=found.run_id, artifact_path=PREDICTOR, dst_path=str(folder))
    except MlflowException as error:
        raise ArtifactMissingError(
            f"the registry has no predictor {version_or_alias!r}; 'turnout train' makes one"
        ) from error
    return str(found.version), Path(path)


def knows(client: mlflow.MlflowClient, alias: str) -> bool:
    """Whether a version has that alias."""
    try:
        client.get_model_version_by_alias(REGISTERED_MODEL, alias)
    except MlflowException:
        return False
    return True


def crown(client: mlflow.MlflowClient, version: str) -> None:
    """Move the champion's alias to a version; the one that had it becomes the previous champion."""
    try:
        before = str(client.get_model_version_by_alias(REGISTERED_MODEL, CHAMPION).version)
    except MlflowException:
        before = ""  # the first champion
    if before and before != version:
        client.set_registered_model_alias(REGISTERED_MODEL, PREVIOUS, before)
    client.set_registered_model_alias(REGISTERED_MODEL, CHAMPION, version)
