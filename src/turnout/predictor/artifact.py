"""Predictors on disk: a folder with `manifest.json` and one file of arrays. Loading runs no code from either.

The manifest names its array file and that file's SHA-256, and carries a digest of itself. Saving writes the arrays
under a new name, then replaces the manifest in one rename: a reader sees the old predictor or the new one, and a
process that is killed half-way leaves the old one serving. The arrays of the version before are kept for rollback.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from turnout.errors import ArtifactCorruptError, ArtifactMismatchError, ArtifactMissingError
from turnout.features import FEATURE_NAMES, schema_hash
from turnout.features.ngrams import BUCKETS
from turnout.files import write_aside
from turnout.predictor.expense import LogLinear
from turnout.predictor.linear import NgramModel
from turnout.predictor.model import Blend, Predictor
from turnout.predictor.trees import LEAVES, TESTS, Forest

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
_MAX_MANIFEST_BYTES: Final = 4 << 20
_OPTIONAL: Final = ("seconds", "cost_usd")
_LOG_LINEAR: Final = ("weights", "intercept", "low", "high")

Arrays = dict[str, NDArray[Any]]


def save(predictor: Predictor, folder: Path) -> None:
    """Write the predictor so that `folder` holds the old one or the new one at any moment.

    `predictor.info` goes into the manifest as it is (training data, metrics, versions, date); it must be JSON.
    """
    buffer = io.BytesIO()
    np.savez(buffer, **_to_arrays(predictor))
    raw = buffer.getvalue()
    digest = hashlib.sha256(raw).hexdigest()
    name = f"arrays-{digest[:12]}.npz"
    manifest = {
        "format": FORMAT,
        "schema_hash": schema_hash(),
        "candidates": list(predictor.candidates),
        "novelty_limit": predictor.novelty_limit,
        "arrays": {"file": name, "sha256": digest, "bytes": len(raw)},
        **predictor.info,
    }
    manifest["digest"] = _digest(manifest)
    previous = _named_arrays(folder)
    write_aside(folder / name, raw)
    write_aside(folder / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False).encode())
    for stale in folder.glob("arrays-*.npz"):
        if stale.name not in (name, previous):
            stale.unlink(missing_ok=True)


def load(folder: Path) -> Predictor:
    """Read a predictor back.

    Raises:
        ArtifactMissingError: the folder, its manifest or its arrays do not exist.
        ArtifactCorruptError: a file is truncated, was altered, or lacks an array.
        ArtifactMismatchError: it was made by an unknown format version or for other features.
    """
    manifest = read_manifest(folder)
    if manifest["format"] != FORMAT:
        raise ArtifactMismatchError(
            f"{folder / MANIFEST} has format {manifest['format']!r}, this Turnout reads {FORMAT}; train again or upgrade"
        )
    if manifest["schema_hash"] != schema_hash():
        raise ArtifactMismatchError(
            f"{folder} was trained for feature schema {manifest['schema_hash']}, this Turnout computes {schema_hash()}; "
            "train again with 'turnout train'"
        )
    path = folder / str(manifest["arrays"]["file"])
    if path.parent != folder:
        raise ArtifactCorruptError(f"{folder / MANIFEST} names an array file outside its folder: {path.name!r}")
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ArtifactMissingError(f"{path} cannot be read ({error.strerror}); train or promote again") from error
    if hashlib.sha256(raw).hexdigest() != manifest["arrays"]["sha256"]:
        raise ArtifactCorruptError(f"{path} is truncated or was altered: its SHA-256 is not the manifest's")
    try:
        with np.load(io.BytesIO(raw), allow_pickle=False) as stored:
            arrays: Arrays = {name: stored[name] for name in stored.files}
        return _from_arrays(arrays, manifest)
    except (KeyError, ValueError, TypeError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise ArtifactCorruptError(f"{path} does not hold a predictor's arrays: {error}") from error


def read_manifest(folder: Path) -> Mapping[str, Any]:
    """The manifest of a predictor folder, checked against its own digest.

    Raises:
        ArtifactMissingError, ArtifactCorruptError: as in `load`.
    """
    path = folder / MANIFEST
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ArtifactMissingError(
            f"no predictor in {folder} ({error.strerror}: {path.name}); run 'turnout train --promote'"
        ) from error
    try:
        if len(raw) > _MAX_MANIFEST_BYTES:
            raise ValueError(f"{len(raw)} bytes is no manifest")
        manifest = json.loads(raw)
        if not isinstance(manifest, dict):
            raise ValueError("not an object")
        digest = manifest.pop("digest")
        missing = {"format", "schema_hash", "candidates", "novelty_limit", "arrays"} - manifest.keys()
        if missing:
            raise ValueError(f"lacks {', '.join(sorted(missing))}")
    except (ValueError, KeyError, RecursionError) as error:
        raise ArtifactCorruptError(f"{path} is not a predictor's manifest: {error}") from error
    if _digest(manifest) != digest:
        raise ArtifactCorruptError(f"{path} was altered: its digest does not match its content")
    return manifest


def _digest(manifest: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _named_arrays(folder: Path) -> str:
    try:
        return str(json.loads((folder / MANIFEST).read_bytes())["arrays"]["file"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _to_arrays(predictor: Predictor) -> Arrays:
    seen = np.flatnonzero(predictor.ngrams.idf)
    arrays: Arrays = {
        "ngram_buckets": seen.astype(np.uint32),
        "ngram_idf": predictor.ngrams.idf[seen],
        "ngram_weights": predictor.ngrams.weights[seen],
        "ngram_intercept": predictor.ngrams.intercept,
        "tree_feature": predictor.forest.feature,
        "tree_threshold": predictor.forest.threshold,
        "tree_leaves": predictor.forest.leaves,
        "tree_baseline": predictor.forest.baseline,
        "blend_offset": predictor.blend.offset,
        "blend_ngram_gain": predictor.blend.ngram_gain,
        "blend_tree_gain": predictor.blend.tree_gain,
        "to_outputs": predictor.to_outputs,
        "to_scores": predictor.to_scores,
        "feature_mean": predictor.feature_mean,
        "feature_std": predictor.feature_std,
    }
    for name in _OPTIONAL:
        model = getattr(predictor, name)
        if model is not None:
            arrays |= {f"{name}_{part}": getattr(model, part) for part in _LOG_LINEAR}
    return arrays


def _from_arrays(arrays: Arrays, manifest: Mapping[str, Any]) -> Predictor:
    candidates = tuple(str(name) for name in manifest["candidates"])
    n_candidates, n_outputs, n_features = len(candidates), len(arrays["blend_offset"]), len(FEATURE_NAMES)
    n_trees, n_seen = len(arrays["tree_feature"]), len(arrays["ngram_buckets"])
    expected = {
        "ngram_idf": (n_seen,),
        "ngram_weights": (n_seen, n_candidates),
        "ngram_intercept": (n_candidates,),
        "tree_feature": (n_trees, TESTS),
        "tree_threshold": (n_trees, TESTS),
        "tree_leaves": (n_trees, LEAVES),
        "tree_baseline": (n_outputs,),
        "to_outputs": (n_candidates, n_outputs),
        "to_scores": (n_outputs, n_candidates),
        "feature_mean": (n_features,),
        "feature_std": (n_features,),
    }
    for name, shape in expected.items():
        if arrays[name].shape != shape:
            raise ValueError(f"{name} has shape {arrays[name].shape}, expected {shape}")
    buckets = arrays["ngram_buckets"]
    if n_trees % n_outputs or arrays["tree_feature"].min() < 0 or arrays["tree_feature"].max() >= n_features:
        raise ValueError("the trees do not fit the features")
    if n_seen and int(buckets.max()) >= BUCKETS:
        raise ValueError("an n-gram bucket is out of range")
    idf = np.zeros(BUCKETS, np.float32)
    idf[buckets] = arrays["ngram_idf"]
    weights = np.zeros((BUCKETS, n_candidates), np.float32)
    weights[buckets] = arrays["ngram_weights"]
    expenses = {
        name: LogLinear(**{part: arrays[f"{name}_{part}"] for part in _LOG_LINEAR})
        if f"{name}_weights" in arrays
        else None
        for name in _OPTIONAL
    }
    own = {"format", "schema_hash", "candidates", "novelty_limit", "arrays"}
    return Predictor(
        candidates=candidates,
        ngrams=NgramModel(idf, weights, arrays["ngram_intercept"]),
        forest=Forest(arrays["tree_feature"], arrays["tree_threshold"], arrays["tree_leaves"], arrays["tree_baseline"]),
        blend=Blend(arrays["blend_offset"], arrays["blend_ngram_gain"], arrays["blend_tree_gain"]),
        to_outputs=arrays["to_outputs"],
        to_scores=arrays["to_scores"],
        feature_mean=arrays["feature_mean"],
        feature_std=arrays["feature_std"],
        novelty_limit=float(manifest["novelty_limit"]),
        info={key: value for key, value in manifest.items() if key not in own},
        **expenses,
    )
