"""Predictors on disk: a folder with `manifest.json` and one file of arrays. Loading runs no code from either.

The manifest names its array file and that file's SHA-256, and carries a digest of itself. Saving writes the arrays
under a new name, then replaces the manifest in one rename: a reader sees the old predictor or the new one, and a
process that is killed half-way leaves the old one serving. The arrays of the version before are kept for rollback,
young ones for whoever is still reading them or about to name them.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from turnout.errors import ArtifactCorruptError, ArtifactMismatchError, ArtifactMissingError
from turnout.features import FEATURE_NAMES, schema_hash
from turnout.features.ngrams import BUCKETS
from turnout.files import write_aside
from turnout.predictor.blend import Blend
from turnout.predictor.calibration import Calibration
from turnout.predictor.expense import LogLinear
from turnout.predictor.linear import NgramModel
from turnout.predictor.model import Predictor
from turnout.predictor.prior_arrays import prior_arrays, read_prior
from turnout.predictor.trees import LEAVES, TESTS, Forest

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
_MAX_MANIFEST_BYTES: Final = 4 << 20
_ARRAYS_NAME: Final = re.compile(r"arrays-[0-9a-f]{12}\.npz")
_YOUNG_S: Final = 60.0
_OPTIONAL: Final = ("seconds", "cost_usd", "answer_tokens")
_WHOLE_NUMBERS: Final = {"ngram_buckets": "u", "tree_feature": "i"}
_LOG_LINEAR: Final = ("weights", "intercept", "low", "high")

Arrays = dict[str, NDArray[Any]]


def save(predictor: Predictor, folder: Path) -> None:
    """Write the predictor so that `folder` holds the old one or the new one at any moment.

    `predictor.info` goes into the manifest as it is (training data, metrics, versions, date); it must be JSON.
    """
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **_to_arrays(predictor))
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
    write_aside(folder / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    leftovers = (f".{MANIFEST}.*", ".arrays-*.npz.*")  # of a process that was killed while it wrote
    for stale in (each for pattern in ("arrays-*.npz", *leftovers) for each in folder.glob(pattern)):
        with suppress(FileNotFoundError):
            if stale.name not in (name, previous) and stale.stat().st_mtime < time.time() - _YOUNG_S:
                stale.unlink()


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
    named = manifest["arrays"]
    if not isinstance(named, dict) or not _ARRAYS_NAME.fullmatch(str(named.get("file"))):
        raise ArtifactCorruptError(f"{folder / MANIFEST} does not name an array file of its folder: {named!r:.200}")
    path = folder / named["file"]
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ArtifactMissingError(f"{path} cannot be read ({error.strerror}); train or promote again") from error
    if hashlib.sha256(raw).hexdigest() != named.get("sha256"):
        raise ArtifactCorruptError(f"{path} is truncated or was altered: its SHA-256 is not the manifest's")
    try:
        with np.load(io.BytesIO(raw), allow_pickle=False) as stored:
            arrays: Arrays = {name: stored[name] for name in stored.files}
        return _from_arrays(arrays, manifest)
    except Exception as error:  # np.load raises many kinds for a broken archive
        raise ArtifactCorruptError(f"{path} does not hold a predictor's arrays: {error}") from error


def read_manifest(folder: Path) -> Mapping[str, Any]:
    """The manifest of a predictor folder, checked against its own digest.

    Raises:
        ArtifactMissingError, ArtifactCorruptError: as in `load`.
    """
    path = folder / MANIFEST
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_MANIFEST_BYTES + 1)
    except OSError as error:
        raise ArtifactMissingError(
            f"no predictor in {folder} ({error.strerror}: {path.name}); run 'turnout train --promote'"
        ) from error
    try:
        if len(raw) > _MAX_MANIFEST_BYTES:
            raise ValueError(f"more than {_MAX_MANIFEST_BYTES} bytes")
        manifest = json.loads(raw)
        if not isinstance(manifest, dict):
            raise ValueError("not an object")
        digest = manifest.pop("digest")
        missing = {"format", "schema_hash", "candidates", "novelty_limit", "arrays"} - manifest.keys()
        if missing:
            raise ValueError(f"lacks {', '.join(sorted(missing))}")
        intact = _digest(manifest) == digest
    except (ValueError, KeyError, RecursionError) as error:
        raise ArtifactCorruptError(f"{path} is not a predictor's manifest: {error}") from error
    if not intact:
        raise ArtifactCorruptError(f"{path} was altered: its digest does not match its content")
    return manifest


def _digest(manifest: Mapping[str, Any]) -> str:
    text = json.dumps(manifest, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _named_arrays(folder: Path) -> str:
    try:
        return str(json.loads((folder / MANIFEST).read_bytes())["arrays"]["file"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
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
    if predictor.calibration is not None:
        arrays["calibration_knots"] = predictor.calibration.knots
        arrays["calibration_values"] = predictor.calibration.values
    for name in _OPTIONAL:
        model = getattr(predictor, name)
        if model is not None:
            arrays |= {f"{name}_{part}": getattr(model, part) for part in _LOG_LINEAR}
    if predictor.prior is not None:
        arrays |= prior_arrays(predictor.prior)
    return arrays


def _from_arrays(arrays: Arrays, manifest: Mapping[str, Any]) -> Predictor:
    candidates = tuple(str(name) for name in manifest["candidates"])
    n_candidates, n_outputs, n_features = len(candidates), len(arrays["blend_offset"]), len(FEATURE_NAMES)
    n_trees, n_seen = len(arrays["tree_feature"]), len(arrays["ngram_buckets"])
    expected = {
        "ngram_buckets": (n_seen,),
        "ngram_idf": (n_seen,),
        "ngram_weights": (n_seen, n_candidates),
        "ngram_intercept": (n_candidates,),
        "tree_feature": (n_trees, TESTS),
        "tree_threshold": (n_trees, TESTS),
        "tree_leaves": (n_trees, LEAVES),
        "tree_baseline": (n_outputs,),
        "blend_offset": (n_outputs,),
        "blend_ngram_gain": (n_outputs,),
        "blend_tree_gain": (n_outputs,),
        "to_outputs": (n_candidates, n_outputs),
        "to_scores": (n_outputs, n_candidates),
        "feature_mean": (n_features,),
        "feature_std": (n_features,),
    }
    for name in _OPTIONAL:
        if f"{name}_weights" in arrays:
            expected |= {f"{name}_{part}": (n_candidates,) for part in _LOG_LINEAR}
            expected[f"{name}_weights"] = (n_features, n_candidates)
    if "calibration_knots" in arrays:
        curves = (n_candidates, arrays["calibration_knots"].size // n_candidates)
        expected |= {"calibration_knots": curves, "calibration_values": curves}
    for name, shape in expected.items():
        array, kind = arrays[name], _WHOLE_NUMBERS.get(name, "f")
        if array.shape != shape or array.dtype.kind != kind:
            raise ValueError(f"{name} is {array.dtype} of shape {array.shape}, expected kind {kind!r}, shape {shape}")
        if name != "tree_threshold" and not np.isfinite(array).all():
            raise ValueError(f"{name} is not finite")
    buckets = arrays["ngram_buckets"]
    if n_trees % n_outputs or arrays["tree_feature"].min() < 0 or arrays["tree_feature"].max() >= n_features:
        raise ValueError("the trees do not fit the features")
    if n_seen and int(buckets.max()) >= BUCKETS:
        raise ValueError("an n-gram bucket is out of range")
    idf = np.zeros(BUCKETS, np.float32)
    idf[buckets] = arrays["ngram_idf"]
    weights = np.zeros((BUCKETS, n_candidates), np.float32)
    weights[buckets] = arrays["ngram_weights"]
    seconds, cost_usd, answer_tokens = (
        LogLinear(**{part: arrays[f"{name}_{part}"] for part in _LOG_LINEAR}) if f"{name}_weights" in arrays else None
        for name in _OPTIONAL
    )
    calibration = None
    if "calibration_knots" in arrays:
        calibration = Calibration(arrays["calibration_knots"], arrays["calibration_values"])
    own = {"format", "schema_hash", "candidates", "novelty_limit", "arrays"}
    return Predictor(
        candidates=candidates,
        ngrams=NgramModel(idf, weights, arrays["ngram_intercept"]),
        forest=Forest(arrays["tree_feature"], arrays["tree_threshold"], arrays["tree_leaves"], arrays["tree_baseline"]),
        blend=Blend(arrays["blend_offset"], arrays["blend_ngram_gain"], arrays["blend_tree_gain"]),
        calibration=calibration,
        to_outputs=arrays["to_outputs"],
        to_scores=arrays["to_scores"],
        feature_mean=arrays["feature_mean"],
        feature_std=arrays["feature_std"],
        novelty_limit=float(manifest["novelty_limit"]),
        info={key: value for key, value in manifest.items() if key not in own},
        prior=read_prior(arrays, n_candidates),
        seconds=seconds,
        cost_usd=cost_usd,
        answer_tokens=answer_tokens,
    )
