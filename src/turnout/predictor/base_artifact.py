"""The base predictor on disk: `base.json` and `base.npz` in one folder. Loading runs no code from either."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any, Final

import numpy as np

from turnout.config.paths import base_folder
from turnout.errors import ArtifactCorruptError, ArtifactMismatchError, ArtifactMissingError
from turnout.features import schema_hash
from turnout.files import write_aside
from turnout.predictor.ability import COORDINATES, Abilities, Covariance, Names, Points
from turnout.predictor.base import BasePredictor
from turnout.predictor.prior import DOMAINS, WIDTH
from turnout.predictor.prior_arrays import check, read_traits, traits_arrays

FORMAT: Final = 1
MANIFEST: Final = "base.json"
ARRAYS: Final = "base.npz"
_MAX_BYTES: Final = 64 << 20
_POINTS: Final = ("family", "line", "identity")


def save_base(base: BasePredictor, folder: Path) -> None:
    """Write the two files; `base.info` goes into the manifest and must be JSON."""
    abilities = base.abilities
    arrays = traits_arrays(base.traits) | {
        "coordinates": abilities.points.coordinates.astype(np.float32),
        **{name: getattr(abilities.points, name).astype(np.int32) for name in _POINTS},
        "domain": abilities.domain.astype(np.int32),
        "ability_weights": abilities.weights,
        "ability_inverse": abilities.inverse.astype(np.float32),
        "doubt": base.doubt,
        "seen": base.seen,
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    raw = buffer.getvalue()
    manifest = {
        "format": FORMAT,
        "schema_hash": schema_hash(),
        "sha256": hashlib.sha256(raw).hexdigest(),
        "bytes": len(raw),
        "names": abilities.names.to_json(),
        "mean": abilities.mean,
        "covariance": abilities.parts.to_json(),
        "info": dict(base.info),
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_aside(folder / ARRAYS, raw)
    write_aside(folder / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False).encode())


def load_base(folder: Path | None = None) -> BasePredictor:
    """Read it back; without a folder the one of `config.paths.base_folder`.

    Raises:
        ArtifactMissingError: there is none.
        ArtifactCorruptError: a file is truncated, was altered, or lacks something.
        ArtifactMismatchError: it was made by an unknown format version or for other features.
    """
    folder = folder or base_folder()
    if folder is None:
        raise ArtifactMissingError("TURNOUT_BASE is 'off': there is no base predictor")
    try:
        manifest = json.loads(_bounded(folder / MANIFEST))
        raw = _bounded(folder / ARRAYS)
    except OSError as error:
        raise ArtifactMissingError(f"no base predictor in {folder} ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise ArtifactCorruptError(f"{folder / MANIFEST} is damaged: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ArtifactMismatchError(f"{folder / MANIFEST} is of an unknown format; this Turnout reads {FORMAT}")
    if manifest.get("schema_hash") != schema_hash():
        raise ArtifactMismatchError(f"{folder} was trained for other features; make it again with 'make base'")
    if hashlib.sha256(raw).hexdigest() != manifest.get("sha256"):
        raise ArtifactCorruptError(f"{folder / ARRAYS} is truncated or was altered: its SHA-256 is not the manifest's")
    try:
        with np.load(io.BytesIO(raw), allow_pickle=False) as stored:
            return _from_arrays({name: stored[name] for name in stored.files}, manifest)
    except Exception as error:  # np.load raises many kinds for a broken archive
        raise ArtifactCorruptError(f"{folder} does not hold a base predictor: {error}") from error


def _bounded(path: Path) -> bytes:
    with path.open("rb") as file:
        raw = file.read(_MAX_BYTES + 1)
    if len(raw) > _MAX_BYTES:
        raise ValueError(f"more than {_MAX_BYTES} bytes")
    return raw


def _from_arrays(arrays: dict[str, Any], manifest: dict[str, Any]) -> BasePredictor:
    n = len(arrays["domain"])
    check(
        arrays,
        {
            "coordinates": ("f", (n, len(COORDINATES))),
            **dict.fromkeys((*_POINTS, "domain"), ("i", (n,))),
            "ability_weights": ("f", (n,)),
            "ability_inverse": ("f", (n, n)),
            "doubt": ("f", (WIDTH,)),
            "seen": ("u", (len(arrays["seen"]),)),
        },
    )
    if not n or arrays["domain"].min() < 0 or arrays["domain"].max() >= len(DOMAINS):
        raise ValueError("a domain is unknown")
    names, mean, info = manifest["names"], float(manifest["mean"]), manifest["info"]
    parts = Covariance.of(manifest["covariance"])
    if len(names) != len(_POINTS) or not isinstance(info, dict) or not np.isfinite(mean) or not parts.sound:
        raise ValueError("its manifest holds names, numbers or information that are none")
    points = Points(arrays["coordinates"].astype(np.float64), *(arrays[name].astype(np.int64) for name in _POINTS))
    abilities = Abilities(
        Names([[str(name) for name in known] for known in names]),
        points,
        arrays["domain"].astype(np.int64),
        arrays["ability_weights"].astype(np.float64),
        arrays["ability_inverse"].astype(np.float64),
        mean,
        parts,
    )
    return BasePredictor(read_traits(arrays), abilities, arrays["doubt"], arrays["seen"], info)
